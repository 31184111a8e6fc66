"""Shared labels are counted exactly: by hand, by brute force, on a trained shop."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.core.ids import Vocabulary
from paretail.data.types import History, Reason
from paretail.pipeline.akin import Labels, Shared
from paretail.pipeline.evidence import Evidence
from paretail.pipeline.reasons import explain, in_words
from paretail.pipeline.recommender import Recommender

from ..trained import DemoShop
from .test_reasons import Weights, history

BRANDS = ["Acme", "Acme", "Acme", "Bolt", None, "Bolt", "Coil", "Coil"]
PATHS = [["Cups"], ["Cups", "Tea"], ["Cups", "Tea"], ["Cups"], ["Pots"], None, ["Pots"], ["Pots"]]


def shelf(brands: list[str | None] = BRANDS, paths: list[list[str] | None] = PATHS) -> Labels:
    ids = pl.Series([f"i{row}" for row in range(len(brands))])
    frame = pl.DataFrame(
        {"item_id": ids, "category": paths, "brand": brands}, schema_overrides={"category": pl.List(pl.String)}
    )
    return Labels.of(frame, Vocabulary(ids))


def told(labels: Labels, shared: Shared | None) -> tuple[str, str, int, int] | None:
    return None if shared is None else (*labels.named(shared.node_type, shared.node_idx), shared.count, shared.out_of)


def test_the_label_told_is_the_one_most_above_chance() -> None:
    labels = shelf()
    found = labels.shared([0, 1, 3], [(2, 1), (2, 0), (5, 3), (6, 0), (4, 3)])
    assert [told(labels, shared) for shared in found] == [
        ("category", "Cups", 3, 3), ("category", "Cups", 3, 3), ("brand", "Bolt", 1, 3), None, None,
    ]  # fmt: skip
    assert told(labels, labels.shared([1], [(2, 1)])[0]) == ("category", "Cups > Tea", 1, 1)


def test_a_label_at_or_below_chance_is_no_reason() -> None:
    labels = shelf(["Acme"] * 8, [None] * 8)
    assert labels.shared([0, 1], [(2, 0)]) == [None]


def test_a_catalogue_of_ids_alone_tells_nothing() -> None:
    ids = pl.Series(["a", "b"])
    assert Labels.of(pl.DataFrame({"item_id": ids}), Vocabulary(ids)).shared([0], [(1, 0)]) == [None]
    assert shelf().shared([], []) == []


@given(
    st.lists(st.sampled_from(["Acme", "Bolt", "Coil", None]), min_size=3, max_size=9),
    st.sets(st.integers(0, 8), min_size=1),
)
def test_counts_are_those_of_the_catalogue(brands: list[str | None], drawn: set[int]) -> None:
    had = sorted(row for row in drawn if row < len(brands)) or [0]
    labels = shelf(brands, [None] * len(brands))
    for listed in range(len(brands)):
        (shared,) = labels.shared(had, [(listed, had[0])])
        same = brands[listed] is not None and brands[listed] == brands[had[0]]
        count, carriers = (sum(brands[row] == brands[listed] for row in rows) for rows in (had, range(len(brands))))
        above = count > len(had) * carriers / len(brands)
        expected = ("brand", brands[listed], count, len(had)) if same and above else None
        assert told(labels, shared) == expected


def reasons(shop: History, labels: Labels | None, *listed: int) -> list[Reason]:
    me, size = history([(1, 1), (0, 0)]), len(BRANDS)
    rows = np.array(listed, np.int32)
    return explain(Weights(np.ones((size, size))), me, rows, Evidence(shop, size), "purchase", "target", labels)


def test_a_label_is_told_where_nobody_did_both() -> None:
    """Item 2 was got with item 0, item 3 by another person, item 6 too; nobody did anything with items 4 and 5."""
    shop, labels = history([(0, 0), (2, 0)], [(3, 0), (6, 0)]), shelf()
    two, three, six, four = reasons(shop, labels, 2, 3, 6, 4)
    assert (two.code, two.count, two.node_type) == ("because", 1, None)
    assert (three.code, three.item_idx, three.kind, three.count, three.out_of) == ("akin", 0, "purchase", 2, 2)
    assert labels.named(str(three.node_type), int(three.node_idx or 0)) == ("category", "Cups")
    assert (six.code, six.count, six.node_type) == ("because", 0, None)
    assert (four.code, four.item_idx, four.node_type) == ("new", None, "category")
    assert reasons(shop, None, 3)[0] == replace(
        three, code="because", count=0, out_of=None, node_type=None, node_idx=None
    )


def test_a_new_item_tells_its_label() -> None:
    (found,) = reasons(history([(0, 0)]), shelf(), 2)
    assert (found.code, found.node_type, found.count, found.out_of) == ("new", "brand", 2, 2)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason("akin", 1, "view", 1, 0.5, 1, "brand", 0), 'same brand (Acme) as "Cup": you looked at that'),
        (Reason("akin", 0, "purchase", 1200, 0.5, 3000, "brand", 0),
         'same brand (Acme) as "Tea": you bought that; 1,200 of 3,000 items you had are'),
        (Reason("new", 0, "cart", 2, 0.5, 3, "brand", 0),
         'new; same brand (Acme) as "Tea": you put that in the cart; 2 of 3 items you had are'),
    ],
)  # fmt: skip
def test_in_words(reason: Reason, words: str) -> None:
    assert in_words(reason, "purchase", ["Tea", "Cup"], shelf().named) == words


def test_a_variant_is_of_the_same_product() -> None:
    ids = pl.Series(["a", "b", "c"])
    labels = Labels.of(pl.DataFrame({"item_id": ids, "parent_id": ["p", "p", None]}), Vocabulary(ids))
    assert told(labels, labels.shared([0], [(1, 0)])[0]) == ("product", "p", 1, 1)


def test_a_trained_shop_tells_labels_as_its_catalogue_has_them(shop: DemoShop) -> None:
    loaded, checked = Recommender.load(shop.bundle), 0
    frame = loaded.catalogue
    for user in range(0, loaded.history.users, 10):
        mine = loaded.history.of_users(np.array([user]))
        rows = np.setdiff1d(np.arange(len(loaded.items), dtype=np.int32), mine.item_idx)
        for item, reason in zip(rows.tolist(), loaded.explain(mine, rows, ["all"]), strict=True):
            if reason.code == "akin":
                column, value = loaded._akin.named(str(reason.node_type), int(reason.node_idx or 0))
                cells = frame[column].to_list()
                carries = [_carries(cell, value) for cell in cells]
                assert carries[item]
                assert carries[int(reason.item_idx or 0)]
                assert loaded.in_words(reason).startswith(f"same {column} ({value})")
                assert int(reason.count or 0) <= sum(carries[row] for row in np.unique(mine.item_idx))
                checked += 1
    assert checked > 10


def _carries(cell: object, value: str) -> bool:
    if isinstance(cell, list):
        return value in cell or " > ".join(cell).startswith(value)
    return cell == value
