"""Spectral signals against dense linear algebra."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import sparse

from paretail.retrieve.signals import spectral
from paretail.retrieve.signals.ground import Ground
from paretail.retrieve.signals.matrix import Matrix

from ..histories import dense_of, ground_of, history_of, power_of, random_history

ITEMS = 8
HISTORY = random_history(np.random.default_rng(0), 25, ITEMS, 10)
X, Y = dense_of(HISTORY, ITEMS), dense_of(HISTORY, ITEMS, {"purchase": 1.0})
D_U, D_I, D_Y = X.sum(axis=1), X.sum(axis=0), Y.sum(axis=0)


def rows(matrix: Matrix) -> np.ndarray:
    """Return the scores of users who had one item each."""
    return matrix.apply(sparse.csr_array(np.eye(ITEMS, dtype=np.float32)))


def by(values: np.ndarray, exponent: float) -> np.ndarray:
    return np.diag(power_of(values, exponent))


def leading(matrix: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    values, vectors = np.linalg.eigh(matrix.T @ matrix)
    return values[::-1][:rank], vectors[:, ::-1][:, :rank]


def low_pass(rank: int) -> np.ndarray:
    _, V = leading(by(D_U, -0.5) @ X @ by(D_I, -0.5), rank)
    return by(D_I, -0.5) @ V @ V.T @ by(D_I, 0.3)


def regress(rank: int) -> np.ndarray:
    N = by(D_U, -0.5) @ X @ by(D_I, -0.5)
    values, V = leading(N, rank)
    inverse = V @ np.diag(1 / (values + spectral.RIDGE)) @ V.T
    return by(D_I, -0.5) @ inverse @ N.T @ by(D_U, -0.5) @ Y @ by(D_Y, -0.3)


def plateau(rank: int) -> np.ndarray:
    N = by(D_U, -0.5) @ X @ by(D_I, -0.5)
    values, V = leading(N, rank)
    g = 0.5 + 0.5 * np.sign(2 * values - 1) * np.abs(2 * values - 1) ** spectral.FLATNESS
    slope = g[-1] / values[-1]
    P = N.T @ N
    np.fill_diagonal(P, 0)
    middle = slope * P + V @ np.diag(g + spectral.IDEAL - slope * values) @ V.T
    return by(D_I, -spectral.SHIFT) @ middle @ by(D_I, spectral.SHIFT)


def ridge(rank: int) -> np.ndarray:
    values, V = leading(X, rank)
    smooth = V @ np.diag(values / (values + spectral.LAMBDA)) @ V.T
    return smooth @ np.diag(1 / (1 - smooth.diagonal()))


@pytest.mark.parametrize("rank", [3, ITEMS])
@pytest.mark.parametrize("build", [low_pass, regress, plateau, ridge], ids=lambda build: build.__name__)
def test_against_dense_matrices(build: Callable[[int], np.ndarray], rank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectral, "RANK", rank)
    monkeypatch.setattr(spectral, "PLATEAU_RANK", rank)
    monkeypatch.setattr(spectral, "SMOOTH_PART", 1)
    fitted: Matrix = getattr(spectral, build.__name__)(ground_of(HISTORY, ITEMS))
    assert rows(fitted) == pytest.approx(np.maximum(build(rank), 0), abs=2e-4 * np.abs(build(rank)).max())


def test_with_all_eigenvectors_the_ridge_is_ease() -> None:
    """B = I - P / diag P with P = (X^T X + LAMBDA I)^-1, but for what an item says of itself."""
    P = np.linalg.inv(X.T @ X + spectral.LAMBDA * np.eye(ITEMS))
    ease = np.maximum(np.eye(ITEMS) - P / P.diagonal(), 0)
    found = rows(spectral.ridge(ground_of(HISTORY, ITEMS)))
    others = ~np.eye(ITEMS, dtype=bool)
    assert found[others] == pytest.approx(ease[others], rel=1e-3, abs=1e-6)


def test_the_basis_is_computed_once() -> None:
    ground = ground_of(HISTORY, ITEMS)
    assert spectral.basis(ground) is spectral.basis(ground)


ALL = [spectral.low_pass, spectral.regress, spectral.plateau, spectral.ridge]


@pytest.mark.parametrize("build", ALL)
def test_the_same_seed_gives_the_same_bytes(build: Callable[[Ground], Matrix]) -> None:
    one, two = (build(ground_of(HISTORY, ITEMS)).arrays() for _ in range(2))
    assert {name: array.tobytes() for name, array in one.items()} == {n: a.tobytes() for n, a in two.items()}


@pytest.mark.parametrize("build", ALL)
@pytest.mark.parametrize("did", [[], [[], []], [[("purchase", 1, 0)]], [[("view", 1, 0)], [("view", 1, 0)]]])
def test_next_to_nothing_to_learn_from(
    build: Callable[[Ground], Matrix], did: list[list[tuple[str, int, float]]]
) -> None:
    """Without events nothing is said of any item; of one item alone, only of itself."""
    found = rows(build(ground_of(history_of(did), ITEMS)))
    assert found.shape == (ITEMS, ITEMS)
    assert np.isfinite(found).all()
    found[1, 1] = 0
    assert not found.any()


def test_in_a_small_shop_the_low_pass_still_lets_only_some_of_it_pass() -> None:
    """40 users and 24 items: an eighth of the 24 eigenvectors, where all of them would leave every profile as it is."""
    ground = ground_of(random_history(np.random.default_rng(0), 40, 24, 30), 24)
    assert len(spectral.basis(ground).values) == 3
    assert len(spectral.basis(ground_of(HISTORY, ITEMS)).values) == 1
