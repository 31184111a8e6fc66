"""Scores in units against plain numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse

from paretail.retrieve.normalise import BEST, FAINT, add_shaped, fill, to_units, unit_of

SCORES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(0, 3), st.sampled_from([1, 3, 50, 51, 130])),
    elements=st.sampled_from([0.0, 0.0, 1e-20, 0.5, 1.0, 1.0, 7.0, 1e20]).map(np.float32),
)


def left_out(shape: tuple[int, ...], seed: int, share: float = 0.2) -> sparse.csr_array:
    return sparse.csr_array(np.random.default_rng(seed).random(shape) < share)


def reference(scores: np.ndarray, out: np.ndarray) -> np.ndarray:
    wanted = np.where(out, 0, scores).astype(np.float64)
    best = -np.sort(-wanted, axis=1)[:, :BEST]
    unit = best.sum(axis=1, keepdims=True) / BEST  # with fewer scores than that the rest counts as 0
    return np.divide(wanted, unit, out=np.zeros_like(wanted), where=unit > 0)


@settings(max_examples=80, deadline=None)  # the first call may compile
@given(SCORES, st.integers(0, 1000))
def test_the_best_fifty_make_the_unit(scores: np.ndarray, seed: int) -> None:
    out = left_out(scores.shape, seed)
    expected = reference(scores, out.toarray())
    found = to_units(scores, out)
    assert found is scores
    assert found == pytest.approx(expected, rel=1e-5)
    assert not found[out.toarray()].any()


def test_by_hand() -> None:
    """Two scores of 100 and one of 50 make a unit of 5; what is left out does not count."""
    scores = np.zeros((1, 60), np.float32)
    scores[0, [3, 7, 20, 59]] = 100, 1000, 50, 100
    found = to_units(scores, sparse.csr_array(np.arange(60)[None] == 7))
    assert found[0, [3, 7, 20, 59]].tolist() == [20, 0, 10, 20]
    assert np.count_nonzero(found) == 3


@settings(max_examples=80, deadline=None)
@given(SCORES, st.integers(0, 1000))
def test_the_unit_of_one_user(scores: np.ndarray, seed: int) -> None:
    out = left_out(scores.shape, seed)
    for row, hidden in zip(scores, out.toarray(), strict=True):
        best = np.sort(np.where(hidden, 0, row).astype(np.float64))[::-1][:BEST]
        assert unit_of(row.copy(), 1, np.flatnonzero(hidden)) == pytest.approx(best.sum() / BEST, rel=1e-5)


def test_the_unit_of_a_sample_is_the_mean_of_as_many_of_the_best_in_proportion() -> None:
    scores = np.arange(200, dtype=np.float32)[::-1].copy()  # item 0 has 199, item 10 has 189, ...
    hidden = np.array([0, 1, 2, 30, 195])
    assert unit_of(scores[::10].copy(), 10, hidden) == np.mean([189, 179, 159, 149, 139])
    assert unit_of(scores[::100].copy(), 100, hidden) == 99
    assert unit_of(np.zeros(3, np.float32), 7, hidden) == 0


@pytest.mark.parametrize("least", [1e-45, 1e-44, 1e-38, 3e38])
def test_scores_at_the_ends_of_float32_stay_finite(least: float) -> None:
    scores = np.zeros((1, 80), np.float32)
    scores[0, :60] = least
    assert np.isfinite(to_units(scores, left_out((1, 80), 0, 0.0))).all()


@settings(max_examples=50, deadline=None)
@given(SCORES, st.integers(0, 1000), st.sampled_from([0.0, 1.0, 10.0]), st.sampled_from([0.0, 0.5, 2.0]))
def test_shaped_scores_are_added(scores: np.ndarray, seed: int, kappa: float, theta: float) -> None:
    out, before = left_out(scores.shape, seed), np.full(scores.shape, 0.25, np.float32)
    units = reference(scores, out.toarray())
    total = before.copy()
    add_shaped(total, scores, out, theta, kappa)
    assert total == pytest.approx(before + theta * (np.log1p(kappa * units) if kappa else units), rel=1e-4)


def test_popularity_fills_what_is_left() -> None:
    """An empty row gets it as it is, a short one after all that it has, a long one none."""
    floor = np.array([0.5, 1, 0, 0.25], np.float32)
    total = np.array([[0, 0, 0, 0], [0, 0, 2, 0], [0, 3, 2, 0]], np.float32)
    fill(total, floor, enough=2)
    assert total == pytest.approx(np.array([floor, [0.5 * FAINT, FAINT, 2, 0.25 * FAINT], [0, 3, 2, 0]]))
