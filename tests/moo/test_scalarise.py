"""Scalarisations: what each reaches of a front, and the weights of a sweep."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given

from paretail.moo.pareto import front
from paretail.moo.scalarise import augmented, chebyshev, lattice, weighted_sum

from .grams import few, simplex

CONCAVE = np.array([[0.0, 1.0], [0.4, 0.4], [1.0, 0.0]])


def best_of(values: np.ndarray) -> set[int]:
    return set(np.flatnonzero(values == values.max()).tolist())


def test_a_weighted_sum_misses_the_dent_of_a_front_and_chebyshev_reaches_it() -> None:
    ideal, sweep = CONCAVE.max(0), lattice(2, 20)
    assert set.union(*(best_of(weighted_sum(CONCAVE, w)) for w in sweep)) == {0, 2}
    assert 1 in set.union(*(best_of(chebyshev(CONCAVE, w, ideal)) for w in sweep))


def test_the_augmented_one_breaks_ties_for_the_better_point() -> None:
    table, ideal, w = np.array([[1.0, 0.0], [1.0, 0.5], [0.0, 1.0]]), np.ones(2), np.array([1.0, 0.0])
    assert best_of(chebyshev(table, w, ideal)) == {0, 1}
    assert best_of(augmented(table, w, ideal)) == {1}


@given(few(3))
def test_what_is_best_by_the_augmented_one_is_on_the_front(table: np.ndarray) -> None:
    for w in simplex(3, 4) if len(table) else []:
        assert front(table)[int(augmented(table, w, table.max(0), rho=0.01).argmax())]


@pytest.mark.parametrize(("goals", "divisions"), [(1, 3), (2, 20), (3, 4), (4, 3)])
def test_the_lattice_holds_each_share_of_the_divisions_once(goals: int, divisions: int) -> None:
    shares = [p for p in product(range(divisions + 1), repeat=goals) if sum(p) == divisions]
    assert sorted(np.rint(lattice(goals, divisions) * divisions).astype(int).tolist()) == sorted(map(list, shares))
