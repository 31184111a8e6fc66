"""Borrowed: who lends by hand, when a factor is chosen, and a shop whose new items are known by their labels alone."""

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from paretail.core.progress import silent
from paretail.core.sparse import pruned_product
from paretail.data.held import Held
from paretail.data.splits import Split
from paretail.data.types import Catalogue, Events, Shop, Time
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve import borrowed
from paretail.retrieve.base import Question
from paretail.retrieve.borrowed import FEWEST, LEAST, NAME, Borrowing, alike, new_items, weigh
from paretail.retrieve.models import blend
from paretail.retrieve.models.blend import Blend, BlendConfig, Mix, ground_of
from paretail.retrieve.signals.matrix import Sparse

DAY = 86_400_000
CONFIG = BlendConfig(modes={"target": Mix(theta={"co target|all": 1.0}, kappa=0.0)})


def shop(
    rows: list[tuple[int, int, int]],
    titles: list[str | None],
    categories: list[str | None],
    time: Time = "clock",
) -> ShopGraph:
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
    told = Shop(Events(events, time), Catalogue(catalogue))
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


def test_a_label_of_very_many_items_is_left_out_and_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = shop(ROWS, TITLES, ["Cups"] * 5)
    products: list[sparse.csr_array] = []
    monkeypatch.setattr(borrowed, "MOST_CARRIERS", 2)
    monkeypatch.setattr(borrowed, "pruned_product", lambda *a, **k: products.append(a[0]) or pruned_product(*a, **k))
    dense = alike(graph, ground_of(graph, CONFIG, graph.history, 0))[NAME].entries.toarray()
    assert dense[0, 3] == pytest.approx(1)
    assert not dense[:, 4].any()  # the label alone
    assert np.diff(products[0].indptr).tolist() == [2, 0]  # the words of "Red Cup"; nothing of the label is multiplied


def test_nothing_is_kept_where_nothing_is_new_or_nothing_is_told() -> None:
    for graph in (shop(ROWS, TITLES[:3], CATEGORIES[:3]), shop(ROWS, [None] * 5, [None] * 5)):
        assert alike(graph, ground_of(graph, CONFIG, graph.history, 0)) == {}
        assert NAME not in Blend.fit(graph, CONFIG, 0).matrices


def test_lenders_lend_their_mean_and_nobody_loses() -> None:
    entries = np.zeros((5, 5), np.float32)
    entries[[0, 1], 3], entries[1, 4] = [0.9, 0.4], 0.2
    borrowing = Borrowing(Sparse(sparse.csr_array(entries)))
    total, nothing = np.array([[4, 2, 8, 0, 5]], np.float32), sparse.csr_array((1, 5), dtype=np.int8)
    borrowing.lend(total, nothing, 0.5)
    np.testing.assert_allclose(total, [[4, 2, 8, 1.5, 5]])
    borrowing.lend(total, nothing, 0.0)
    np.testing.assert_allclose(total, [[4, 2, 8, 1.5, 5]])


def test_items_that_a_list_leaves_out_lend_nothing_and_do_not_count() -> None:
    """Who bought one of two lenders, twice, borrows as much of the other as a stranger of both."""
    entries = np.zeros((5, 5), np.float32)
    entries[[0, 1], 3], entries[1, 4] = [0.9, 0.4], 0.2
    total, left_out = np.array([[4, 0, 8, 0, 0], [4, 4, 8, 0, 0]], np.float32), np.zeros((2, 5), np.int8)
    left_out[0, 1] = 2
    Borrowing(Sparse(sparse.csr_array(entries))).lend(total, sparse.csr_array(left_out), 0.5)
    np.testing.assert_allclose(total, [[4, 0, 8, 2, 0], [4, 4, 8, 2, 2]])


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


def test_a_gain_below_two_standard_errors_is_not_sure() -> None:
    graph = shop(ROWS, TITLES, CATEGORIES)
    held = Held(np.array([0, FEWEST, FEWEST, FEWEST], np.int64), np.full(FEWEST, 3, np.int32), np.zeros(FEWEST, bool))
    split, noise = Split(graph.history, held, "purchase"), np.tile([-1.0, 1.0], 50)  # an error of .1
    for gain, factor in ((0.19, 0.0), (0.21, 1.0)):
        found, _ = weigh(split, np.array([3], np.int32), lambda tried, gain=gain: (noise + gain) * (tried == 1))
        assert found == factor


def test_nothing_is_chosen_where_items_are_new_only_because_purchases_are_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a log without a clock the newest purchase of each user is asked: half of them of an item of their own.

    No signal reads labels here: lenders would help.
    """
    monkeypatch.setattr(blend, "signals_of", lambda at: {"co target": ("all",), "pop target": ("anyone",)})
    rng, rows = np.random.default_rng(0), list[tuple[int, int, int]]()
    for user in range(160):
        old = 8 * (user % 8) + rng.permutation(8)[:6]
        bought = [*old[:5], old[5] if user < 80 else 64 + user]
        rows += [(user, int(item), place) for place, item in enumerate(bought)]
    categories = [*(f"c{item // 8}" for item in range(64)), *(f"c{user % 8}" for user in range(160))]
    graph = shop(rows, [f"Thing of {name}" for name in categories], list(categories), "order")
    choice = Blend.choose(graph, Question("purchase", False, ("purchase",)), {}, 0, 60.0, silent)
    assert isinstance(choice.config, BlendConfig)
    assert choice.config.borrowed == 0
    assert not any("Items that nobody had" in remark for remark in choice.remarks)


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
