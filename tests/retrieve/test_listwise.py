"""The listwise regression against finite differences, planted weights and the evaluation's own NDCG."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from paretail.data.held import Held
from paretail.evaluate.ranking import hits
from paretail.evaluate.ranking import ndcg as evaluated
from paretail.retrieve.listwise import Lists, fit, ndcg


def lists_of(questions: list[tuple[list[list[float]], list[int]]], asked: list[int] | None = None) -> Lists:
    """Each question is its candidates' features and which of them are wanted."""
    features = [row for rows, _ in questions for row in rows]
    wanted = [mark for _, marks in questions for mark in marks]
    counts = [len(marks) for _, marks in questions]
    asked = [sum(marks) for _, marks in questions] if asked is None else asked
    return Lists(np.array(features, np.float32), np.array(wanted, bool),
                 np.concatenate([[0], np.cumsum(counts)]), np.array(asked))  # fmt: skip


def drawn(rng: np.random.Generator, theta: np.ndarray, questions: int = 400, cands: int = 12, most: int = 3) -> Lists:
    """Draw 1 to `most` wanted items of each question by softmax(features @ theta), without replacement."""
    features = rng.exponential(size=(questions, cands, len(theta))).astype(np.float32)
    order = np.argsort(-(features @ theta + rng.gumbel(size=(questions, cands))), axis=1)
    n_wanted = rng.integers(1, most + 1, questions)
    wanted = np.zeros((questions, cands), bool)
    np.put_along_axis(wanted, order, np.arange(cands) < n_wanted[:, None], axis=1)
    indptr = np.arange(questions + 1) * cands
    return Lists(features.reshape(-1, len(theta)), wanted.ravel(), indptr, n_wanted)


def loss(lists: Lists, theta: np.ndarray, l2: float) -> float:
    """The formula of the module, question by question, over those that can be solved."""
    values = []
    for start, end in zip(lists.indptr[:-1], lists.indptr[1:], strict=True):
        scores, wanted = lists.features[start:end].astype(np.float64) @ theta, lists.wanted[start:end]
        if wanted.any():
            values.append((scores[wanted] - np.log(np.exp(scores).sum())).sum() / np.sqrt(wanted.sum()))
    return float(-np.mean(values) + l2 * theta @ theta / 2)


def given_to_scipy(monkeypatch: pytest.MonkeyPatch, lists: Lists, l2: float) -> Callable[[np.ndarray], Any]:
    """Return the function of loss and gradient that `fit` hands to the optimiser."""
    seen: list[Any] = []

    def minimize(function: Any, begin: np.ndarray, **options: Any) -> Any:
        seen.append(function)
        return type("Found", (), {"x": begin})

    monkeypatch.setattr(scipy.optimize, "minimize", minimize)  # imported where it is called
    fit(lists, l2)
    return seen[0]  # type: ignore[no-any-return]


def test_loss_and_gradient_are_those_of_the_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    lists = drawn(rng, np.array([1.0, 0.0, 2.0]), questions=20)
    lists = replace(lists, wanted=lists.wanted & np.repeat(np.arange(20) != 4, 12))  # one cannot be solved
    function = given_to_scipy(monkeypatch, lists, 0.1)
    for theta in rng.uniform(0, 2, (5, 3)):
        value, gradient = function(theta)
        assert value == pytest.approx(loss(lists, theta, 0.1), rel=1e-5)
        steps = 1e-4 * np.eye(3)
        slopes = [(loss(lists, theta + h, 0.1) - loss(lists, theta - h, 0.1)) / 2e-4 for h in steps]
        assert gradient == pytest.approx(slopes, rel=1e-4, abs=1e-5)


def test_one_question_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores 1, 0, 0 with the first wanted: -log(e / (e + 2)), slope -(1 - e / (e + 2))."""
    lists = lists_of([([[1.0], [0.0], [0.0]], [1, 0, 0])])
    value, gradient = given_to_scipy(monkeypatch, lists, 0.0)(np.array([1.0]))
    share = np.e / (np.e + 2)
    assert value == pytest.approx(-np.log(share))
    assert gradient == pytest.approx([share - 1])


def test_planted_weights_come_back_in_order_and_noise_gets_little() -> None:
    theta = np.array([0.0, 0.5, 1.0, 2.0])
    found = fit(drawn(np.random.default_rng(1), theta, questions=1500, most=1), 1e-4)
    assert found == pytest.approx(theta, abs=0.15)
    assert np.argsort(found).tolist() == [0, 1, 2, 3]


def test_weights_are_never_negative() -> None:
    """A signal that speaks against the wanted items gets 0, not less."""
    found = fit(drawn(np.random.default_rng(2), np.array([-1.0, 1.0])), 1e-3)
    assert found[0] == 0
    assert found[1] > 0.5


def test_a_stronger_pull_to_zero_gives_smaller_weights() -> None:
    lists = drawn(np.random.default_rng(3), np.array([1.0, 1.0]))
    sizes = [np.linalg.norm(fit(lists, l2)) for l2 in (0.001, 0.1, 10.0)]
    assert sizes == sorted(sizes, reverse=True)


def test_the_best_weights_do_not_depend_on_the_start_nor_on_other_columns() -> None:
    lists = drawn(np.random.default_rng(4), np.array([1.0, 0.3, 0.7]))
    columns = np.array([0, 2])
    found = fit(lists, 1e-2, columns)
    assert found[1] == 0
    assert fit(lists, 1e-2, columns, start=np.array([2.0, 9.0, 0.0])) == pytest.approx(found, abs=1e-3)
    assert fit(replace(lists, features=lists.features[:, columns]), 1e-2) == pytest.approx(found[columns], abs=1e-3)


@pytest.mark.parametrize("questions", [[], [([[1.0, 2.0], [0.5, 0.0]], [0, 0])]], ids=["none", "unsolvable"])
def test_without_a_question_that_can_be_solved_all_weights_are_zero(questions: list[Any]) -> None:
    lists = lists_of(questions) if questions else Lists(np.zeros((0, 2), np.float32), np.zeros(0, bool),
                                                        np.zeros(1, np.int64), np.zeros(0, np.int64))  # fmt: skip
    assert fit(lists, 0.1).tolist() == [0, 0]
    assert lists.solvable.tolist() == [False] * len(lists)
    assert ndcg(lists, np.array([1.0, 0.0]), 5).tolist() == [0.0] * len(lists)


def test_questions_are_picked_whole() -> None:
    lists = lists_of([([[1.0], [2.0]], [0, 1]), ([[3.0]], [0]), ([[4.0], [5.0], [6.0]], [1, 0, 1])], asked=[1, 2, 3])
    assert lists.solvable.tolist() == [True, False, True]
    part = lists.of(np.array([False, True, True]))
    assert part.features.ravel().tolist() == [3, 4, 5, 6]
    assert part.wanted.tolist() == [False, True, False, True]
    assert part.indptr.tolist() == [0, 1, 4]
    assert part.asked.tolist() == [2, 3]
    assert len(lists.of(np.zeros(3, bool))) == 0


def test_the_shape_of_features() -> None:
    lists = lists_of([([[0.0, 1.0], [3.0, 8.0]], [0, 1])])
    assert lists.shaped(0.0).features is lists.features
    assert lists.shaped(2.0).features == pytest.approx(np.log1p(2 * lists.features))
    assert lists.shaped(2.0).features.dtype == np.float32


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 8), st.integers(1, 12))
def test_ndcg_is_that_of_the_evaluation(seed: int, items: int, k: int) -> None:
    """Every item a candidate, some held-out ones proposed by nobody, ties going to the lower row."""
    rng = np.random.default_rng(seed)
    features = rng.integers(0, 3, (5 * items, 2)).astype(np.float32)
    wanted = rng.random(5 * items) < 0.3
    unseen = rng.integers(0, 2, 5)
    owner, item = np.divmod(np.flatnonzero(wanted), items)
    counts = np.bincount(owner, minlength=5) + unseen
    lists = Lists(features, wanted, np.arange(6) * items, counts)
    theta = np.array([1.0, 0.5])
    ranked = np.argsort(-(features @ theta).reshape(5, items), axis=1, kind="stable")[:, :k]
    ranked = np.concatenate([ranked, np.full((5, k - ranked.shape[1]), -1)], axis=1).astype(np.int32)
    outside = np.repeat(np.arange(5), unseen), np.full(unseen.sum(), items)
    held = Held.of(np.concatenate([owner, outside[0]]), np.concatenate([item, outside[1]]).astype(np.int32), 5)
    expected = np.nan_to_num(evaluated(hits(ranked, held), held.counts))
    assert ndcg(lists, theta, k) == pytest.approx(expected)
