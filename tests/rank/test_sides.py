"""Columns of users and items where a shop has more categories and labels than have a column each."""

import numpy as np
import polars as pl

from paretail.data.features.pairs import ItemFacts
from paretail.data.types import EVENT_COLUMNS, Catalogue, Events, Shop
from paretail.graph.shopgraph import ShopGraph
from paretail.rank.sides import LABELS, UserSides, crowded, named_item_sides


def graph(categories: int, each: int = 5) -> ShopGraph:
    """Two users; the first was shown five things of the first category, the second five of the last."""
    category = np.append(np.repeat(np.arange(categories), each), 0)  # the first has one more
    items = pl.DataFrame(
        {"item_id": [f"i{at}" for at in range(len(category))], "category": [[f"c{code:03d}"] for code in category]}
    )
    shown = [("u0", f"i{at}") for at in range(5)] + [("u1", f"i{len(category) - 2 - at}") for at in range(5)]
    frame = pl.DataFrame(shown, schema=["user_id", "item_id"], orient="row").with_columns(
        kind=pl.lit("impression"), ts_ms=pl.int_range(1, 11, dtype=pl.Int64)
    )
    rest = {name: pl.lit(None, dtype) for name, dtype in EVENT_COLUMNS.items() if name not in frame.columns}
    shop = Shop(Events(frame.with_columns(**rest).select(*EVENT_COLUMNS), "clock"), Catalogue(items))
    return ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())


def lifts(made: ShopGraph) -> tuple[UserSides, dict[str, tuple[float, float]]]:
    sides = UserSides.of(made.history, ItemFacts.of(made.tables["item"]))
    matrix = sides.matrix(made.history)
    return sides, dict(zip(sides.names(made), map(tuple, matrix.T.tolist()), strict=True))


def test_what_was_shown_is_counted_by_the_largest_categories_and_the_others_together() -> None:
    made = graph(300)
    sides, found = lifts(made)
    assert len(sides.shares) == LABELS == len([name for name in found if name.startswith("shown ")])
    assert found["shown c000"][0] > 0 > found["shown c000"][1]
    assert found["shown others"][1] > 0 > found["shown others"][0]
    again = UserSides.from_arrays(made.tables["item"], sides.arrays())
    np.testing.assert_array_equal(again.matrix(made.history), sides.matrix(made.history))
    assert crowded(made) == (
        "the 256 commonest of 300 labels of items have a column each, the others none",
        "what was shown to users is counted by the 255 largest of 300 categories, and by all others together",
    )
    assert len([name for name in named_item_sides(made)[1] if name.startswith("category=")]) == LABELS


def test_as_many_as_have_a_column_each() -> None:
    made = graph(LABELS)
    _, found = lifts(made)
    assert f"shown c{LABELS - 1:03d}" in found
    assert "shown others" not in found
    assert crowded(made) == ()


def test_lifts_by_hand() -> None:
    """Five of the five that a user was shown, usually a half (each category counts once more), 20 pseudo-events."""
    made = graph(2)
    sides, found = lifts(made)
    np.testing.assert_allclose(sides.shares, [6 / 12, 6 / 12])
    own, other = np.log((5 + 20 / 2) / (25 / 2)), np.log((20 / 2) / (25 / 2))
    np.testing.assert_allclose(found["shown c000"], [own, other], rtol=1e-6)
    np.testing.assert_allclose(found["shown c001"], [other, own], rtol=1e-6)


def test_somebody_to_whom_nothing_was_shown_by_a_log_that_tells_nothing() -> None:
    made = graph(2)
    silent = made.history.where(np.zeros(len(made.history.item_idx), bool))
    assert UserSides.of(silent, ItemFacts.of(made.tables["item"])).matrix(silent).shape == (2, 0)
    sides = UserSides.of(made.history, ItemFacts.of(made.tables["item"]))
    np.testing.assert_array_equal(sides.matrix(silent), np.zeros((2, 2)))
