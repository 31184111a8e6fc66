"""Item pairs against brute force: what they share, each measure, the cut and the order."""

from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from paretail.retrieve.pairs import Measure, neighbours


def matrix(seed: int, binary: bool) -> np.ndarray:
    rng = np.random.default_rng(seed)
    held = rng.random((12, 7)) < 0.4
    return (held * (1.0 if binary else rng.integers(1, 4, held.shape))).astype(np.float32)


def measure(name: Measure, R: np.ndarray, i: int, j: int, shrinkage: float) -> float:
    if name == "cosine":
        return float(R[:, i] @ R[:, j] / (np.linalg.norm(R[:, i]) * np.linalg.norm(R[:, j]) + shrinkage))
    a, b = R[:, i] > 0, R[:, j] > 0
    if name == "jaccard":
        return float((a & b).sum() / ((a | b).sum() + shrinkage))
    cells = [((x & y).sum(), x.sum() * y.sum() / len(R)) for x in (a, ~a) for y in (b, ~b)]
    root = sqrt(max(2 * sum(k * log(k / e) for k, e in cells if k), 0))
    return root if (a & b).sum() * len(R) > a.sum() * b.sum() else -root


@settings(max_examples=60, deadline=None)  # the first call may compile
@given(
    st.integers(0, 10**6), st.sampled_from(["cosine", "jaccard", "surprise"]), st.sampled_from([0.0, 2.0]),
    st.integers(1, 8), st.sampled_from([0.0, 2.0]),
)  # fmt: skip
def test_against_brute_force(seed: int, name: Measure, shrinkage: float, most: int, least: float) -> None:
    R = matrix(seed, binary=name != "cosine")
    shared = R.T @ R
    found = neighbours(sparse.csr_array(R), name, most, shrinkage, least)
    for i in range(R.shape[1]):
        scores = {
            j: measure(name, R, i, j, shrinkage) for j in range(R.shape[1])
            if j != i and shared[i, j] > 0 and shared[i, j] >= least
        }  # fmt: skip
        good = sorted(-score for score in scores.values() if score > 1e-6)[:most]
        kept = [j for j in found.other[i].tolist() if j >= 0]
        assert found.score[i, : len(kept)] == pytest.approx([scores[j] for j in kept], rel=1e-4)
        assert [-s for s in good] == pytest.approx(found.score[i, : len(good)].tolist(), rel=1e-4)
        assert len(good) <= len(kept) <= most
        assert found.shared[i, : len(kept)].tolist() == [shared[i, j] for j in kept]
        assert (found.other[i, len(kept) :] == -1).all()


def test_counting_measures_ignore_weights() -> None:
    weighted, plain = matrix(1, binary=False), matrix(1, binary=True)
    for name in ("jaccard", "surprise"):
        a, b = (neighbours(sparse.csr_array(R), name, 3) for R in (weighted, plain))
        assert np.array_equal(a.score, b.score)


def test_equal_scores_go_to_the_lower_row() -> None:
    everything = sparse.csr_array(np.ones((3, 6), np.float32))
    assert neighbours(everything, "cosine", 3).other.tolist()[2:4] == [[0, 1, 3], [0, 1, 2]]


def test_one_shared_purchase_of_two_rare_items_does_not_lead() -> None:
    """Item 0 was bought by 41: once with the rare 1 (lift 24), by 40 of them with 2 (lift 12)."""
    R = np.zeros((1000, 3), np.float32)
    R[:41, 0] = 1
    R[0, 1] = 1
    R[1:41, 2] = R[200:240, 2] = 1
    found = neighbours(sparse.csr_array(R), "surprise", 2)
    assert found.other[0].tolist() == [2, 1]


def test_the_matrix_holds_the_scores() -> None:
    found = neighbours(sparse.csr_array(matrix(3, binary=True)), "jaccard", 2)
    dense = found.matrix().toarray()
    for i in range(7):
        for j, score in zip(found.other[i], found.score[i], strict=True):
            assert j < 0 or dense[i, j] == score
    assert (dense > 0).sum() == (found.other >= 0).sum()


@pytest.mark.parametrize("shape", [(0, 3), (4, 1), (4, 0)])
def test_nothing_to_pair(shape: tuple[int, int]) -> None:
    found = neighbours(sparse.csr_array(np.ones(shape, np.float32)), "cosine", 5)
    assert found.other.shape[0] == shape[1]
    assert (found.other == -1).all()
