"""Sums of trees, 64 rows at once, against each row's own way from the root."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from paretail.rank.boosted.summing import ROWS, Coded


def by_ways(x: NDArray[Any], feature: NDArray[Any], cut: NDArray[Any], leaf: NDArray[Any]) -> NDArray[np.float64]:
    out = np.zeros(len(x))
    for row, values in enumerate(x):
        for tree in range(len(feature)):
            node = 0
            while node < feature.shape[1]:
                column = feature[tree, node]
                node = 2 * node + 1 + int(column >= 0 and values[column] > cut[tree, node])
            out[row] += leaf[tree, node - feature.shape[1]]
    return out


def drawn(depth: int, trees: int, columns: int, cuts: int, rows: int, seed: int = 0) -> tuple[NDArray[Any], ...]:
    """Draw rows, some of whose values are cuts and some unknown, and trees, some of whose nodes ask nothing."""
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(columns, cuts)).astype(np.float32)
    nodes = 2**depth - 1
    feature = rng.integers(-1, columns, size=(trees, nodes)).astype(np.int32)
    cut = np.zeros(feature.shape, np.float32)
    asks = feature >= 0
    cut[asks] = places[feature[asks], rng.integers(0, cuts, asks.sum())]
    x = rng.normal(size=(rows, columns)).astype(np.float32)
    x[rng.random(x.shape) < 0.1] = np.nan
    x[rng.random(x.shape) < 0.1] = np.inf
    same = rng.random(x.shape) < 0.3
    x[same] = places[:, 0][np.nonzero(same)[1]]
    return x, feature, cut, rng.normal(size=(trees, nodes + 1)).astype(np.float32)


@pytest.mark.parametrize("depth", [1, 2, 3, 5, 8])
def test_blocks_say_the_same_to_the_bit_at_every_depth(depth: int) -> None:
    x, *trees = drawn(depth, trees=20, columns=7, cuts=63, rows=2 * ROWS + 5)
    assert np.array_equal(Coded.of(*trees).sums(x), by_ways(x, *trees))


@pytest.mark.parametrize("rows", [0, 1, ROWS - 1, ROWS, ROWS + 1])
def test_blocks_may_be_begun_or_empty(rows: int) -> None:
    x, *trees = drawn(3, trees=5, columns=4, cuts=9, rows=rows)
    assert np.array_equal(Coded.of(*trees).sums(x), by_ways(x, *trees))


def test_more_cuts_than_a_byte_tells_apart() -> None:
    x, *trees = drawn(5, trees=60, columns=1, cuts=1000, rows=100)
    coded = Coded.of(*trees)
    assert coded.code.dtype == np.uint16
    assert np.array_equal(coded.sums(x), by_ways(x, *trees))


def test_trees_that_ask_nothing_say_their_first_leaf() -> None:
    feature, leaf = np.full((2, 3), -1, np.int32), np.arange(8, dtype=np.float32).reshape(2, 4)
    coded = Coded.of(feature, np.zeros((2, 3), np.float32), leaf)
    assert coded.sums(np.ones((3, 2), np.float32)).tolist() == [4.0] * 3
