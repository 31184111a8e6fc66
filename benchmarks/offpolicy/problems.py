"""Bandits whose truth is exact: a finite set of contexts, from which rows are drawn with replacement.

`logistic`   5,000 contexts x ~ N(0, I_5), 20 actions, P(reward | x, a) = sigmoid(x . theta_a),
             theta_a ~ N(0, I / 4).
             logging(a | x) = .1 / 20 + .9 softmax_a(x . (theta_a + eps_a)),  eps_a ~ N(0, I / 16);
             target(a | x) = .1 / 20 + .9 softmax_a(2 x . theta_a).
`digits`     the contexts are half of sklearn's digits (pixels / 16), the 10 actions are the classes, the reward is 1
             for the right one. A logistic regression f from 100 digits of the other half logs with
             .3 / 10 + .7 f(a | x); one from all of that half is the target, with .1 / 10 + .9 f(a | x).

The reward model of the estimators is ridge regression of each action on (1, x), by two folds: each half of the rows is
predicted by what was learned from the other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paretail.evaluate.offpolicy.logged import Logged

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Problem:
    """`x[contexts, dim]`; expected reward and both policies `[contexts, actions]`; how many rows a log has."""

    x: Array
    reward: Array
    logging: Array
    target: Array
    rows: int

    @property
    def truth(self) -> float:
        return float((self.target * self.reward).sum(axis=1).mean())

    def log(self, rng: np.random.Generator) -> Logged:
        """Draw a log and predict its rewards."""
        context = rng.integers(len(self.x), size=self.rows)
        ends = np.cumsum(self.logging, axis=1)[context]
        action = np.minimum((rng.random((self.rows, 1)) > ends).sum(axis=1), ends.shape[1] - 1)
        reward = (rng.random(self.rows) < self.reward[context, action]).astype(float)
        q = predicted(self.x[context], action, reward, self.reward.shape[1], rng)
        return Logged.of_actions(action, reward, self.logging[context], self.target[context], q)


def logistic() -> Problem:
    rng = np.random.default_rng(20)
    x, theta = rng.normal(size=(5000, 5)), rng.normal(size=(20, 5)) / 2
    logged = theta + rng.normal(size=(20, 5)) / 4
    reward = 1 / (1 + np.exp(-x @ theta.T))
    return Problem(x, reward, _mixed(_softmax(x @ logged.T), 0.1), _mixed(_softmax(2 * x @ theta.T), 0.1), 10_000)


def digits() -> Problem:
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(10)
    pixels, label = load_digits(return_X_y=True)
    order = rng.permutation(len(pixels))
    learned, asked, pixels = order[: len(order) // 2], order[len(order) // 2 :], pixels / 16
    few, all_ = (LogisticRegression(max_iter=1000).fit(pixels[part], label[part]) for part in (learned[:100], learned))
    x = pixels[asked]
    logging, target = _mixed(few.predict_proba(x), 0.3), _mixed(all_.predict_proba(x), 0.1)
    return Problem(x, np.eye(10)[label[asked]], logging, target, len(x))


PROBLEMS: Final[dict[str, Callable[[], Problem]]] = {"logistic": logistic, "digits": digits}


def predicted(x: Array, action: NDArray[np.int64], reward: Array, actions: int, rng: np.random.Generator) -> Array:
    """Return `q[rows, actions]`, each row from the half of the rows that it is not in."""
    known = np.concatenate([np.ones((len(x), 1)), x], axis=1)
    fold, q = rng.integers(2, size=len(x)), np.empty((len(x), actions))
    for half in (0, 1):
        for a in range(actions):
            rows = (fold != half) & (action == a)
            gram = known[rows].T @ known[rows] + np.eye(known.shape[1])
            q[fold == half, a] = known[fold == half] @ np.linalg.solve(gram, known[rows].T @ reward[rows])
    return np.clip(q, 0, 1)


def _softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    out: Array = powers / powers.sum(axis=1, keepdims=True)
    return out


def _mixed(policy: Array, uniform: float) -> Array:
    return uniform / policy.shape[1] + (1 - uniform) * policy
