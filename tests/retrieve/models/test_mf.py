"""MF: two steps by hand, the negatives, and a step that is too long."""

import numpy as np
import pytest

from paretail.core.errors import ConfigError
from paretail.retrieve.models import mf
from paretail.retrieve.models.mf import Mf, MfConfig

from ..shops import Event, graph, shop

LR, DECAY, BIAS_DECAY = 0.5, 0.1, 0.2


def by_hand(P: np.ndarray, Q: np.ndarray, b: np.ndarray, u: int, i: int, j: int, weight: float) -> None:
    """One step of gradient descent on -w ln σ(x_ui - x_uj) + λ/2 ‖θ‖²."""
    p, q_i, q_j = P[u].copy(), Q[i].copy(), Q[j].copy()
    x = p @ (q_i - q_j) + b[i] - b[j]
    slope = weight / (1 + np.exp(x))
    P[u] += LR * (slope * (q_i - q_j) - DECAY * p)
    Q[i] += LR * (slope * p - DECAY * q_i)
    Q[j] += LR * (-slope * p - DECAY * q_j)
    b[i] += LR * (slope - BIAS_DECAY * b[i])
    b[j] += LR * (-slope - BIAS_DECAY * b[j])


def test_two_steps_by_hand() -> None:
    """With three items of which each user had two, the negative is known."""
    rng = np.random.default_rng(0)
    P, Q = rng.standard_normal((2, 4)).astype(np.float32), rng.standard_normal((3, 4)).astype(np.float32)
    b = np.array([0.1, -0.2, 0.3], np.float32)
    P2, Q2, b2 = P.astype(float), Q.astype(float), b.astype(float)
    user, indptr, indices = np.array([0, 0, 1, 1], np.int32), np.array([0, 2, 4]), np.array([0, 1, 1, 2], np.int32)
    weight = np.array([1.0, 0.5, 1.0, 0.25], np.float32)
    mf._epoch(P, Q, b, user, indptr, indices, weight, np.array([1, 3]), np.float32(LR), np.float32(DECAY),
              np.float32(BIAS_DECAY), 1, np.uint64(7))  # fmt: skip
    by_hand(P2, Q2, b2, 0, 1, 2, 0.5)
    by_hand(P2, Q2, b2, 1, 2, 0, 0.25)
    for found, expected in ((P, P2), (Q, Q2), (b, b2)):
        assert found == pytest.approx(expected, rel=1e-5)


def test_the_hardest_of_several_negatives_is_used() -> None:
    Q = np.array([[1.0], [0.5], [2.0], [-1.0]], np.float32)
    before = Q.copy()
    mf._epoch(np.ones((1, 1), np.float32), Q, np.zeros(4, np.float32), np.zeros(1, np.int32), np.array([0, 1]),
              np.zeros(1, np.int32), np.ones(1, np.float32), np.zeros(1, np.int64), np.float32(0.1), np.float32(0),
              np.float32(0), 64, np.uint64(3))  # fmt: skip
    assert np.flatnonzero(before != Q).tolist() == [0, 2]


def test_negatives_are_uniform_over_what_was_never_had() -> None:
    had, state, drawn = np.array([1, 3], np.int32), np.uint64(11), []
    for _ in range(6000):
        item, state = mf._never_had(had, 6, np.uint64(state))
        drawn.append(item)
    counts = np.bincount(drawn, minlength=6)
    assert counts[[1, 3]].tolist() == [0, 0]
    assert np.abs(counts[[0, 2, 4, 5]] - 1500).max() < 150


def test_tastes_are_learned_and_nobody_gets_the_average() -> None:
    events: list[Event] = [(f"u{n}", item, "purchase", 0) for n in range(40) for item in ("abc" if n % 2 else "def")
                           if (n * 7 + ord(item)) % 3]  # fmt: skip
    made = graph(shop(events), "abcdefz")
    model = Mf.fit(made, MfConfig(dim=4, epochs=40), 0)
    fresh = made.history.where(made.history.item_idx == 0).of_users(np.array([made.nodes["user"].row("u1")]))
    scores = model.score(fresh)[0]
    assert scores[:3].min() > scores[3:].max()
    nobody = made.history.where(np.zeros(len(made.history.item_idx), bool))
    assert (model.vectors(nobody) == model.A[-1]).all()


def test_a_step_that_is_too_long_is_an_error() -> None:
    made = graph(shop([(f"u{n}", item, "purchase", 0) for n in range(9) for item in "ab"]), "abc")
    with pytest.raises(ConfigError, match="RETR-03"):
        Mf.fit(made, MfConfig(dim=4, lr=1e6, weight_decay=1.0, epochs=20), 0)
