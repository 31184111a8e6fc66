"""A Gaussian process over encoded architectures: what a score will be and how sure that is, of a few dozen trainings.

    k(a, b) = v exp(-|x_a - x_b|² / 2 l²),   mean = k_* (K + s I)^-1 y,   variance = v - k_* (K + s I)^-1 k_*'

The scores are replaced by normal scores of their ranks: only the order matters, and a network that failed to train at
all does not set the scale. l and s maximise the marginal likelihood over a grid; l in units of the median distance.

Sources: C. Rasmussen, C. Williams, "Gaussian Processes for Machine Learning", 2006, algorithm 2.1 and section 5.4.1;
choosing several at once: T. Desautels, A. Krause, J. Burdick, "Parallelizing exploration-exploitation tradeoffs with
Gaussian process bandit optimization", JMLR 15, 2014, algorithm 1. Deviations: 1. v is the variance of y, not sought.
"""

from typing import Final, Self

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.special import ndtri

from paretail.search.base import Array

LENGTHS: Final = (1.0, 1.5, 2.0, 3.0, 4.5)
NOISES: Final = (0.01, 0.05, 0.2)


def normal_scores(scores: Array) -> Array:
    """Return each column of `scores[archs, goals]` as quantiles of the normal law at its ranks; NaN is the lowest."""
    ranks = [_mean_ranks(column) for column in np.nan_to_num(scores, nan=-np.inf).T]
    return np.asarray(ndtri(np.array(ranks).T.reshape(scores.shape) / max(len(scores), 1)))


def _mean_ranks(column: Array) -> Array:
    """Return ranks from 0.5 up, of equal numbers the mean of theirs."""
    _, value, count = np.unique(column, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - count / 2)[value])


class GaussianProcess:
    """What is believed of one goal after `fit`."""

    def fit(self, rows: Array, values: Array) -> Self:
        """Learn from encoded architectures `rows[archs, features]` and `values[archs]`."""
        self._rows, self._mean, self._scale = rows, values.mean(), values.var() + 1e-12
        apart = _squared(rows, rows)
        usual = np.median(apart[np.triu_indices(len(rows), 1)]) if len(rows) > 1 else 0.0
        tried = [
            self._held(apart, values, length * np.sqrt(usual or 1.0), noise) for length in LENGTHS for noise in NOISES
        ]
        _, self.length, self.noise, self._factor, self._weights = max(tried, key=lambda one: one[0])
        return self

    def _held(
        self, apart: Array, values: Array, length: float, noise: float
    ) -> tuple[float, float, float, Array, Array]:
        """Return the log marginal likelihood but for a constant, and what predictions need."""
        kernel = self._scale * (np.exp(-apart / (2 * length**2)) + noise * np.eye(len(apart)))
        factor = cholesky(kernel, lower=True)
        weights = cho_solve((factor, True), values - self._mean)
        fit = -0.5 * (values - self._mean) @ weights - np.log(np.diag(factor)).sum()
        return float(fit), length, noise, factor, weights

    def believe(self, rows: Array) -> "Belief":
        """Return what is believed of encoded architectures `rows[archs, features]`."""
        kernel = self._kernel(self._rows, rows)
        explained = solve_triangular(self._factor, kernel, lower=True)
        variance = np.maximum(self._scale - (explained**2).sum(axis=0), 1e-12)
        return Belief(self, rows, self._mean + self._weights @ kernel, variance, explained)

    def _kernel(self, left: Array, right: Array) -> Array:
        return np.asarray(self._scale * np.exp(-_squared(left, right) / (2 * self.length**2)))


class Belief:
    """Mean and variance of some architectures; the variance shrinks as some of them are chosen for training."""

    def __init__(self, process: GaussianProcess, rows: Array, mean: Array, variance: Array, explained: Array) -> None:
        self.mean, self.variance = mean, variance
        self._process, self._rows, self._explained = process, rows, explained

    def upper(self, beta: float) -> Array:
        """Return the mean plus `beta` standard deviations."""
        return self.mean + beta * np.sqrt(self.variance)

    def choose(self, row: int) -> None:
        """Count `row` as trained with what it is expected to score: what is like it is surer from now on."""
        process = self._process
        shared = process._kernel(self._rows[[row]], self._rows)[0] - self._explained[:, row] @ self._explained
        known = shared / np.sqrt(shared[row] + process._scale * process.noise)
        self.variance = np.maximum(self.variance - known**2, 1e-12)
        self._explained = np.vstack([self._explained, known])


def _squared(left: Array, right: Array) -> Array:
    """Return the squared distances of the rows of `left` and `right`."""
    lengths = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)
    return np.asarray(np.maximum(lengths - 2 * left @ right.T, 0.0))
