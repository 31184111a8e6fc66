"""Borrowed: who lends by hand, when a factor is chosen, and a shop whose new items are known by their labels alone."""

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from paretail.core.progress import silent
from paretail.data.held import Held
from paretail.data.splits import Split
from paretail.data.types import Catalogue, Events, Shop
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Question
from paretail.retrieve.borrowed import FEWEST, LEAST, NAME, Borrowing, alike, new_items, weigh
from paretail.retrieve.models import blend
from paretail.retrieve.models.blend import Blend, BlendConfig, Mix, ground_of
from paretail.retrieve.signals.matrix import Sparse

DAY = 86_400_000
CONFIG = BlendConfig(modes={"target": Mix(theta={"co target|all": 1.0}, kappa=0.0)})


def shop(rows: list[tuple[int, int, int]], titles: list[str | None], categories: list[str | None]) -> ShopGraph:
    """Build from (user, item, day) of purchases and what the catalogue says of each item."""
    users, items, days = zip(*rows, strict=True)
    events = pl.DataFrame(
        {"user_id": [f"u{user:03}" for user in users], "item_id": [f"i{item:03}" for item in items],
         "kind": ["purchase"] * len(rows), "ts_ms": [day * DAY for day in days], "quantity": [1.0] * len(rows)}
    )  # fmt: skip
    catalogue = pl.DataFrame(
        {"item_id": [f"i{item:03}" for item in range(len(titles))], "title": titles,
         "category": [None if name is None else [name] for name in categories]},
        schema_overrides={"title": pl.String, "category": pl.List(pl.String)},
    )  # fmt: skip
    told = Shop(Events(events, "clock"), Catalogue(catalogue))
    return ShopGraph.build(told, told.user_vocabulary(), told.item_vocabulary())


ROWS = [(0, 0, 1), (0, 1, 2), (1, 0, 1), (1, 2, 3), (2, 1, 2)]
TITLES = ["Red Cup", "Blue Pot", "Old Lamp", "Red Cup", None]
CATEGORIES = ["Cups", "Pots", None, "Cups", None]


def test_items_that_nobody_had_are_like_those_that_somebody_had() -> None:
    graph = shop(ROWS, TITLES, CATEGORIES)
    ground = ground_of(graph, CONFIG, graph.history, 0)
    assert new_items(ground).tolist() == [3, 4]
    found = alike(graph, ground)
    dense = found[NAME].entries.toarray()
    assert dense[0, 3] == pytest.approx(1)  # the same label and words
    assert np.count_nonzero(dense) == 1


def test_nothing_is_kept_where_nothing_is_new_or_nothing_is_told() -> None:
    for graph in (shop(ROWS, TITLES[:3], CATEGORIES[:3]), shop(ROWS, [None] * 5, [None] * 5)):
        assert alike(graph, ground_of(graph, CONFIG, graph.history, 0)) == {}
        assert NAME not in Blend.fit(graph, CONFIG, 0).matrices


def test_lenders_lend_their_mean_and_nobody_loses() -> None:
    entries = np.zeros((5, 5), np.float32)
    entries[[0, 1], 3], entries[1, 4] = [0.9, 0.4], 0.2
    borrowing = Borrowing(Sparse(sparse.csr_array(entries)))
    total = np.array([[4, 2, 8, 0, 5]], np.float32)
    borrowing.lend(total, 0.5)
    np.testing.assert_allclose(total, [[4, 2, 8, 1.5, 5]])
    borrowing.lend(total, 0.0)
    np.testing.assert_allclose(total, [[4, 2, 8, 1.5, 5]])


def test_what_is_worth_nothing_is_ordered_by_likeness() -> None:
    entries = np.zeros((4, 4), np.float32)
    entries[0, 2:] = [0.1, 0.6]
    total, profile = np.array([[0, 3, 0, 0]], np.float32), sparse.csr_array(np.array([[2, 0, 0, 0]], np.float32))
    borrowing = Borrowing(Sparse(sparse.csr_array(entries)))
    np.testing.assert_array_equal(borrowing.ordered(total.copy(), profile, enough=1), total)
    np.testing.assert_allclose(borrowing.ordered(total, profile, enough=9), [[0, 3, 0.1 * LEAST, 0.6 * LEAST]])


@pytest.mark.parametrize(("asked", "gain", "factor"), [(FEWEST, 0.1, 0.5), (FEWEST, -0.1, 0), (FEWEST - 1, 0.1, 0)])
def test_a_factor_has_to_be_surely_better(asked: int, gain: float, factor: float) -> None:
    graph = shop(ROWS, TITLES, CATEGORIES)
    held = Held(np.array([0, asked, asked, asked], np.int64), np.full(asked, 3, np.int32), np.zeros(asked, bool))
    base = np.linspace(0, 1, 50)
    found, told = weigh(Split(graph.history, held, "purchase"), np.array([3], np.int32),
                        lambda tried: base + gain * (tried == 0.5) - (tried == 1))  # fmt: skip
    assert found == factor
    assert ("too few" in told) == (asked < FEWEST)


def test_new_items_are_served_where_validation_says_so_and_the_others_keep_their_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who likes a category buys what is new in it; item 80 of category 0 is known by its label and title alone.

    No signal reads labels here: shops whose weights have one need no lenders.
    """
    monkeypatch.setattr(blend, "signals_of", lambda at: {"co target": ("all",), "pop target": ("anyone",)})
    rng, rows = np.random.default_rng(0), list[tuple[int, int, int]]()
    for user in range(160):
        old = 8 * (user % 8) + rng.permutation(8)[:6]
        rows += [(user, int(item), int(day)) for item, day in zip(old[:5], rng.integers(0, 160, 5), strict=True)]
        rows += [(user, int(old[5]), int(rng.integers(172, 200)))]
        rows += [(user, 64 + 2 * (user % 8) + int(rng.integers(2)), int(rng.integers(172, 200)))]
    categories = [*(f"c{item // 8}" for item in range(64)), *(f"c{item // 2}" for item in range(16)), "c0", None]
    graph = shop(rows, [f"Thing of {name}" if name else None for name in categories], categories)
    question = Question("purchase", False, ("purchase",))
    choice = Blend.choose(graph, question, {}, 0, 60.0, silent)
    assert isinstance(choice.config, BlendConfig)
    assert choice.config.borrowed > 0, choice.remarks
    assert any("Items that nobody had yet take" in remark for remark in choice.remarks)
    lending = Blend.fit(graph, choice.config, 0)
    plain = Blend(choice.config.model_copy(update={"borrowed": 0.0}), lending.scene, lending.matrices)
    fans = graph.history.of_users(np.arange(0, 16, 8))
    with_it, without = lending.score(fans), plain.score(fans)
    np.testing.assert_array_equal(with_it[:, :80], without[:, :80])
    assert (with_it[:, 80] > np.median(with_it[:, 8:64], axis=1)).all()
    assert (without[:, 80] < without[:, :80].min(axis=1)).all()
    assert (without[:, 80] > without[:, 81]).all()
    copy = Blend.from_arrays(lending.arrays(), choice.config)
    np.testing.assert_array_equal(copy.score(fans), with_it)
    np.testing.assert_array_equal(lending.score_best(fans, np.array([5, 5])), with_it)
