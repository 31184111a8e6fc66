"""Intervals of an estimate from its terms: Student's t, the percentile bootstrap, and empirical Bernstein.

    t          value +- t_{G-1} s / sqrt(G),   s of the influences summed over each of G groups, times G / rows
    bootstrap  percentiles of the value over groups drawn anew, ratios and all
    bernstein  value +- sqrt(2 s^2 ln(4 / alpha) / G) + 7 R ln(4 / alpha) / (3 (G - 1)),   R the range of a group's term

Sources: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13; A. Maurer, M. Pontil, "Empirical
Bernstein Bounds and Sample Variance Penalization", COLT 2009, arXiv:0907.3740, theorem 4, with half of alpha on either
side. Only the last holds at any number of rows; it is several times wider.

Deviations: 1. Rows of one group count as one, as in `evaluate.rates`. 2. Bernstein needs the range of the terms; where
none is given, the one seen in the log stands for it, and the promise is as good as that.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from scipy.special import stdtrit

from paretail.core.errors import Problem, UsageError
from paretail.evaluate.intervals import drawn
from paretail.evaluate.offpolicy.logged import Rows, Values
from paretail.evaluate.offpolicy.terms import Terms

Span = tuple[float, float]


class Bounds(NamedTuple):
    """The ends of an interval."""

    low: float
    high: float


def t(terms: Terms, level: float = 0.95, groups: Rows | None = None) -> Bounds:
    """Return Student's interval; NaN of fewer than two groups."""
    psi = grouped(terms.influence()[:, None], groups)[:, 0]
    if len(psi) < 2:
        return Bounds(np.nan, np.nan)
    half = float(stdtrit(len(psi) - 1, (1 + level) / 2) * psi.std(ddof=1) / np.sqrt(len(psi)))
    return Bounds(terms.value - half, terms.value + half)


def bootstrap(
    terms: Terms, rng: np.random.Generator, level: float = 0.95, groups: Rows | None = None, resamples: int = 1000
) -> Bounds:
    """Return the percentile interval; of fewer than two groups, NaN."""
    columns = grouped(np.concatenate([terms.base[:, None], terms.gain, terms.norm], axis=1), groups)
    if len(columns) < 2:
        return Bounds(np.nan, np.nan)
    sizes = grouped(np.ones((len(terms.base), 1)), groups)
    columns = np.concatenate([columns, sizes], axis=1)
    sums = np.concatenate([counts.astype(np.float64) @ columns for counts in drawn(len(columns), resamples, rng)])
    parts = terms.gain.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        values = sums[:, 0] / sums[:, -1] + (sums[:, 1 : 1 + parts] / sums[:, 1 + parts : -1]).sum(axis=1)
    low, high = np.nanpercentile(values, [50 * (1 - level), 50 * (1 + level)])
    return Bounds(float(low), float(high))


def bernstein(terms: Terms, level: float = 0.95, groups: Rows | None = None, span: Span | None = None) -> Bounds:
    """Return Maurer and Pontil's interval; `span` are the least and the largest that a group's term can be.

    Raises UsageError: OFFP-04 for a self-normalised estimate, which is no mean of bounded terms.
    """
    if not terms.linear:
        found = "empirical Bernstein was asked for a self-normalised estimate"
        do = "Take `t` or `bootstrap`, or the estimator without self-normalisation"
        raise UsageError(Problem("OFFP-04", found, "It holds for a mean of independent bounded terms", do))
    x = grouped(terms.base[:, None], groups)[:, 0]
    if len(x) < 2:
        return Bounds(np.nan, np.nan)
    low, high = span or (float(x.min()), float(x.max()))
    log = float(np.log(4 / (1 - level)))
    half = float(np.sqrt(2 * x.var(ddof=1) * log / len(x)) + 7 * (high - low) * log / (3 * (len(x) - 1)))
    return Bounds(terms.value - half, terms.value + half)


#: name -> terms, generator, level and groups to the ends
INTERVALS: Final[dict[str, Callable[[Terms, np.random.Generator, float, Rows | None], Bounds]]] = {
    "t": lambda terms, rng, level, groups: t(terms, level, groups),
    "bootstrap": lambda terms, rng, level, groups: bootstrap(terms, rng, level, groups),
    "bernstein": lambda terms, rng, level, groups: bernstein(terms, level, groups),
}


def grouped(columns: Values, groups: Rows | None) -> Values:
    """Return the sums of `columns[rows, columns]` over each group, times groups / rows, so that means stay."""
    if groups is None:
        return columns
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max()) + 1
    summed = [np.bincount(group, column, minlength=count) for column in columns.T]
    sums: Values = np.array(summed, np.float64).T * (count / len(columns))
    return sums
