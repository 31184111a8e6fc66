"""Mixing: candidates against brute force, and what is learned from planted questions."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from paretail.data.held import Held
from paretail.retrieve import listwise, mixing
from paretail.retrieve.listwise import Lists
from paretail.retrieve.mixing import blocks, learn, propose, together
from paretail.retrieve.normalise import to_units

USERS, ITEMS, MOST = 5, 9, 3


def world(seed: int, users: int = USERS) -> tuple[dict[str, np.ndarray], np.ndarray, Held]:
    """Draw sparse scores of two signals, what is left out, and held-out pairs (some proposed by nobody)."""
    rng = np.random.default_rng(seed)
    mute = rng.random((users, 1)) < 0.7  # nothing speaks for anything to the others
    scores = {name: (rng.integers(0, 4, (users, ITEMS)) * mute).astype(np.float32) for name in ("one", "two")}
    left_out = rng.random((users, ITEMS)) < 0.3
    owner, item = np.nonzero(~left_out & (rng.random((users, ITEMS)) < 0.3))
    return scores, left_out, Held.of(owner.astype(np.int32), item.astype(np.int32), users)


def reference(scores: Mapping[str, np.ndarray], left_out: np.ndarray, held: Held) -> list[dict[int, list[float]]]:
    """Return for each user the candidates and their features."""
    units = [to_units(dense.copy(), sparse.csr_array(left_out)) for dense in scores.values()]
    found = []
    for user in range(len(left_out)):
        cands: set[int] = set()
        for dense in units:
            allowed = [item for item in range(ITEMS) if dense[user, item] > 0 and not left_out[user, item]]
            cands |= set(sorted(allowed, key=lambda item, row=dense[user]: (-row[item], item))[:MOST])
        found.append({item: [float(dense[user, item]) for dense in units] for item in sorted(cands)})
    return found


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 100_000))
def test_candidates_are_what_any_signal_puts_among_its_best(seed: int) -> None:
    """Users without a candidate are no question; held-out items that nobody proposed still count as asked."""
    scores, left_out, held = world(seed)
    expected = reference(scores, left_out, held)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixing, "PROPOSED", MOST)
        lists = propose(scores, sparse.csr_array(left_out), held)
    users = [user for user in range(USERS) if expected[user]]
    assert np.diff(lists.indptr).tolist() == [len(expected[user]) for user in users]
    assert lists.asked.tolist() == held.counts[users].tolist()
    wanted = [set(held.item_idx[held.indptr[user] : held.indptr[user + 1]].tolist()) for user in users]
    flat = [(item, row, mine) for user, mine in zip(users, wanted, strict=True) for item, row in expected[user].items()]
    assert lists.features.tolist() == [row for _, row, _ in flat]
    assert lists.wanted.tolist() == [item in mine for item, _, mine in flat]


def test_blocks_put_together_are_one() -> None:
    scores, left_out, held = world(1)
    whole = propose({name: dense.copy() for name, dense in scores.items()}, sparse.csr_array(left_out), held)
    parts = []
    for rows in (np.array([0, 1]), np.array([], int), np.array([2, 3, 4])):
        some = {name: dense[rows] for name, dense in scores.items()}
        parts.append(propose(some, sparse.csr_array(left_out[rows]), held.of_users(rows)))
    one = together(parts)
    for name in ("features", "wanted", "indptr", "asked"):
        assert np.array_equal(getattr(one, name), getattr(whole, name)), name


def test_blocks_cover_every_user_once_and_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixing, "SCORES_AT_ONCE", 100)
    assert [rows.tolist() for rows in blocks(7, 10, 4)] == [[0, 1], [2, 3], [4, 5], [6]]
    assert [rows.tolist() for rows in blocks(2, 1000, 4)] == [[0], [1]]
    assert list(blocks(0, 10, 4)) == []


def questions(
    rng: np.random.Generator, theta: list[float], count: int = 300, cands: int = 15, kappa: float = 1.0
) -> Lists:
    """Draw one wanted item of each question by softmax(shaped features @ theta)."""
    features = rng.exponential(size=(count, cands, len(theta))).astype(np.float32)
    shaped = np.log1p(kappa * features) if kappa else features
    won = np.argmax(shaped @ np.array(theta) + rng.gumbel(size=(count, cands)), axis=1)
    wanted = np.arange(cands) == won[:, None]
    return Lists(features.reshape(-1, len(theta)), wanted.ravel(), np.arange(count + 1) * cands, np.ones(count, int))


def test_the_informative_signals_stay_and_noise_leaves() -> None:
    lists = questions(np.random.default_rng(0), [0.0, 3.0, 0.0, 1.5, 0.0], count=600)
    learned = learn(lists, ["noise", "strong", "hum", "weak", "hiss"], 5, seed=0)
    assert learned is not None
    assert list(learned.theta)[:2] == ["strong", "weak"]  # the strongest first
    assert sum(learned.theta.get(name, 0.0) for name in ("noise", "hum", "hiss")) < 0.15 * learned.theta["strong"]
    assert all(weight > 0 for weight in learned.theta.values())
    assert learned.questions == 600
    assert 0 < learned.standard_error < 0.05


def test_a_copy_of_a_signal_leaves() -> None:
    lists = questions(np.random.default_rng(1), [2.0])
    twice = Lists(np.repeat(lists.features, 2, axis=1), lists.wanted, lists.indptr, lists.asked)
    learned = learn(twice, ["it", "its copy"], 5, seed=0)
    assert learned is not None
    assert len(learned.theta) == 1


def test_the_figure_is_what_new_questions_give() -> None:
    """Beside two signals stand twenty of noise: weights judged on what they were learned from would look better."""
    rng, theta = np.random.default_rng(2), [2.0, 1.0] + [0.0] * 20
    names = [f"signal {n}" for n in range(len(theta))]
    learned = learn(questions(rng, theta, count=400), names, 5, seed=0)
    assert learned is not None
    fresh = questions(rng, theta, count=4000).shaped(learned.kappa)
    values = listwise.ndcg(fresh, np.array([learned.theta.get(name, 0.0) for name in names]), 5)
    assert learned.ndcg == pytest.approx(values.mean(), abs=2 * learned.standard_error)


@pytest.mark.parametrize("kappa", mixing.KAPPAS)
def test_the_shape_that_the_wishes_have_is_found(kappa: float) -> None:
    """Of two signals only the shape tells whether much of one is worth more than some of both."""
    lists = questions(np.random.default_rng(3), [3.0, 3.0], count=2000, kappa=kappa)
    learned = learn(lists, ["one", "two"], 5, seed=0)
    assert learned is not None
    assert learned.kappa == kappa


def test_without_a_difference_the_shape_stays() -> None:
    """One signal orders the candidates alike in any shape."""
    learned = learn(questions(np.random.default_rng(4), [2.0], kappa=10.0), ["it"], 5, seed=0)
    assert learned is not None
    assert learned.kappa == mixing.KAPPAS[0]


def test_too_few_questions_teach_nothing() -> None:
    lists = questions(np.random.default_rng(4), [2.0], count=mixing.FEWEST)
    assert learn(lists, ["it"], 5, seed=0) is not None
    assert learn(lists.of(np.arange(len(lists)) > 0), ["it"], 5, seed=0) is None
    assert learn(lists.of(np.zeros(len(lists), bool)), ["it"], 5, seed=0) is None
    nobody = Lists(lists.features, np.zeros_like(lists.wanted), lists.indptr, lists.asked)
    assert learn(nobody, ["it"], 5, seed=0) is None


def test_signals_that_all_speak_against_teach_nothing() -> None:
    lists = questions(np.random.default_rng(5), [-3.0, -3.0])
    assert learn(lists, ["one", "two"], 5, seed=0) is None


def test_the_same_seed_learns_the_same() -> None:
    lists = questions(np.random.default_rng(6), [1.0, 2.0, 0.0])
    names = ["one", "two", "three"]
    assert learn(lists, names, 5, seed=3) == learn(lists, names, 5, seed=3)
