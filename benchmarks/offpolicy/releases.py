"""Settings that are judged before they go live: bad ones and good ones, each with a log of its own.

The shop has the first 1,000 contexts of `logistic` of problems.py and fewer clicks, about one in ten:
P(click | x, a) = sigmoid(x . theta_a - 3.5).
A candidate follows the incumbent times exp(eta s(x, a)), s = +-P(click) / sd + 4 noise with noise of the same shape,
and eta is solved for the value that the candidate is to have: 1.05 of the incumbent's for a good one; for a bad one,
1 - margin - u with u uniform in 0 to 3 %, so that many are bad by little.

`trial` is the other way to a release: an experiment under rules.
"""

from dataclasses import replace

import numpy as np
from problems import Array, Problem, logistic
from scipy.optimize import brentq

from paretail.evaluate.experiments.sequences import Arm
from paretail.evaluate.experiments.stopping import Metric, Rules, look

MARGIN, CONTEXTS = 0.02, 1000


def shop(rows: int) -> Problem:
    """Return the shop, whose target is the incumbent itself."""
    plain = logistic()
    x, logging, reward = plain.x[:CONTEXTS], plain.logging[:CONTEXTS], plain.reward[:CONTEXTS]
    odds = reward / (1 - reward) * np.exp(-3.5)
    return Problem(x, odds / (1 + odds), logging, logging, rows)


def candidate(incumbent: Problem, good: bool, rng: np.random.Generator) -> tuple[Problem, float]:
    """Return a shop with a candidate in the place of the target, and its value over the incumbent's."""
    share = 1.05 if good else 1 - MARGIN - 0.03 * rng.random()
    while True:
        noise = incumbent.x @ rng.normal(size=(incumbent.x.shape[1], incumbent.reward.shape[1]))
        score = (1 if good else -1) * _scaled(incumbent.reward) + 4 * _scaled(noise)
        there = replace(incumbent, target=_tilted(incumbent.logging, score, 3.0))
        if (there.truth / incumbent.truth > share) == good:
            break
    eta = brentq(lambda e: _worth(incumbent, score, e) / incumbent.truth - share, 0.0, 3.0, xtol=1e-6)
    return replace(incumbent, target=_tilted(incumbent.logging, score, float(eta))), share


def _worth(incumbent: Problem, score: Array, eta: float) -> float:
    return replace(incumbent, target=_tilted(incumbent.logging, score, eta)).truth


def _scaled(score: Array) -> Array:
    out: Array = (score - score.mean()) / score.std()
    return out


def _tilted(policy: Array, score: Array, eta: float) -> Array:
    powers = policy * np.exp(eta * (score - score.max(axis=1, keepdims=True)))
    out: Array = powers / powers.sum(axis=1, keepdims=True)
    return out


def trial(good: bool, users: int, looks: int, rng: np.random.Generator) -> tuple[str, int]:
    """Return how an experiment ends that is looked at `looks` times, and after how many users.

    One user in ten of the incumbent's buys; of a good candidate's 5 % more, of a bad one's by the margin and up to 3 %
    fewer.
    """
    rates = np.array([0.1, 0.1 * (1.05 if good else 1 - MARGIN - 0.03 * rng.random())])
    rules = Rules(users=users, margin=MARGIN)
    step = users // looks
    went = np.cumsum(rng.binomial(step, 0.5, size=looks))
    n, total = np.zeros(2, dtype=int), np.zeros(2)
    for at, first in enumerate(went):
        new = np.array([step * (at + 1) - first, first]) - n
        n, total = n + new, total + rng.binomial(new, rates)
        incumbent, other = (Arm(int(k), p, p * (1 - p)) for k, p in zip(n, total / n, strict=True))
        found = look(Metric(other, incumbent), {}, rules)
        if found.verdict != "go on":
            break
    return found.verdict, int(n.sum())
