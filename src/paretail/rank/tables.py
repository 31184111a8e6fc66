"""Tables: what a ranker believes of pairs, from its numbers as arrays, in one pass over the pairs.

    the logits of `learned/network.py`, their expectation by the two-point rule of `learned/gaussian.py`

Fifty small tensors for a question of 500 pairs cost more than their numbers: .5 ms of .7 (docs/lab/LOG.md). Only the
features' network, whatever its architecture, is asked as it is. A test holds that `RankNet.beliefs` says the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Dense = NDArray[np.float32]
#: Means and variances, a row each user or item.
Ends = tuple[Dense, Dense]
#: Mean and variance of logits.
Moments = tuple[Floats, Floats]
EDGE: Final = 1e-9
#: Where log-odds are taken, probabilities are kept so far off 0 and 1.
NEAR: Final = 1e-6


@dataclass(frozen=True, eq=False)
class Users:
    """What users' ends follow from: `mean` and `log_spread[users, columns]` of what they did, the network's own arrays;

    `prior[columns]`, the variance of somebody new; `sides` of what is known of them.
    """

    mean: Dense
    log_spread: Dense
    prior: Dense
    sides: Ends

    def ends(self, rows: NDArray[np.integer], columns: Dense) -> Ends:
        """Return means and variances of users, as `RankNet.users` does: row -1 is somebody new."""
        known, rows = (rows >= 0)[:, None], np.maximum(rows, 0)
        mean = np.where(known, self.mean[rows], np.float32(0))
        variance = np.where(known, np.exp(2 * self.log_spread[rows]), self.prior)
        return mean + columns @ self.sides[0], variance + columns**2 @ self.sides[1]


@dataclass(frozen=True, eq=False)
class Tables:
    """A trained network's numbers: of its features' network the function from features to logits `[tasks, pairs]`,

    `mix[tasks, columns]`, `fixed[bias slope gain, tasks]`, the items' ends, what users' follow from, and the spread of
    values.
    """

    net: Callable[[Dense], Dense]
    mix: Dense
    fixed: Dense
    items: Ends
    users: Users
    log_sigma: float

    def beliefs(self, people: Ends, user: NDArray[Any], item: NDArray[Any], features: Dense,
                price: Dense) -> tuple[Floats, Floats, Floats]:  # fmt: skip
        """Return mean and variance `[tasks, pairs]` of the logits of pairs, and their covariance with the first one."""
        x = self.net(features)
        mean, variance, together = (np.empty(x.shape) for _ in range(3))
        _believe(*people, *self.items, self.mix, self.fixed, x, user, item, price, mean, variance, together)
        return mean, variance, together


def probabilities(beliefs: tuple[Floats, Floats, Floats], kept: Dense, lines: Floats,
                  given: NDArray[np.bool_]) -> tuple[Floats, Floats]:  # fmt: skip
    """Return `[tasks, pairs]` of all pairs, and of those who click where `given[tasks]`, from what `Tables` believes.

    Log-odds are moved as in `calibration.Platt` by `lines[tasks]`, slope and level, NaN for none; `kept[tasks, pairs]`
    keeps its size.
    """
    asked = np.flatnonzero(given)
    tasks, pairs = beliefs[0].shape
    points, told = np.empty((2 * tasks + 4 * len(asked), pairs)), np.empty((tasks + len(asked), pairs))
    _fill_points(*beliefs, asked, points)
    _fill_means(_of_minus(points), asked, told)
    of = np.append(np.arange(tasks), asked)
    rows = np.flatnonzero(np.isfinite(lines[of, 0]))
    told[rows] = _on_lines(told[rows], lines[of[rows]], kept[of[rows]])
    of_clicked = np.empty((tasks, pairs))
    of_clicked[asked] = told[tasks:]
    return told[:tasks], of_clicked


def probability(click: Moments, task: Moments, together: Floats) -> Floats:
    """Return P(task | click) = E[σ(η_click) σ(η_task)] / E[σ(η_click)] of logits that are Gaussian together.

    What nobody knows of a pair lifts both: those who click are likelier to buy than all would be. Two points for the
    logit of the click, and two for what of the other's does not follow from it.
    """
    told = np.empty(len(together))
    _given_click(*click, *task, together, told)
    return told


def expected(of: Callable[[Floats], Floats], mean: Floats, variance: Floats) -> Floats:
    """Return E of(η) for η ~ N(mean, variance), by the two-point rule."""
    spread = np.sqrt(variance)
    return 0.5 * (of(mean + spread) + of(mean - spread))


def sigmoid(eta: Floats) -> Floats:
    """Return the probability whose log-odds are `eta`."""
    return np.asarray(1 / (1 + np.exp(-eta)))


@njit(cache=True, nogil=True, fastmath=True)
def rectify(x, bias):  # type: ignore[no-untyped-def]
    """Add a bias to rows, and what is below 0 becomes 0: both in one pass."""
    for row in range(x.shape[0]):
        for column in range(x.shape[1]):
            x[row, column] = max(x[row, column] + bias[column], np.float32(0))


@njit(cache=True, nogil=True, fastmath=True)
def _believe(p, p_var, q, q_var, mix, fixed, x, user, item, price, mean, variance, together):  # type: ignore[no-untyped-def]
    """Fill mean, variance and covariance: the same sums as `RankNet.beliefs`, pair by pair."""
    tasks, columns = mix.shape
    both, spread = np.empty(columns, p.dtype), np.empty(columns, p.dtype)
    for pair in range(len(user)):
        u, i, cost = user[pair], item[pair], price[pair]
        for k in range(columns):
            both[k] = p[u, k] * q[i, k]
            spread[k] = p_var[u, k] * (q[i, k] ** 2 + q_var[i, k]) + p[u, k] ** 2 * q_var[i, k]
        for t in range(tasks):
            mean[t, pair] = (fixed[0, t] + fixed[2, t] * x[t, pair] + p[u, columns + t] + q[i, columns + t]
                             + (fixed[1, t] + p[u, columns + tasks + t]) * cost)  # fmt: skip
            variance[t, pair] = (p_var[u, columns + t] + q_var[i, columns + t]
                                 + p_var[u, columns + tasks + t] * cost * cost)  # fmt: skip
            likes = doubts = with_click = 0.0
            for k in range(columns):
                likes += mix[t, k] * both[k]
                doubts += mix[t, k] ** 2 * spread[k]
                with_click += mix[0, k] * mix[t, k] * spread[k]
            mean[t, pair] += likes
            variance[t, pair] += doubts
            together[t, pair] = with_click


def _of_minus(eta: Floats) -> Floats:
    """Turn negative log-odds into probabilities, in place; `np.exp` of an array is five times numba's."""
    np.exp(eta, out=eta)
    eta += 1
    return np.reciprocal(eta, out=eta)


def _on_lines(p: Floats, lines: Floats, kept: Dense) -> Floats:
    """Move the log-odds of probabilities, a row a line."""
    a, b = lines[:, :1], lines[:, 1:]
    p = np.clip(p, NEAR, 1 - NEAR)
    eta = np.log(p / (1 - p))
    eta -= kept
    eta *= -a
    eta -= b + kept
    return _of_minus(eta)


@njit(cache=True, nogil=True)
def _fill_points(mean, variance, together, asked, points):  # type: ignore[no-untyped-def]
    """Fill the negative logits of both points of each task, then of the four of tasks given a click."""
    tasks = len(mean)
    for task in range(tasks):
        for pair in range(mean.shape[1]):
            spread = np.sqrt(variance[task, pair])
            points[2 * task, pair] = -mean[task, pair] - spread
            points[2 * task + 1, pair] = spread - mean[task, pair]
    for place in range(len(asked)):
        task, first = asked[place], 2 * tasks + 4 * place
        for pair in range(mean.shape[1]):
            follows, rest = _apart(variance[0, pair], variance[task, pair], together[task, pair])
            for side in range(2):
                middle = mean[task, pair] + (follows if side == 0 else -follows)
                points[first + 2 * side, pair] = -middle - rest
                points[first + 2 * side + 1, pair] = rest - middle


@njit(cache=True, nogil=True)
def _fill_means(p, asked, told):  # type: ignore[no-untyped-def]
    """Fill the expectations from the probabilities at the points of `_fill_points`."""
    tasks = len(told) - len(asked)
    for task in range(tasks):
        for pair in range(told.shape[1]):
            told[task, pair] = 0.5 * (p[2 * task, pair] + p[2 * task + 1, pair])
    for place in range(len(asked)):
        first = 2 * tasks + 4 * place
        for pair in range(told.shape[1]):
            high, low = 0.5 * p[0, pair], 0.5 * p[1, pair]
            both = high * (p[first, pair] + p[first + 1, pair]) + low * (p[first + 2, pair] + p[first + 3, pair])
            told[tasks + place, pair] = both / (2 * told[0, pair])


@njit(cache=True)
def _apart(click_var, task_var, together):  # type: ignore[no-untyped-def]
    """Return how much of a task's deviation follows from the click's, and what is left."""
    follows = together / max(np.sqrt(click_var), EDGE)
    return follows, np.sqrt(max(task_var - follows * follows, 0.0))


@njit(cache=True, nogil=True)
def _given_click(click, click_var, task, task_var, together, told):  # type: ignore[no-untyped-def]
    """Fill P(task | click)."""
    for pair in range(len(told)):
        told[pair] = _among_clicks(click[pair], click_var[pair], task[pair], task_var[pair], together[pair])


@njit(cache=True)
def _among_clicks(click, click_var, task, task_var, together):  # type: ignore[no-untyped-def]
    """Return P(task | click): two points for the logit of the click, two for what of the task's is left."""
    spread = np.sqrt(click_var)
    follows, rest = _apart(click_var, task_var, together)
    clicks = both = 0.0
    for side in (-1.0, 1.0):
        p = 1 / (1 + np.exp(-(click + side * spread)))
        middle = task + side * follows
        clicks += p
        both += p * 0.5 * (1 / (1 + np.exp(-(middle + rest))) + 1 / (1 + np.exp(-(middle - rest))))
    return both / clicks
