"""Sparse products: against scipy, their gradients against differences, and the same whatever the threads."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from scipy import sparse

from paretail.core.rng import rng_for
from paretail.learn.products import Csr, propagate


def _matrix(rows: int, cols: int, density: float, seed: int, dtype: type = np.float64) -> sparse.csr_array:
    rng = rng_for("tests/products", seed)
    return sparse.csr_array(sparse.random_array((rows, cols), density=density, rng=rng, dtype=dtype))


@settings(deadline=None, max_examples=40)
@given(rows=st.integers(0, 7), cols=st.integers(0, 7), dim=st.integers(1, 5), density=st.sampled_from([0, 0.3, 1]))
def test_both_products_are_those_of_scipy(rows: int, cols: int, dim: int, density: float) -> None:
    matrix = _matrix(rows, cols, density, rows * 8 + cols)
    csr, rng = Csr.of(matrix), rng_for("tests/products/dense", dim)
    assert (csr.shape, csr.transposed().shape) == ((rows, cols), (cols, rows))
    for taken, product in ((csr, matrix), (csr.transposed(), matrix.T)):
        dense = rng.standard_normal((product.shape[1], dim))
        np.testing.assert_allclose(propagate(taken, torch.from_numpy(dense)), product @ dense, atol=1e-12)


def test_unsorted_and_repeated_places_add_up() -> None:
    matrix = sparse.csr_array((np.array([1.0, 2.0, 4.0]), np.array([2, 0, 2]), np.array([0, 3, 3])), shape=(2, 3))
    csr = Csr.of(matrix)
    assert propagate(csr, torch.eye(3, dtype=torch.float64)).tolist() == [[2, 0, 5], [0, 0, 0]]
    assert propagate(csr.transposed(), torch.eye(2, dtype=torch.float64)).tolist() == [[2, 0], [0, 0], [5, 0]]


def test_picked_rows_are_those_rows_in_both_readings() -> None:
    matrix, rows = _matrix(7, 5, 0.4, 3), [4, 0, 4, 6]
    picked = Csr.of(matrix).picked(torch.tensor(rows, dtype=torch.int32))
    assert picked.shape == (4, 5)
    np.testing.assert_allclose(propagate(picked, torch.eye(5, dtype=torch.float64)), matrix.toarray()[rows])
    turned = propagate(picked.transposed(), torch.eye(4, dtype=torch.float64))
    np.testing.assert_allclose(turned, matrix.toarray()[rows].T)


def test_gradients_are_those_of_differences() -> None:
    csr = Csr.of(_matrix(6, 4, 0.5, 1))
    dense = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: propagate(csr, x), dense)
    assert torch.autograd.gradgradcheck(lambda x: propagate(csr, x).square(), dense)
    assert torch.autograd.gradcheck(lambda x: propagate(csr.transposed(), propagate(csr, x)).sin(), dense)


def test_float32_gradients_equal_the_transposed_product() -> None:
    matrix = _matrix(50, 40, 0.2, 2, np.float32)
    dense = torch.randn(40, 64, requires_grad=True)
    out = propagate(Csr.of(matrix), dense)
    flowing = torch.randn(50, 64)
    (gradient,) = torch.autograd.grad(out, dense, flowing)
    assert out.dtype == gradient.dtype == torch.float32
    np.testing.assert_allclose(gradient, matrix.T @ flowing.numpy(), rtol=1e-5, atol=1e-5)


def test_views_of_dense_matrices_are_taken_as_they_are() -> None:
    matrix, wide = _matrix(5, 4, 0.6, 3), torch.randn(3, 4, dtype=torch.float64)
    np.testing.assert_allclose(propagate(Csr.of(matrix), wide.T), matrix @ wide.numpy().T, atol=1e-12)


def test_other_values_stand_in_the_same_places_of_both_readings() -> None:
    matrix = _matrix(6, 5, 0.5, 4)
    other = matrix.copy()
    other.data = np.arange(1.0, matrix.nnz + 1)
    for csr in (Csr.of(matrix).with_values(torch.from_numpy(other.data)),):
        assert propagate(csr, torch.eye(5, dtype=torch.float64)).numpy() == pytest.approx(other.toarray())
        assert propagate(csr.transposed(), torch.eye(6, dtype=torch.float64)).numpy() == pytest.approx(
            other.toarray().T
        )
    turned = Csr.of(matrix).transposed()
    again = turned.with_values(turned.by_row.values * 3)
    assert propagate(again, torch.eye(6, dtype=torch.float64)).numpy() == pytest.approx(3 * matrix.toarray().T)
    assert propagate(again.transposed(), torch.eye(5, dtype=torch.float64)).numpy() == pytest.approx(
        3 * matrix.toarray()
    )


def test_dropped_entries_are_the_same_in_both_readings_and_sums_keep_their_mean() -> None:
    matrix = sparse.csr_array(np.ones((200, 200), np.float32))
    torch.manual_seed(0)
    dropped = Csr.of(matrix).dropped(0.25)
    there = propagate(dropped, torch.eye(200))
    assert torch.equal(propagate(dropped.transposed(), torch.eye(200)), there.T)
    assert there.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (there == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)  # standard error .002
    csr = Csr.of(matrix)
    assert csr.dropped(0.0) is csr
    with pytest.raises(ValueError, match="under 1"):
        csr.dropped(1.0)


def test_threads_do_not_change_a_byte() -> None:
    csr, dense, threads = (
        Csr.of(_matrix(3000, 2000, 0.01, 5, np.float32)),
        torch.randn(2000, 16),
        torch.get_num_threads(),
    )
    try:
        outs = [(torch.set_num_threads(count), propagate(csr, dense))[1] for count in (1, 2, 3)]
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(outs[0], outs[1])
    assert torch.equal(outs[0], outs[2])


def test_what_does_not_fit_is_refused() -> None:
    csr = Csr.of(_matrix(3, 4, 0.5, 6))
    with pytest.raises(ValueError, match=r"\(3, 4\) and 3 rows"):
        propagate(csr, torch.zeros(3, 2))


def test_shapes_are_checked_in_tests() -> None:
    csr = Csr.of(_matrix(3, 4, 0.5, 6))
    with pytest.raises(TypeCheckError, match="dense"):
        propagate(csr, torch.zeros(4))
    with pytest.raises(TypeCheckError, match="dense"):
        propagate(csr, torch.zeros(4, 2, dtype=torch.int64))
