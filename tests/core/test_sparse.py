"""Sparse kernels against dense products."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse

from paretail.core.kernels import use_cores
from paretail.core.sparse import (
    SEARCHED,
    gather,
    in_common,
    product,
    pruned_product,
    spread,
    spread_one,
    terms,
    transposed,
    turned,
)

#: Small whole numbers: float32 sums of them are exact, so ties are ties.
COUNTS = st.sampled_from([0, 0, 0, 1, 1, 2, 3])


@st.composite
def two_factors(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    rows, middle, columns = (draw(st.integers(0, 7)) for _ in range(3))
    left = draw(arrays.arrays(np.float32, (rows, middle), elements=COUNTS.map(float)))
    return left, draw(arrays.arrays(np.float32, (middle, columns), elements=COUNTS.map(float)))


def csr(dense: np.ndarray) -> sparse.csr_array:
    return sparse.csr_array(dense.astype(np.float32))


def with_zeros_stored(dense: np.ndarray) -> sparse.csr_array:
    rows, columns = dense.shape
    indptr = np.arange(rows + 1) * columns
    return sparse.csr_array((dense.ravel().astype(np.float32), np.tile(np.arange(columns), rows), indptr), dense.shape)


@settings(max_examples=100, deadline=None)  # the first call may compile
@given(two_factors(), st.booleans())
def test_products_equal_dense_ones(factors: tuple[np.ndarray, np.ndarray], zeros: bool) -> None:
    left, right = factors
    make = with_zeros_stored if zeros else csr
    assert np.array_equal(spread(make(left), make(right)), left @ right)
    assert np.array_equal(gather(make(left), right), left @ right)
    assert np.array_equal(transposed(make(left)).toarray(), left.T)
    known = make(left)
    bounds, rows, places = turned(known.indptr, known.indices, left.shape[1])
    read = sparse.csr_array((known.data[places], rows, bounds), shape=left.shape[::-1])
    assert np.array_equal(read.toarray(), left.T)
    assert all((np.diff(rows[start:stop]) > 0).all() for start, stop in pairwise(bounds))


@settings(max_examples=100, deadline=None)
@given(two_factors(), st.data())
def test_one_row_in_the_callers_thread(factors: tuple[np.ndarray, np.ndarray], data: st.DataObject) -> None:
    left, right = factors
    assert np.array_equal(product(left, right), left @ right)
    columns = np.array(data.draw(st.lists(st.sampled_from(range(right.shape[1] or 1)), unique=True)), np.int64)
    columns = columns[: right.shape[1]]
    for row, dense in zip(csr(left), left, strict=True) if left.size else ():
        rows, weights = row.indices.astype(np.int64), row.data
        assert np.array_equal(spread_one(rows, weights, csr(right)), dense @ right)
        assert np.array_equal(terms(rows, weights, csr(right), columns), weights[:, None] * right[rows][:, columns])


@pytest.mark.parametrize("rows", [[3], [-1], [0, 1, 2, 3]])
def test_rows_that_are_not_there_are_refused(rows: list[int]) -> None:
    here, weights = np.array(rows), np.ones(len(rows), np.float32)
    with pytest.raises(IndexError, match="of a matrix with 3"):
        spread_one(here, weights, csr(np.eye(3)))
    with pytest.raises(IndexError, match="of a matrix with 3"):
        terms(here, weights, csr(np.eye(3)), np.array([0]))


ASCENDING = st.lists(st.integers(0, 60), unique=True, max_size=3 * SEARCHED).map(sorted)


@settings(max_examples=200, deadline=None)
@given(ASCENDING, ASCENDING)
def test_values_in_common(left: list[int], right: list[int]) -> None:
    found = in_common(np.array(left, np.int32), np.array(right, np.int32))
    assert found == len(set(left) & set(right))


def test_spread_adds_to_what_is_there() -> None:
    out = np.full((1, 2), 10, np.float32)
    assert spread(csr(np.array([[1, 2]])), csr(np.array([[1, 0], [3, 4]])), out) is out
    assert out.tolist() == [[17, 18]]


def reference(product: np.ndarray, most: int) -> np.ndarray:
    kept = np.zeros_like(product)
    for row in range(len(product)):
        others = [column for column in range(product.shape[1]) if column != row]
        for column in sorted(others, key=lambda c: (-product[row, c], c))[:most]:
            kept[row, column] = product[row, column]
    return kept


@settings(max_examples=150, deadline=None)
@given(two_factors(), st.integers(1, 9), st.sampled_from([1.0, 2.0, 0.5]), st.booleans(), st.integers(0, 99))
def test_the_pruned_product_keeps_the_largest_of_each_row(
    factors: tuple[np.ndarray, np.ndarray], most: int, power: float, zeros: bool, seed: int
) -> None:
    """Ties go to the lower column, the diagonal is left out, and `most` may exceed the width."""
    left, right = factors
    scale = np.random.default_rng(seed).choice([0.5, 1, 2], right.shape[1]).astype(np.float32)
    make = with_zeros_stored if zeros else csr
    found = pruned_product(make(left), make(right), scale, most, power)
    assert found.toarray() == pytest.approx(reference((left @ right * scale) ** power, most), rel=1e-6)
    assert found.has_sorted_indices
    assert (found.data > 0).all()
    assert found.nnz == np.count_nonzero(found.toarray())


def test_products_too_small_for_float32_leave_no_entry() -> None:
    """A cell that stays 0 is not touched again and again: 500 products in a row of 2 cells."""
    tiny = np.full((1, 500), 1e-30)
    found = pruned_product(csr(tiny), csr(np.full((500, 2), 1e-30)), np.ones(2, np.float32), 2)
    assert found.nnz == 0


@pytest.mark.parametrize("most", [1, 3])
def test_more_rows_than_chunks(most: int) -> None:
    dense = np.random.default_rng(0).integers(0, 3, (150, 40)).astype(np.float32)
    found = pruned_product(csr(dense), csr(dense.T), np.ones(150, np.float32), most)
    assert np.array_equal(found.toarray(), reference(dense @ dense.T, most))


@pytest.mark.parametrize("product", [spread, pruned_product], ids=["spread", "pruned_product"])
@pytest.mark.parametrize("left", [(0, 3), (2, 0), (0, 0)])
def test_empty_matrices(left: tuple[int, int], product: Callable[..., object]) -> None:
    one, other = sparse.csr_array(left, dtype=np.float32), sparse.csr_array((left[1], 4), dtype=np.float32)
    found = product(one, other, *([np.ones(4, np.float32), 2] if product is pruned_product else []))
    dense = found if isinstance(found, np.ndarray) else found.toarray()  # type: ignore[attr-defined]
    assert dense.shape == (left[0], 4)
    assert not dense.any()


def test_shapes_that_do_not_fit_are_refused() -> None:
    """The kernels would read beyond their arrays."""
    one, other = csr(np.ones((2, 3))), csr(np.ones((2, 3)))
    for multiply in (lambda: spread(one, other), lambda: gather(one, np.ones((2, 3), np.float32)),
                    lambda: pruned_product(one, other, np.ones(3, np.float32), 2)):  # fmt: skip
        with pytest.raises(ValueError, match="cannot be multiplied"):
            multiply()


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    rng = np.random.default_rng(1)
    left = sparse.random_array((300, 120), density=0.1, rng=rng, dtype=np.float32).tocsr()
    right = sparse.random_array((120, 200), density=0.2, rng=rng, dtype=np.float32).tocsr()
    dense = rng.random((120, 16), dtype=np.float32)
    before, found = use_cores(1), []
    try:
        for threads in (1, 2):
            use_cores(threads)
            pruned = pruned_product(left, right, np.ones(200, np.float32), 9, 0.7)
            parts = (spread(left, right), gather(left, dense), pruned.data, pruned.indices)
            found.append([part.tobytes() for part in parts])
    finally:
        use_cores(before)
    assert found[0] == found[1]
