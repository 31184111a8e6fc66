"""Negatives: never what the user knows, drawn with the probability that is told, repeatable."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import chisquare

from paretail.graph.ahead import ahead
from paretail.graph.negatives import Negatives, best_of, dot_scores

KNOWN = sparse.csr_array(np.array([[1, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1]]))
COUNTS = np.array([100, 1, 10, 0, 30, 5])
ROWS = np.array([0, 1, 2, 3], np.int32)


def exact(popularity: np.ndarray | None, user: int, power: float = 0.75) -> np.ndarray:
    weight = np.ones(6) if popularity is None else np.maximum(popularity, 1) ** power
    had = KNOWN.toarray()[user]
    weight = weight * (had == 0) if not had.all() else weight
    return np.asarray(weight / weight.sum())


@pytest.mark.parametrize("popularity", [None, COUNTS])
@pytest.mark.parametrize("user", [0, 1, 2, 3])
def test_frequencies_are_those_told(popularity: np.ndarray | None, user: int) -> None:
    """User 3 knows every item, and gets items as if none were known."""
    drawn = Negatives(6, 0, KNOWN, popularity).draw(np.full(40, user, np.int32), 100, 0)
    q = exact(popularity, user)
    counts = np.bincount(drawn.item_idx.ravel(), minlength=6)
    assert not counts[q == 0].any()
    assert (q > 0).sum() == 1 or chisquare(counts[q > 0], 4000 * q[q > 0]).pvalue > 0.001
    assert drawn.log_q == pytest.approx(np.log(q[drawn.item_idx]), abs=1e-5)


def test_rare_items_that_are_left_over_are_drawn_exactly() -> None:
    """The user knows all that is popular: nearly every draw in vain, and the exact pass takes over."""
    known = sparse.csr_array(np.array([[1, 1, 0, 0, 0]]))
    counts = np.array([10**9, 10**9, 1, 2, 5])
    drawn = Negatives(5, 0, known, counts, power=1.0).draw(np.zeros(50, np.int32), 80, 0)
    found = np.bincount(drawn.item_idx.ravel(), minlength=5)
    assert not found[:2].any()
    assert chisquare(found[2:], 4000 * np.array([1, 2, 5]) / 8).pvalue > 0.001
    assert drawn.log_q == pytest.approx(np.log(counts / 8)[drawn.item_idx], abs=1e-5)


@settings(max_examples=40, deadline=None)  # the first example compiles
@given(st.lists(st.sets(st.integers(0, 8)), min_size=1, max_size=5), st.booleans(), st.integers(0, 9))
def test_what_is_known_is_never_drawn(sets: list[set[int]], popular: bool, step: int) -> None:
    known = sparse.csr_array(np.array([[item in had for item in range(9)] for had in sets]))
    negatives = Negatives(9, 0, known, np.arange(9) ** 4 if popular else None)
    drawn = negatives.draw(np.arange(len(sets), dtype=np.int32), 30, step)
    assert negatives.users_without == sum(len(had) == 9 for had in sets)
    for had, items in zip(sets, drawn.item_idx, strict=True):
        assert len(had) == 9 or not had & set(items.tolist())
        assert ((items >= 0) & (items < 9)).all()
    assert np.isfinite(drawn.log_q).all()


def test_shared_negatives_do_not_look_at_users() -> None:
    negatives = Negatives(6, 0, KNOWN, COUNTS)
    drawn = negatives.draw_shared(5000, 0)
    assert drawn.item_idx.shape == (1, 5000)
    assert chisquare(np.bincount(drawn.item_idx[0], minlength=6), 5000 * exact(COUNTS, 1)).pvalue > 0.001
    assert drawn.log_q == pytest.approx(negatives.log_q[drawn.item_idx])
    assert negatives.log_q == pytest.approx(np.log(exact(COUNTS, 1)), abs=1e-6)


def test_the_correction_makes_a_sampled_sum_unbiased() -> None:
    """The mean of exp(score - log(negs q)), summed over the negatives, is the sum of exp(score) over all items."""
    scores = np.random.default_rng(0).normal(size=6).astype(np.float32)
    drawn = Negatives(6, 0, KNOWN, COUNTS).draw(np.zeros(20_000, np.int32), 4, 0)
    sums = np.exp(scores[drawn.item_idx] - (drawn.log_q + np.log(4))).sum(axis=1)
    expected = np.exp(scores)[exact(COUNTS, 0) > 0].sum()
    assert abs(sums.mean() - expected) < 4 * sums.std() / np.sqrt(len(sums))


@settings(max_examples=40, deadline=None)  # the first example compiles
@given(st.lists(st.integers(0, 3), max_size=7), st.lists(st.integers(0, 5), max_size=7))
def test_negatives_of_the_batch(users: list[int], items: list[int]) -> None:
    found = Negatives(6, 0, KNOWN).unknown(np.array(users, np.int32), np.array(items, np.int32))
    expected = np.array([[KNOWN.toarray()[user, item] == 0 for item in items] for user in users], bool)
    assert np.array_equal(found, expected.reshape(len(users), len(items)))
    assert Negatives(6, 0).unknown(np.array(users, np.int32), np.array(items, np.int32)).all()


def test_hard_negatives_are_the_best_of_the_uniform_pool() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.random((4, 3), np.float32), rng.random((6, 3), np.float32)
    negatives = Negatives(6, 0, KNOWN)
    pool = negatives.draw(ROWS, 20, 7).item_idx
    found = negatives.hard(ROWS, 4, 7, dot_scores(left, right), pool=20)
    for row in ROWS:
        order = sorted(range(20), key=lambda at: -float(left[row] @ right[pool[row, at]]))
        assert found[row].tolist() == [pool[row, at] for at in order[:4]]
    assert best_of(pool[:1], np.zeros((1, 20), np.float32), 3).tolist() == [pool[0, :3].tolist()], "ties as drawn"
    with pytest.raises(ValueError, match="21 negatives of a pool"):
        negatives.hard(ROWS, 21, 0, dot_scores(left, right), pool=20)


def test_same_seed_same_bytes() -> None:
    def bytes_of(seed: int, step: int) -> bytes:
        drawn = Negatives(6, seed, KNOWN, COUNTS).draw(ROWS, 50, step)
        return drawn.item_idx.tobytes() + drawn.log_q.tobytes()

    assert bytes_of(0, 0) == bytes_of(0, 0)
    assert len({bytes_of(seed, step) for seed in (0, 1) for step in (0, 1)}) == 4
    steps = [bytes_of(0, step) for step in range(5)]
    assert list(ahead(lambda step: bytes_of(0, step), range(5), 2)) == steps


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="7 items"):
        Negatives(7, 0, KNOWN)
    with pytest.raises(ValueError, match="7 items"):
        Negatives(7, 0, popularity=COUNTS)
    with pytest.raises(ValueError, match="0 items"):
        Negatives(0, 0)
    with pytest.raises(ValueError, match="finite and 0 or more"):
        Negatives(2, 0, popularity=np.array([np.nan, 1.0]))
    with pytest.raises(IndexError, match="users 0 to 4"):
        Negatives(6, 0, KNOWN).draw(np.array([0, 4], np.int32), 1, 0)


def test_users_need_not_be_known() -> None:
    assert Negatives(6, 0).draw(np.array([10**6], np.int32), 3, 0).item_idx.shape == (1, 3)
    assert Negatives(6, 0, KNOWN).draw(np.empty(0, np.int32), 3, 0).item_idx.shape == (0, 3)
