"""Matrices times profiles, and back from the arrays of a bundle."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import sparse

from paretail.retrieve.signals import matrix as module
from paretail.retrieve.signals.matrix import LowRank, Matrix, Sparse, Sum, matrix_from

RNG = np.random.default_rng(0)
NEAR = Sparse(sparse.csr_array(RNG.integers(0, 2, (5, 4)).astype(np.float32)))
SMOOTH = LowRank(RNG.standard_normal((5, 3), np.float32), RNG.standard_normal((3, 4), np.float32))
MATRICES: dict[str, tuple[Matrix, Callable[[], np.ndarray]]] = {
    "sparse": (NEAR, lambda: NEAR.entries.toarray()),
    "low rank": (SMOOTH, lambda: SMOOTH.left @ SMOOTH.right),
    "sum": (Sum(NEAR, SMOOTH), lambda: NEAR.entries.toarray() + SMOOTH.left @ SMOOTH.right),
}
PROFILE = sparse.csr_array(np.array([[0, 1, 0, 2, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], np.float32))


@pytest.mark.parametrize("name", MATRICES)
def test_scores_are_products_cut_at_zero(name: str) -> None:
    matrix, dense = MATRICES[name]
    found = matrix.apply(PROFILE)
    assert found.dtype == np.float32
    assert found == pytest.approx(np.maximum(PROFILE.toarray() @ dense(), 0), abs=1e-6)
    assert not found[1].any()


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("user", [0, 1, 2])
def test_parts_are_what_scores_sum_before_they_are_cut(name: str, user: int) -> None:
    matrix, dense = MATRICES[name]
    one = PROFILE[[user]]
    parts = matrix.parts(one.indices, one.data, np.array([3, 1], np.int32))
    assert parts == pytest.approx(one.data[:, None] * dense()[one.indices][:, [3, 1]], abs=1e-6)
    assert np.maximum(parts.sum(axis=0), 0) == pytest.approx(matrix.apply(one)[0, [3, 1]], abs=1e-6)


@pytest.mark.parametrize("most", [1, 2, 3, 4, 100])
@pytest.mark.parametrize("name", MATRICES)
def test_low_rank_scores_are_told_of_a_sample_of_the_items(
    name: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAMPLE", most)
    matrix = matrix_from(MATRICES[name][0].arrays())
    scores, step = matrix.sampled(PROFILE[[2]].indices, PROFILE[[2]].data)
    assert step == (1 if name == "sparse" else {1: 4, 2: 2, 3: 2}.get(most, 1))
    assert scores == pytest.approx(matrix.apply(PROFILE)[2, ::step], abs=1e-6)


@pytest.mark.parametrize("name", MATRICES)
def test_arrays_bring_back_the_same_scores(name: str) -> None:
    matrix, _ = MATRICES[name]
    again = matrix_from(matrix.arrays())
    assert type(again) is type(matrix)
    assert again.apply(PROFILE).tobytes() == matrix.apply(PROFILE).tobytes()


def test_a_profile_with_other_rows_is_refused() -> None:
    for matrix, _ in MATRICES.values():
        with pytest.raises(ValueError, match="cannot be multiplied"):
            matrix.apply(PROFILE[:, :4])
