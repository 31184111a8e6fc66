"""Intervals of means over users: the percentile bootstrap, and the paired difference of two systems.

Source: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 6 and 13. Users are resampled
whole, all metrics from the same draws. Cost: `resamples` x users draws and one matrix product.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
#: Weights held in memory at once (32 MiB).
_DRAWS: Final = 8_000_000


@dataclass(frozen=True, eq=False)
class Intervals:
    """Means with the ends of their intervals, and over how many users; one entry a column, NaN where n is 0."""

    mean: Values
    low: Values
    high: Values
    n: NDArray[np.int64]


def bootstrap(values: Values, rng: np.random.Generator, *, resamples: int = 1000, level: float = 0.95) -> Intervals:
    """Return the mean of each column of `values[users, columns]` over the users where it is not NaN, with interval."""
    if not len(values):
        nothing = np.full(values.shape[1], np.nan)
        return Intervals(nothing, nothing, nothing, np.zeros(values.shape[1], dtype=np.int64))
    valid = ~np.isnan(values)
    n = valid.sum(axis=0)
    filled = np.where(valid, values, 0.0)
    mean = _over(filled.sum(axis=0), n)
    together = np.concatenate([filled, valid], axis=1).astype(np.float32)
    sums = np.concatenate([weights @ together for weights in drawn(len(values), resamples, rng)])
    means = _over(sums[:, : len(n)].astype(np.float64), sums[:, len(n) :].astype(np.float64))
    low, high = np.full(len(n), np.nan), np.full(len(n), np.nan)
    if (n > 0).any():
        tails = [100 * (1 - level) / 2, 100 * (1 + level) / 2]
        low[n > 0], high[n > 0] = np.nanpercentile(means[:, n > 0], tails, axis=0)
    return Intervals(mean, low, high, n)


@dataclass(frozen=True)
class Difference:
    """Mean of a - b over the users whom both answer, its standard error and interval; n users."""

    mean: float
    standard_error: float
    low: float
    high: float
    n: int


def paired_difference(
    a: Values, b: Values, rng: np.random.Generator, *, resamples: int = 1000, level: float = 0.95
) -> Difference:
    """Compare two systems user by user: values of one metric for the same users in the same rows."""
    gain = a - b
    gain = gain[~np.isnan(gain)]
    found = bootstrap(gain[:, None], rng, resamples=resamples, level=level)
    n = len(gain)
    error = float(gain.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    return Difference(float(found.mean[0]), error, float(found.low[0]), float(found.high[0]), n)


def drawn(users: int, resamples: int, rng: np.random.Generator) -> Iterator[NDArray[np.float32]]:
    """Yield blocks `[some resamples, users]`: how often each user was drawn."""
    block = max(1, _DRAWS // max(users, 1))
    for start in range(0, resamples, block):
        weights = np.empty((min(block, resamples - start), users), dtype=np.float32)
        for row in weights:  # one at a time stays in the cache: half the time of all at once
            row[:] = np.bincount(rng.integers(users, size=users), minlength=users)
        yield weights


def _over(total: NDArray[np.floating], n: NDArray[np.integer] | Values) -> Values:
    mean: Values = np.full(total.shape, np.nan)
    np.divide(total, n, out=mean, where=np.asarray(n > 0))
    return mean
