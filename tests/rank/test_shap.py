"""Shapley values of trees against their definition, and what a whole prediction is split into."""

from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from paretail.rank.boosted.shap import contributions, usual
from paretail.rank.boosted.trees import Boosting, Trees

Floats = NDArray[np.float64]


def drawn(rng: np.random.Generator, trees: int, depth: int, columns: int, empty: bool = True) -> Trees:
    """Draw trees, some of whose nodes ask for nothing, and the weights of pairs at their leaves."""
    nodes = 2**depth - 1
    feature = rng.integers(-1 if empty else 0, columns, size=(trees, nodes)).astype(np.int32)
    cover = rng.random((trees, nodes + 1)) + 0.05
    for node in range(nodes):  # where nothing is asked all go left
        nothing = feature[:, node] < 0
        level = int(np.log2(node + 1))
        width = 2 ** (depth - level)
        first = (node + 1 - 2**level) * width
        cover[nothing, first + width // 2 : first + width] = 0
    return Trees(feature, rng.normal(size=(trees, nodes)).astype(np.float32),
                 rng.normal(size=(trees, nodes + 1)).astype(np.float32), cover.astype(np.float32))  # fmt: skip


def known(trees: Trees, tree: int, x: NDArray[Any], columns: set[int], node: int = 0) -> float:
    """Return v(S) of one tree, by going both ways where a column is not known."""
    nodes = trees.feature.shape[1]
    if node >= nodes:
        return float(trees.leaf[tree, node - nodes])
    column = int(trees.feature[tree, node])
    left, right = 2 * node + 1, 2 * node + 2
    if column < 0:
        return known(trees, tree, x, columns, left)
    if column in columns:
        return known(trees, tree, x, columns, right if x[column] > trees.cut[tree, node] else left)
    weights = [covered(trees, tree, child) for child in (left, right)]
    parts = [weight * known(trees, tree, x, columns, child) if weight else 0.0
             for weight, child in zip(weights, (left, right), strict=True)]  # fmt: skip
    return sum(parts) / sum(weights) if sum(weights) else 0.0


def covered(trees: Trees, tree: int, node: int) -> float:
    nodes = trees.feature.shape[1]
    if node >= nodes:
        return float(trees.cover[tree, node - nodes])
    return covered(trees, tree, 2 * node + 1) + covered(trees, tree, 2 * node + 2)


def by_definition(trees: Trees, x: NDArray[Any]) -> Floats:
    columns, found = len(x), np.zeros(len(x))
    for j in range(columns):
        others = [k for k in range(columns) if k != j]
        for size in range(columns):
            weight = factorial(size) * factorial(columns - size - 1) / factorial(columns)
            for chosen in combinations(others, size):
                for tree in range(len(trees.leaf)):
                    with_j = known(trees, tree, x, {*chosen, j})
                    found[j] += weight * (with_j - known(trees, tree, x, set(chosen)))
    return found


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("empty", [False, True])
def test_contributions_are_shapley_values(depth: int, empty: bool) -> None:
    rng = np.random.default_rng(depth)
    trees = drawn(rng, 3, depth, 5, empty)
    x = rng.normal(size=(4, 5)).astype(np.float32)
    found = contributions(trees, x)
    for row in range(len(x)):
        np.testing.assert_allclose(found[row], by_definition(trees, x[row]), atol=1e-6)
    nothing = sum(known(trees, tree, x[0], set()) for tree in range(3))
    assert usual(trees) == pytest.approx(nothing, abs=1e-6)


def test_contributions_sum_to_what_learned_trees_say() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 6)).astype(np.float32)
    label = (rng.random(len(x)) < 1 / (1 + np.exp(-2.0 * (x[:, 0] > 0) * (x[:, 1] > 0.3)))).astype(np.float64)
    weight = rng.random(len(x)) + 0.5
    trees = Trees.fit(x, label, weight, np.zeros(len(x)), Boosting(trees=30), np.random.default_rng(1))
    assert trees.cover.sum(1) == pytest.approx(weight.sum(), rel=1e-4)
    found = contributions(trees, x)
    np.testing.assert_allclose(found.sum(1) + usual(trees), trees.logits(x), atol=1e-6)
    assert usual(trees) == pytest.approx(np.average(trees.logits(x), weights=weight), abs=1e-5)
    spread = found.std(0)
    assert spread[:2].min() > 3 * spread[2:].max()  # those that decide
    x[0, 3] = np.nan
    np.testing.assert_allclose(contributions(trees, x[:1]).sum() + usual(trees), trees.logits(x[:1])[0], atol=1e-6)
