"""Small logs that hypothesis draws, and one of a softmax policy whose truth is known."""

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from paretail.evaluate.offpolicy.logged import Logged

Array = NDArray[np.float64]
ROWS, ACTIONS = 12, 4
chances = st.floats(0.01, 1.0)
amounts = st.floats(-3, 3)


def column(values: st.SearchStrategy[float]) -> st.SearchStrategy[Array]:
    return st.lists(values, min_size=ROWS, max_size=ROWS).map(np.array)


logs = st.builds(
    Logged,
    reward=column(amounts),
    propensity=column(chances),
    target=column(chances),
    q_logged=column(amounts),
    q_target=column(amounts),
)


def softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    out: Array = powers / powers.sum(axis=1, keepdims=True)
    return out


def clicks(seed: int, rows: int = 2000, wrong: float = 0.3) -> tuple[Logged, float]:
    """Return a log of clicks on ACTIONS items with predictions that are off by `wrong`, and the target's true value."""
    rng = np.random.default_rng(seed)
    people = np.random.default_rng(0).normal(size=(200, ACTIONS))
    x = people[rng.integers(200, size=rows)]
    shown = (rng.random((rows, 1)) > np.cumsum(softmax(0.5 * x), axis=1)[:, :-1]).sum(axis=1)
    clicked = rng.random(rows) < 1 / (1 + np.exp(-x[np.arange(rows), shown]))
    q = 1 / (1 + np.exp(-x)) + wrong
    truth = (softmax(1.5 * people) / (1 + np.exp(-people))).sum(axis=1).mean()
    return Logged.of_actions(shown, clicked.astype(float), softmax(0.5 * x), softmax(1.5 * x), q), float(truth)
