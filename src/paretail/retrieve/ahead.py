"""Ahead: how far a model's best items are ahead, in units that do not depend on what its scores mean.

    x(u, i) = (score(u, i) - the REACH-th best) / the mean of that over the BEST best, 0 below

Sums, cosines and probabilities of one user thus become comparable; shift and scale of a score change nothing.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.ids import Rows
from paretail.retrieve.base import Scores
from paretail.retrieve.topk import top_k

#: How many of a member's best items count.
REACH: Final = 500
#: How many of them make the unit.
BEST: Final = 50


def ahead(scores: Scores, left_out: sparse.csr_array) -> Scores:
    """Return how far each user's REACH best are ahead of the last of them, in units of their BEST best; else 0."""
    found = np.zeros_like(scores)
    add_ahead(found, scores, left_out, np.ones(len(scores)), 0.0)
    return found


@dataclass(frozen=True, eq=False)
class Best:
    """Each user's REACH best items, the score of the last of them, and the unit; `[users, 1]` but for the lists."""

    items: Rows
    scores: Scores
    last: Scores
    unit: Scores

    def ahead(self, scores: Scores) -> Scores:
        """Return how far scores of these users are ahead of the last, in units; 0 below, and without a unit."""
        x = np.maximum(scores - self.last, 0)
        there = self.unit > 0
        return np.where(there, x / np.where(there, self.unit, np.float32(1)), np.float32(0))


def best_of(scores: Scores, left_out: sparse.csr_array) -> Best:
    """Return what makes the scores of these users comparable; items left out do not count."""
    items, best = top_k(scores, min(REACH, scores.shape[1]), left_out)
    last = np.where(items >= 0, best, np.inf).min(axis=1, keepdims=True)
    last = np.where(np.isfinite(last), last, 0).astype(np.float32)
    best = np.where(items >= 0, best, last)
    return Best(items, best, last, (best[:, :BEST] - last).mean(axis=1, keepdims=True))


def add_ahead(
    total: Scores, scores: Scores, left_out: sparse.csr_array, weight: NDArray[np.floating], kappa: float
) -> None:
    """Add what a member says, times each user's weight, to `total`, in place."""
    best = best_of(scores, left_out)
    there = best.items >= 0
    user = np.repeat(np.arange(len(scores)), there.sum(axis=1))
    total[user, best.items[there]] += (weight[:, None] * shaped(best.ahead(best.scores), kappa))[there]


def shaped(x: Scores, kappa: float) -> Scores:
    """Return log(1 + kappa x), or x for kappa = 0."""
    return np.asarray(np.log1p(np.float32(kappa) * x), np.float32) if kappa else x
