"""Leading eigenpairs against numpy.linalg.eigh."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse

from paretail.core.eigen import Eigenpairs, eigenpairs
from paretail.core.rng import rng_for


def found(dense: np.ndarray, rank: int, iterations: int = 2, seed: int = 0) -> Eigenpairs:
    return eigenpairs(sparse.csr_array(dense.astype(np.float32)), rank, iterations, rng_for("test", seed))


def check(dense: np.ndarray, pairs: Eigenpairs, tolerance: float = 1e-4) -> None:
    """Each pair solves the equation, and together they are orthonormal."""
    product, size = dense.T @ dense, float((dense.astype(float) ** 2).sum()) or 1.0
    assert pairs.vectors.dtype == np.float32
    assert product @ pairs.vectors == pytest.approx(pairs.vectors * pairs.values, abs=tolerance * size)
    assert pairs.vectors.T @ pairs.vectors == pytest.approx(np.eye(len(pairs.values)), abs=1e-4)
    assert (np.diff(pairs.values) <= 0).all()


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(st.integers(0, 8), st.integers(0, 8)).flatmap(
        lambda shape: arrays.arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.0, 1.0, 2.0]))
    ),
    st.integers(1, 20),
)
def test_small_matrices_of_any_rank_and_shape(dense: np.ndarray, rank: int) -> None:
    """Above the true rank nothing is made up: the pairs end where the rank does."""
    pairs = found(dense, rank)
    true = np.sort(np.linalg.eigvalsh(dense.T @ dense))[::-1] if dense.size else np.zeros(0)
    there = true[true > 1e-4 * max(true.max(initial=0), 1e-30)][:rank]
    check(dense, pairs)
    assert len(pairs.values) >= len(there)
    assert pairs.values[: len(there)] == pytest.approx(there, rel=1e-4)
    assert len(pairs.values) <= np.linalg.matrix_rank(dense) if dense.size else not len(pairs.values)


@pytest.mark.parametrize("shape", [(60, 200), (200, 60)])
def test_the_subspace_of_a_larger_matrix(shape: tuple[int, int]) -> None:
    """The smooth part of a vector is that of the exact eigenvectors."""
    rng = np.random.default_rng(2)
    dense = (rng.random((shape[0], 5)) < 0.3) @ (rng.random((5, shape[1])) < 0.3) + 0.05 * rng.random(shape)
    pairs = found(dense, 5, iterations=3)
    values, vectors = np.linalg.eigh(dense.T @ dense)
    exact = vectors[:, ::-1][:, :5]
    check(dense, pairs)
    assert pairs.values == pytest.approx(values[::-1][:5], rel=1e-4)
    assert pairs.vectors @ pairs.vectors.T == pytest.approx(exact @ exact.T, abs=1e-3)


def test_one_user() -> None:
    pairs = found(np.array([[3.0, 0, 4]]), 7)
    assert pairs.values == pytest.approx([25])
    assert pairs.vectors.ravel() == pytest.approx([0.6, 0, 0.8])


def test_equal_users_have_one_eigenvector() -> None:
    pairs = found(np.tile([1.0, 1, 0, 1], (30, 1)), 4)
    assert pairs.values == pytest.approx([90])


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0), (3, 4)])
def test_nothing_has_no_eigenvectors(shape: tuple[int, int]) -> None:
    pairs = found(np.zeros(shape), 3)
    assert pairs.vectors.shape == (shape[1], 0)
    assert pairs.values.shape == (0,)


def test_equal_inputs_give_equal_bytes_and_signs() -> None:
    """The largest entry of each vector is positive, whatever the random start."""
    dense = np.random.default_rng(3).random((40, 30))
    one, again, other = found(dense, 4), found(dense, 4), found(dense, 4, iterations=8, seed=9)
    assert one.vectors.tobytes() == again.vectors.tobytes()
    assert one.values.tobytes() == again.values.tobytes()
    assert (one.vectors[np.abs(one.vectors).argmax(axis=0), np.arange(4)] > 0).all()
    assert found(dense, 4, iterations=8).vectors == pytest.approx(other.vectors, abs=1e-2)
