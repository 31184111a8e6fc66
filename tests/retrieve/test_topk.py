"""Top-k of blocks against a reference of five lines."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse

from paretail.retrieve import topk
from paretail.retrieve.topk import top_k

LEVELS = st.sampled_from([-np.inf, -1.5, -0.0, 0.0, 1.0, 1.0, 2.0, np.nan])


def reference(scores: np.ndarray, k: int, excluded: np.ndarray) -> list[list[int]]:
    allowed = np.where(excluded | np.isnan(scores), -np.inf, scores)
    order = [sorted(range(scores.shape[1]), key=lambda item, row=row: (-row[item], item)) for row in allowed]
    kept = [[item for item in items if row[item] > -np.inf][:k] for items, row in zip(order, allowed, strict=True)]
    return [items + [-1] * (k - len(items)) for items in kept]


@settings(max_examples=200, deadline=None)  # the first call may compile
@given(
    arrays.arrays(np.float32, st.tuples(st.integers(1, 3), st.sampled_from([1, 5, 64, 65, 200])), elements=LEVELS),
    st.integers(1, 12),
    st.integers(0, 2**32),
)
def test_against_sorting(scores: np.ndarray, k: int, seed: int) -> None:
    excluded = np.random.default_rng(seed).random(scores.shape) < 0.3
    items, best = top_k(scores, k, sparse.csr_array(excluded))
    assert items.tolist() == reference(scores, k, excluded)
    cells = np.take_along_axis(scores, np.maximum(items, 0), axis=1)
    assert np.array_equal(best, np.where(items >= 0, cells, -np.inf))


@given(arrays.arrays(np.float32, st.tuples(st.just(1), st.integers(1, 90)), elements=LEVELS), st.integers(65, 95))
def test_a_long_list_of_one_user_against_sorting(scores: np.ndarray, k: int) -> None:
    items, best = top_k(scores, k)
    assert items.tolist() == reference(scores, k, np.zeros(scores.shape, bool))
    assert np.array_equal(best, np.where(items >= 0, scores[0][np.maximum(items, 0)], -np.inf))


def test_one_thread_and_several_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(0).integers(0, 50, (40, 300)).astype(np.float32)
    serial = top_k(scores, 9)[0]
    monkeypatch.setattr(topk, "SERIAL", 0)
    assert np.array_equal(top_k(scores, 9)[0], serial)


def test_equal_scores_go_to_the_lower_row_whatever_the_order_of_the_rest() -> None:
    scores = np.ones((2, 500), np.float32)
    scores[1, [7, 300]] = 2, 3
    items, _ = top_k(scores, 4)
    assert items.tolist() == [[0, 1, 2, 3], [300, 7, 0, 1]]


def test_exclusions_need_not_be_sorted() -> None:
    unsorted = sparse.csr_array((np.ones(2), np.array([2, 0]), np.array([0, 2])), shape=(1, 3))
    assert top_k(np.array([[3.0, 2.0, 1.0]], np.float32), 3, unsorted)[0].tolist() == [[1, -1, -1]]


@pytest.mark.parametrize("shape", [(0, 5), (3, 0)])
def test_empty_blocks(shape: tuple[int, int]) -> None:
    items, best = top_k(np.zeros(shape, np.float32), 2)
    assert items.tolist() == [[-1, -1]] * shape[0]
    assert np.isneginf(best).all()


def test_k_of_none() -> None:
    assert top_k(np.zeros((2, 3), np.float32), 0)[0].shape == (2, 0)
