"""Intervals of shares and of amounts a trial, where the trials of one user depend on each other.

A user's impressions are no independent trials, so users (`clusters`) are the unit. The ratio r = sum y_g / sum n_g has
the linearised variance (W. G. Cochran, "Sampling Techniques", 3rd edition 1977, equation 6.10; A. Deng, U. Knoblich,
J. Lu, "Applying the Delta Method in Metric Analytics", KDD 2018, arXiv:1803.06336, section 3)

    v = G / (G - 1) * sum_g e_g^2 / N^2,   e_g = y_g - r n_g,   G clusters, N = sum n_g

- `share`: the interval of E. B. Wilson ("Probable inference", JASA 22, 1927) with the effective number of trials
  r (1 - r) / v in place of N, as C. Franco et al. recommend ("Comparative study of confidence intervals for proportions
  in complex sample surveys", J. Survey Statistics and Methodology 7, 2019); times (z / t)^2 for few clusters as in
  E. L. Korn, B. I. Graubard ("Confidence intervals for proportions with small expected number of positive counts",
  Survey Methodology 24, 1998), t being Student's with G - 1 degrees of freedom.
- `amount`: revenue is far from normal; the interval is that of P. Hall ("On the removal of skewness by
  transformation", J. Royal Statistical Society B 54, 1992), T = (r - true) / sqrt(v) with the skewness of e_g.

Deviations: 1. the effective number never exceeds N, and is G where r is 0 or 1, of which v says nothing. 2. Hall's
interval is for a mean; here e_g take the place of its deviations, and t that of the normal quantile. 3. Where no
amount is below 0, neither is the interval.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

Values = NDArray[np.float64] | NDArray[np.int64]


class Interval(NamedTuple):
    """A figure and the ends of its interval."""

    value: float
    low: float
    high: float


def share(hits: Values, trials: Values, level: float = 0.95) -> Interval | None:
    """Return the share of `trials[clusters]` that are `hits[clusters]`; None without a trial."""
    hits, trials = hits[trials > 0], trials[trials > 0]
    clusters, n = len(trials), float(trials.sum())
    if not clusters:
        return None
    p, z = float(hits.sum()) / n, float(ndtri((1 + level) / 2))
    return Interval(p, *wilson(p, _effective(hits, trials, p) * (z / _quantile(clusters, level)) ** 2, z))


def wilson(p: float, n: float, z: float) -> tuple[float, float]:
    """Return the ends of Wilson's interval for a share `p` of `n` independent trials; n may be a fraction."""
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return max(0.0, min(p, float(middle - half))), min(1.0, max(p, float(middle + half)))


def amount(amounts: Values, trials: Values, level: float = 0.95) -> Interval | None:
    """Return the sum of `amounts[clusters]` over that of `trials[clusters]`.

    None with fewer than two clusters, or where every amount is 0: then nothing tells how large one may be.
    """
    amounts, trials = amounts[trials > 0].astype(np.float64), trials[trials > 0]
    clusters = len(trials)
    if clusters < 2 or not amounts.any():
        return None
    value = float(amounts.sum() / trials.sum())
    off = amounts - value * trials
    error = np.sqrt(clusters / (clusters - 1) * np.sum(off**2)) / float(trials.sum())
    if error == 0.0:
        return Interval(value, value, value)
    skew = float(np.mean(off**3) / np.mean(off**2) ** 1.5)
    t = _quantile(clusters, level)
    low, high = (value - error * _unskewed(end, skew, clusters) for end in (t, -t))
    return Interval(value, float(max(low, 0.0) if amounts.min() >= 0 else low), float(high))


def _effective(hits: Values, trials: Values, p: float) -> float:
    """Return how many independent trials would tell as much."""
    clusters, n = len(trials), float(trials.sum())
    if clusters < 2 or p in (0.0, 1.0):
        return float(clusters)
    variance = clusters / (clusters - 1) * float(np.sum((hits - p * trials) ** 2)) / n**2
    return min(n, p * (1 - p) / variance) if variance > 0 else n


def _quantile(clusters: int, level: float) -> float:
    return float(stdtrit(max(clusters - 1, 1), (1 + level) / 2))


def _unskewed(x: float, skew: float, n: int) -> float:
    """Return Hall's g^-1(x) with a = 1/3, b = 1/6: 3 sqrt(n) / skew ((1 + skew (x / sqrt(n) - skew / 6n))^1/3 - 1)."""
    if abs(skew) < 1e-6:
        return x
    return float(3 * np.sqrt(n) / skew * (np.cbrt(1 + skew * (x / np.sqrt(n) - skew / (6 * n))) - 1))
