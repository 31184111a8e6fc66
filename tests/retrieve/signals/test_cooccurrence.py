"""Co-occurrence against its formula, on dense matrices and by hand."""

from collections.abc import Callable

import numpy as np
import pytest

from paretail.data.types import History
from paretail.retrieve.signals import cooccurrence
from paretail.retrieve.signals.ground import Ground
from paretail.retrieve.signals.matrix import Matrix, Sparse

from ..histories import WEIGHTS, copy_of, dense_of, ground_of, history_of, power_of, random_history

ITEMS = 9
BUYS = {"purchase": 1.0}
#: matrix, weights of what was had, weights of what is wanted, exponents p, b, c, s.
CASES = {
    "to_target": (cooccurrence.to_target, WEIGHTS, BUYS, 0.5, 0.5, 0.3, 1.0),
    "to_all": (cooccurrence.to_all, WEIGHTS, WEIGHTS, 1.0, 0.5, 0.3, 1.0),
    "softened": (cooccurrence.softened, BUYS, BUYS, 1.0, 0.3, 0.3, 0.7),
}


def entries(matrix: Matrix) -> np.ndarray:
    assert isinstance(matrix, Sparse)
    return matrix.entries.toarray()


def formula(had: np.ndarray, wanted: np.ndarray, p: float, b: float, c: float, s: float) -> np.ndarray:
    X, Y = had * power_of(had.sum(axis=1), -p)[:, None], wanted
    W = power_of(had.sum(axis=0), -b)[:, None] * (X.T @ Y) * power_of(wanted.sum(axis=0), -c)
    np.fill_diagonal(W, 0)
    return W**s


def log(seed: int = 0) -> History:
    return random_history(np.random.default_rng(seed), 30, ITEMS, 12)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", [0, 1])
def test_against_the_formula(name: str, seed: int) -> None:
    build, of_had, of_wanted, p, b, c, s = CASES[name]
    history = log(seed)
    before = copy_of(history)
    expected = formula(dense_of(history, ITEMS, of_had), dense_of(history, ITEMS, of_wanted), p, b, c, s)
    assert entries(build(ground_of(history, ITEMS))) == pytest.approx(expected, rel=1e-5, abs=1e-8)
    assert copy_of(history) == before


def test_by_hand() -> None:
    """Of two users one viewed 0 and bought 1, the other bought 0 and 1: |u| = 1.25 and 2, |0| = 1.25, |1| = 2."""
    ground = ground_of(history_of([[("view", 0, 0), ("purchase", 1, 1)], [("purchase", 0, 0), ("purchase", 1, 1)]]), 3)
    W = entries(cooccurrence.to_target(ground))
    assert W[0, 1] == pytest.approx((0.25 / 1.25**0.5 + 1 / 2**0.5) / (1.25**0.5 * 2**0.3))
    assert W[1, 0] == pytest.approx((1 / 2**0.5) / (2**0.5 * 1**0.3))
    assert not W[2].any()
    assert not W[:, 2].any()
    assert not W.diagonal().any()


def test_what_was_bought_of_late_counts_more() -> None:
    """0 and 1 were bought together 60 days before 0 and 2 were: e^-2 of the weight, the norms taken into account."""
    history = history_of([[("purchase", 0, 0), ("purchase", 1, 0)], [("purchase", 0, 60), ("purchase", 2, 60)]])
    W = entries(cooccurrence.to_recent(ground_of(history, 3)))
    old = np.exp(-60 / cooccurrence.RECENT_DAYS)
    assert W[0, 1] == pytest.approx(old / 2 / (2**0.5 * old**0.3), rel=1e-5)
    assert W[0, 2] == pytest.approx(1 / 2 / 2**0.5, rel=1e-5)


@pytest.mark.parametrize("build", [cooccurrence.to_target, cooccurrence.to_all, cooccurrence.softened])
def test_rows_keep_their_largest_entries(build: Callable[[Ground], Matrix], monkeypatch: pytest.MonkeyPatch) -> None:
    ground = ground_of(log(), ITEMS)
    whole = entries(build(ground))
    monkeypatch.setattr(cooccurrence, "MOST", 3)
    pruned = entries(build(ground))
    for row in range(ITEMS):
        best = sorted(range(ITEMS), key=lambda item, row=row: (-whole[row, item], item))[:3]
        assert np.array_equal(pruned[row, best], whole[row, best])
        assert np.count_nonzero(pruned[row]) == np.count_nonzero(whole[row, best])
