"""Likeness by hand: words, vectors, and what is no likeness."""

import numpy as np
import polars as pl

from paretail.pipeline.likeness import Likeness


def shelf(*titles: str | None) -> Likeness:
    """Return a shelf of these titles before 60 others that have nothing in common."""
    return Likeness(pl.DataFrame({"title": [*titles, *(f"word{n} other{n}" for n in range(60))]}))


def test_the_nearest_by_words_is_found() -> None:
    those = shelf("Silica Litter", "Oak Litter Box", "Fine Silica Litter", "Lamp", None)
    assert those.nearest([2, 3, 4], [1, 0]) == [0, None, None]
    assert those.nearest([2], []) == [None]
    assert those.nearest([], [0]) == []


def test_what_many_are_like_is_chance() -> None:
    titles = ["Phone Case Red", "Phone Case Blue", *(f"Phone Case {n}" for n in range(40))]
    assert shelf(*titles).nearest([0], [1]) == [None]


def test_vectors_count_less_their_mean() -> None:
    random = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32) + 5
    random[1] = random[0] + 0.01
    column = pl.Series(random).cast(pl.Array(pl.Float32, 8))
    column = pl.concat([column, pl.Series([None], dtype=column.dtype)])
    found = Likeness(pl.DataFrame({"picture": column})).nearest([0, 50], [3, 1, 2])
    assert found == [1, None]


def test_a_catalogue_that_tells_nothing_and_one_that_leaves_nothing_to_chance() -> None:
    assert Likeness(pl.DataFrame({"item_id": ["a", "b"]})).nearest([0], [1]) == [None]
    assert Likeness(pl.DataFrame({"title": ["a b", "a b"]})).nearest([0], [1]) == [None]
