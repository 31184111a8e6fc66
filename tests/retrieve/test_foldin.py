"""Fold-in: profiles by hand, the map recovers a linear truth, summands add up to the vector."""

import numpy as np
import pytest
from scipy import sparse

from paretail.data.types import History
from paretail.retrieve.foldin import FoldedIn, learned_map, profiles, summands


def test_the_map_is_the_least_squares_of_vectors_on_profiles() -> None:
    rng = np.random.default_rng(1)
    pairs = sparse.csr_array((rng.random((300, 9)) < 0.4).astype(np.float32))
    Q = rng.standard_normal((9, 3)).astype(np.float32)
    profile = profiles(pairs, Q)
    dense = pairs.toarray()
    norm = np.maximum(np.sqrt(dense.sum(axis=1)), 1)
    assert profile[:, :3] == pytest.approx(dense @ Q / norm[:, None], abs=1e-5)
    assert (profile[:, 3] == 1).all()
    truth = rng.standard_normal((4, 3)).astype(np.float32)
    found = learned_map(profile, profile @ truth, np.ones(300, bool))
    assert found == pytest.approx(truth, abs=0.02)


def test_summands_add_up_to_the_vector_but_for_its_constant() -> None:
    rng = np.random.default_rng(2)
    pairs = sparse.csr_array(np.array([[0.5, 0, 2, 1, 0]], np.float32))
    Q, A = rng.standard_normal((5, 3)).astype(np.float32), rng.standard_normal((4, 3)).astype(np.float32)
    told = summands(pairs, Q, A, np.array([3, 0, 2]))
    assert told.sum(axis=0) == pytest.approx((profiles(pairs, Q) @ A)[0] - A[-1], abs=1e-5)
    assert told[1] == pytest.approx(0.5 * Q[0] @ A[:-1] / np.sqrt(5.25), abs=1e-5)
    assert not summands(sparse.csr_array((1, 5), dtype=np.float32), Q, A, np.array([1])).any()


def test_what_fell_off_a_score_is_the_summand_of_its_item() -> None:
    rng = np.random.default_rng(3)
    Q, T, A = (rng.standard_normal(shape).astype(np.float32) for shape in ((5, 3), (5, 2), (4, 2)))
    fold = FoldedIn(Q, A, T, np.arange(5, dtype=np.float32), {"view": 0.5})
    told = History(np.array([0, 2, 2]), np.array([1, 4], np.int32), np.array([0, 1], np.uint8), np.zeros(2, np.int64),
                   np.ones(2, np.float32), ("view", "wish"), "none")  # fmt: skip
    one = Q[1] @ A[:3]  # the kind without a weight says nothing
    assert fold.vectors(told) == pytest.approx(np.stack([one + A[3], A[3]]), abs=1e-5)
    assert fold.score(told) == pytest.approx(np.stack([one + A[3], A[3]]) @ T.T + np.arange(5), abs=1e-5)
    falls = fold.falls(told.of_users(np.array([0])), np.array([1, 4]), np.array([2, 0]))
    assert falls == pytest.approx(np.stack([T[[2, 0]] @ one, np.zeros(2)]), abs=1e-5)
