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


@njit(cache=True, nogil=True)
def _given_click(click, click_var, task, task_var, together, told):  # type: ignore[no-untyped-def]
    """Fill P(task | click): two points for the logit of the click, two for what of the task's is left."""
    for pair in range(len(told)):
        spread = np.sqrt(click_var[pair])
        follows = together[pair] / max(spread, EDGE)
        rest = np.sqrt(max(task_var[pair] - follows * follows, 0.0))
        clicks = both = 0.0
        for side in (-1.0, 1.0):
            p = 1 / (1 + np.exp(-(click[pair] + side * spread)))
            middle = task[pair] + side * follows
            clicks += p
            both += p * 0.5 * (1 / (1 + np.exp(-(middle + rest))) + 1 / (1 + np.exp(-(middle - rest))))
        told[pair] = both / clicks
