"""The same directions as TorchJD's, which other people wrote and which solves them by other means."""

from functools import partialmethod
from typing import Any

import numpy as np
import pytest

from paretail.core.rng import rng_for
from paretail.moo.aligned import aligned
from paretail.moo.cagrad import cagrad
from paretail.moo.cone import upgrad
from paretail.moo.minnorm import min_norm
from paretail.moo.pcgrad import pcgrad

torch = pytest.importorskip("torch")
peer = pytest.importorskip("torchjd.aggregation")
SEEDS = range(12)


def jacobian(tasks: int, seed: int) -> np.ndarray:
    return rng_for(f"tests/torchjd/{tasks}", seed).standard_normal((tasks, tasks + 2))


def theirs(weighting: Any, J: np.ndarray) -> np.ndarray:
    return np.asarray(weighting(torch.from_numpy(J @ J.T)).numpy())


@pytest.mark.parametrize("tasks", [2, 3, 4, 6])
def test_pcgrad(tasks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in SEEDS:
        J = jacobian(tasks, seed)
        orders = [rng_for("tests/orders", seed).permutation(tasks) for _ in range(tasks)]
        drawn = iter(orders)
        monkeypatch.setattr(torch, "randperm", lambda n, drawn=drawn: torch.from_numpy(next(drawn)))
        np.testing.assert_allclose(pcgrad(J @ J.T, orders), theirs(peer.PCGradWeighting(), J), atol=1e-5)


@pytest.mark.parametrize("tasks", [2, 3, 4, 6])
@pytest.mark.parametrize("c", [0.2, 0.8])
@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")  # less exact than asked for, yet more than by default
def test_cagrad(tasks: int, c: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Theirs asks a cone solver, by default to 1e-8 of the objective; the direction then is known to 1e-4 alone."""
    cvxpy = pytest.importorskip("cvxpy")
    tight = partialmethod(cvxpy.Problem.solve, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    monkeypatch.setattr(cvxpy.Problem, "solve", tight)
    for seed in SEEDS:
        J = jacobian(tasks, seed)
        np.testing.assert_allclose(cagrad(J @ J.T, c) @ J, theirs(peer.CAGradWeighting(c=c), J) @ J, atol=1e-5)


@pytest.mark.parametrize("tasks", [2, 3, 4])
def test_mgda(tasks: int) -> None:
    """Theirs approaches the point, and is no further from it than the root of its gap of optimality."""
    for seed in SEEDS:
        J = jacobian(tasks, seed)
        weights = theirs(peer.MGDAWeighting(epsilon=1e-9, max_iters=300), J)
        gap = max(0.0, weights @ J @ J.T @ weights - (J @ J.T @ weights).min())
        apart = np.linalg.norm((min_norm(J @ J.T) - weights) @ J)
        assert apart <= np.sqrt(gap) + 1e-7
        assert tasks > 2 or apart < 1e-5


@pytest.mark.parametrize("tasks", [3, 4, 6])
def test_mgda_where_theirs_arrives(tasks: int) -> None:
    """Inside of the simplex its steps shrink the distance by a factor each: gradients that are nearly orthogonal."""
    for seed in SEEDS:
        J = np.eye(tasks, tasks + 2) + 0.2 * jacobian(tasks, seed) / np.sqrt(tasks)
        weights = theirs(peer.MGDAWeighting(epsilon=1e-12, max_iters=600), J)
        np.testing.assert_allclose(min_norm(J @ J.T) @ J, weights @ J, atol=1e-5)


@pytest.mark.parametrize("tasks", [2, 3, 4, 6])
def test_upgrad(tasks: int) -> None:
    linalg = pytest.importorskip("torchjd.linalg")
    for seed in SEEDS:
        J = jacobian(tasks, seed)
        exact = peer.UPGradWeighting(projector=linalg.QuadprogProjector(norm_eps=0.0, reg_eps=1e-12))
        np.testing.assert_allclose(upgrad(J @ J.T, np.full(tasks, 1 / tasks)), theirs(exact, J), atol=1e-5)


@pytest.mark.parametrize("tasks", [2, 3, 4, 6])
def test_aligned(tasks: int) -> None:
    for seed in SEEDS:
        J = jacobian(tasks, seed)
        weights = aligned(J @ J.T, np.full(tasks, 1 / tasks))
        np.testing.assert_allclose(weights, theirs(peer.AlignedMTLWeighting(), J), atol=1e-5)
