"""Popularity by hand."""

from math import exp

import numpy as np
import pytest

from paretail.retrieve.signals import popularity
from paretail.retrieve.signals.matrix import Matrix, Sparse

from ..histories import ground_of, history_of, random_history

#: Item 0 is viewed long ago, 1 is bought twice by one user, 2 is bought and viewed of late; 3 is nobody's.
GROUND = ground_of(
    history_of([
        [("view", 0, 0), ("purchase", 1, 1), ("purchase", 1, 8)],
        [("view", 0, 0), ("impression", 0, 4), ("purchase", 2, 10)],
        [("cart", 2, 10), ("cart", 2, 10)],
    ]),
    4,
)  # fmt: skip


def entries(matrix: Matrix) -> np.ndarray:
    assert isinstance(matrix, Sparse)
    return matrix.entries.toarray()


def test_each_user_counts_once() -> None:
    assert entries(popularity.of_target(GROUND)).tolist() == [[0, 1, 1, 0]]
    assert entries(popularity.of_all(GROUND)).tolist() == [[0.5, 1, 1.5, 0]]


def test_of_late_events_fade_and_equal_lines_count_once() -> None:
    expected = [2 * 0.25 * exp(-10 / 7), exp(-9 / 7) + exp(-2 / 7), 1 + 0.5, 0]
    assert entries(popularity.lately(GROUND, tau_days=7.0))[0] == pytest.approx(expected, rel=1e-6)


def test_days_are_rows() -> None:
    found = entries(popularity.by_day(GROUND))
    expected = np.zeros((11, 4))
    expected[0, 0], expected[1, 1], expected[8, 1] = 0.5, 1, 1
    expected[10, 2] = 1 + 2 * 0.5
    assert found == pytest.approx(expected)


def test_momentum_is_that_of_the_target() -> None:
    expected = [0, exp(-9 / 15) + exp(-2 / 15), 1, 0]
    assert popularity.momentum(GROUND, 15.0) == pytest.approx(expected)


def test_all_events_of_the_log_have_their_day() -> None:
    ground = ground_of(random_history(np.random.default_rng(0), 20, 5, 10), 5)
    assert entries(popularity.by_day(ground)).sum() == pytest.approx(
        sum(ground.weights[ground.history.kinds[kind]] for kind in ground.history.kind), rel=1e-6
    )
