"""Pareto sets and hypervolume against brute force."""

import numpy as np
import pytest
from hypothesis import given

from paretail.moo.hypervolume import hypervolume
from paretail.moo.pareto import dominators, front
from paretail.moo.sign import gains

from .grams import few


def beats(a: np.ndarray, b: np.ndarray) -> bool:
    return all(x >= y for x, y in zip(a, b, strict=True)) and any(x > y for x, y in zip(a, b, strict=True))


@given(few(3))
def test_the_front_is_what_no_other_point_beats(table: np.ndarray) -> None:
    assert front(table).tolist() == [not any(beats(other, point) for other in table) for point in table]


@given(few(2))
def test_duplicates_stand_or_fall_together_and_the_front_beats_the_rest(table: np.ndarray) -> None:
    twice = front(np.vstack([table, table]))
    assert twice[: len(table)].tolist() == twice[len(table) :].tolist() == front(table).tolist()
    kept = table[front(table)]
    assert all(dominators(point, kept).any() for point in table[~front(table)])


@pytest.mark.parametrize("goals", [1, 2, 3, 4])
def test_hypervolume_counts_cells(goals: int) -> None:
    """Of whole numbers over a reference at zero the volume is a number of unit cells."""

    @given(few(goals))
    def check(table: np.ndarray) -> None:
        cells = np.stack(np.meshgrid(*[np.arange(3.0)] * goals, indexing="ij"), -1).reshape(-1, goals) + 1
        covered = sum(any((cell <= point).all() for point in table) for cell in cells)
        assert hypervolume(table, np.zeros(goals)) == pytest.approx(covered)

    check()


def test_points_that_do_not_exceed_the_reference_add_nothing() -> None:
    table = np.array([[2.0, 1.0], [5.0, 0.0], [-1.0, 9.0]])
    assert hypervolume(table, np.array([0.0, 0.0])) == 2
    assert hypervolume(np.zeros((0, 2)), np.zeros(2)) == 0


def test_what_is_no_number_is_refused() -> None:
    bad = np.array([[1.0, np.nan]])
    with pytest.raises(ValueError, match="not a number"):
        front(bad)
    with pytest.raises(ValueError, match="finite"):
        hypervolume(bad, np.zeros(2))


def test_losses_become_gains_by_their_sign() -> None:
    losses = np.array([[0.1, 0.9], [0.2, 0.2], [0.3, 0.8]])
    assert front(gains(losses)).tolist() == [True, True, False]
