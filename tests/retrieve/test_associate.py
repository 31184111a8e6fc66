"""Associations: figures by hand, relations that the data cannot tell, saving, and what leads a list."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from paretail.core.errors import DataError, UsageError
from paretail.data.types import Catalogue, Shop
from paretail.retrieve.associate import RELATIONS, AssociationConfig, Associations

from .shops import Event, graph, shop

ONE = AssociationConfig(least=1, shrinkage=0.0)


def build(told: Shop, config: AssociationConfig | None = ONE) -> tuple[Associations, list[str]]:
    made = graph(told)
    return Associations.build(told, made, config), made.nodes["item"].ids.to_list()


def listed(associations: Associations, ids: list[str], item: str, relation: str, k: int = 20) -> list[str]:
    found = associations.top(np.array([ids.index(item)]), relation, k)
    assert found["rank"].to_list() == list(range(1, len(found) + 1))
    return [ids[row] for row in found["other_idx"]]


def bought(*baskets: str) -> list[Event]:
    """One user a basket, a letter an item."""
    return [(f"u{number}", item, "purchase", 0) for number, basket in enumerate(baskets) for item in basket]


def test_figures_by_hand() -> None:
    associations, ids = build(shop(bought("ab", "ab", "ac", "d", "b")))
    found = associations.top(np.array([ids.index("a")]), "also-bought")
    row = found.filter(pl.col("other_idx") == ids.index("b")).row(0, named=True)
    assert row["count"] == 2
    assert row["support"] == pytest.approx(2 / 5)
    assert row["confidence"] == pytest.approx(2 / 3)
    assert row["lift"] == pytest.approx((2 / 3) / (3 / 5))
    cosine = associations.top(np.array([ids.index("a")]), "similar").row(0, named=True)
    assert (ids[cosine["other_idx"]], cosine["score"]) == ("b", pytest.approx(2 / 3))
    assert found.schema == {
        "item_idx": pl.Int32, "rank": pl.Int32, "other_idx": pl.Int32, "score": pl.Float32, "count": pl.Int32,
        "support": pl.Float64, "confidence": pl.Float64, "lift": pl.Float64,
    }  # fmt: skip


def test_figures_against_brute_force() -> None:
    rng = np.random.default_rng(0)
    baskets = ["".join(letter for letter in "abcdefgh" if rng.random() < 0.3) or "a" for _ in range(60)]
    associations, ids = build(shop(bought(*baskets)))
    found = associations.top(np.arange(len(ids)), "together", 100)
    assert len(found) > 10
    for row in found.iter_rows(named=True):
        a, b = ids[row["item_idx"]], ids[row["other_idx"]]
        both, with_a, with_b = (sum(set(need) <= set(basket) for basket in baskets) for need in (a + b, a, b))
        assert row["count"] == both
        assert row["support"] == pytest.approx(both / 60)
        assert row["confidence"] == pytest.approx(both / with_a)
        assert row["lift"] == pytest.approx(both * 60 / with_a / with_b)
        assert row["lift"] > 1


def test_together_is_one_order_and_also_bought_one_user() -> None:
    events = [("u", "a", "purchase", 0), ("u", "b", "purchase", 0), ("u", "c", "purchase", 9),
              ("v", "d", "purchase", 0), ("w", "d", "purchase", 0)]  # fmt: skip
    associations, ids = build(shop(events))
    assert listed(associations, ids, "a", "together") == ["b"]
    assert listed(associations, ids, "a", "also-bought") == ["b", "c"]
    ordered, ids = build(shop(events, orders=["1", "2", "1", "3", "4"]))
    assert listed(ordered, ids, "a", "together") == ["c"]


def test_one_shared_purchase_of_rare_items_is_left_out_or_falls_behind() -> None:
    told = shop(bought(*["ab"] * 30, *["b"] * 30, *["x"] * 400, "ar"))
    strict, ids = build(told, AssociationConfig())
    assert listed(strict, ids, "a", "also-bought") == ["b"]
    loose, ids = build(told)
    assert listed(loose, ids, "a", "also-bought") == ["b", "r"]
    lifts = loose.top(np.array([ids.index("a")]), "also-bought")["lift"]
    assert lifts[1] > lifts[0]


def test_alternatives_are_looked_at_together_and_not_bought_together() -> None:
    """Users compare a with b and with c; they buy a with c."""
    events: list[Event] = []
    for number in range(20):
        events += [(f"u{number}", item, "view", 0) for item in "abc"]
        events += [(f"u{number}", item, "purchase", 0) for item in "ac"]
        events += [(f"v{number}", item, "view", 0) for item in "de"]
        events += [(f"v{number}", item, "purchase", 0) for item in "d"]
    associations, ids = build(shop(events))
    assert listed(associations, ids, "a", "alternative") == ["b", "c"]
    assert listed(associations, ids, "a", "also-bought") == ["c"]


def test_alternatives_of_the_same_category_come_first() -> None:
    events = [(f"{item}{number}", letter, "view", 0) for item in ("ab", "ac") for number in range(9) for letter in item]
    events += [(f"z{number}", "z", "view", 0) for number in range(30)]
    told = shop(events)
    plain, ids = build(told)
    assert listed(plain, ids, "a", "alternative") == ["b", "c"]
    paths = {"a": ["wear", "feet"], "b": ["food", "sweet"], "c": ["wear", "head"], "z": ["food"]}
    items = pl.DataFrame({"item_id": list(paths), "category": list(paths.values())})
    kin, ids = build(replace(told, catalogue=Catalogue(items)))
    assert listed(kin, ids, "a", "alternative") == ["c", "b"]
    scores = kin.top(np.array([ids.index("a")]), "alternative")["score"]
    assert scores[0] / scores[1] == pytest.approx(0.75 / 0.5)


def test_alternatives_with_clock_time_are_of_one_visit() -> None:
    events = [("u", "a", "view", 0), ("u", "b", "view", 0), ("u", "c", "view", 5), ("v", "d", "view", 0)]
    told = shop([*events, ("v", "d", "purchase", 0)])
    associations, ids = build(told)
    assert listed(associations, ids, "a", "alternative") == ["b"]
    undated, ids = build(replace(told, events=replace(told.events, time="none")))
    assert listed(undated, ids, "a", "alternative") == ["b", "c"]


def test_impressions_and_refunds_associate_nothing() -> None:
    events = [
        ("u", "a", "purchase", 0),
        ("u", "b", "impression", 0),
        ("u", "c", "refund", 0),
        ("v", "b", "purchase", 0),
    ]
    associations, ids = build(shop(events))
    for relation in RELATIONS:
        assert listed(associations, ids, "a", relation) == []


def test_lists_end_at_k_and_at_most() -> None:
    told = shop([*bought("abcdef"), ("z", "z", "purchase", 0)])
    associations, ids = build(told, AssociationConfig(least=1, most=3))
    assert listed(associations, ids, "a", "also-bought") == ["b", "c", "d"]
    assert listed(associations, ids, "a", "also-bought", k=2) == ["b", "c"]
    assert associations.top(np.array([], np.int64), "similar").height == 0
    several = associations.top(np.array([1, ids.index("z"), 0]), "similar", 1)
    assert several["item_idx"].to_list() == [1, 0]


def test_saved_and_loaded() -> None:
    associations, ids = build(shop(bought("ab", "abc", "d", "bcd")))
    again = Associations.from_arrays(associations.arrays())
    for relation in RELATIONS:
        rows = np.arange(len(ids))
        assert again.top(rows, relation).equals(associations.top(rows, relation))


def test_what_the_data_cannot_tell_is_an_error() -> None:
    told = shop(bought("ab", "ab"), time="none")
    associations, _ = build(told)
    with pytest.raises(DataError, match="RETR-05"):
        Associations.from_arrays(associations.arrays()).top(np.array([0]), "together")
    with pytest.raises(UsageError, match=r"did you mean 'alternative'.*RETR-04"):
        associations.top(np.array([0]), "alternatives")
