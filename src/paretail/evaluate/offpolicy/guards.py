"""When a log cannot tell: four guards, and an estimate that is refused names the one that stopped it.

    effective sample size  (sum_i w_i)^2 / sum_i w_i^2             L. Kish, "Survey Sampling", 1965
    largest weight         max_i w_i / sum_i w_i                   the share of the estimate that is one group
    support overlap        mean_i sum_{a: logging(a) = 0} target(a)  what can never be seen in the log
    mean weight            mean_i w_i, which is 1 in expectation     where support and propensities are right

Sums run over groups where rows belong to some. The mean weight is far from 1 where it is off by more than the limit and
by more than three of its standard errors, or by more than half: the standard error is itself blind to weights that are
rare and large. Source of the first and last: A. B. Owen, "Monte Carlo theory, methods and examples", 2013, section 9.3.
Deviations: the limits are ours (docs/offpolicy.md says what they let through).
"""

from dataclasses import dataclass

import numpy as np

from paretail.core.config import Config
from paretail.core.errors import Problem
from paretail.evaluate.offpolicy.bounds import grouped
from paretail.evaluate.offpolicy.logged import Rows, Values


class Limits(Config):
    """Where an estimate is refused."""

    effective_sample_size: float = 100.0
    largest_share: float = 0.05
    unsupported: float = 0.01
    mean_weight_off: float = 0.1


@dataclass(frozen=True)
class Weights:
    """What the weights of an estimate say about it; of several columns of weights, the worst."""

    effective_sample_size: float
    largest: float
    largest_share: float
    mean: float
    mean_error: float
    unsupported: float
    n: int


def looked_at(weights: Values, unsupported: Values | None = None, groups: Rows | None = None) -> Weights:
    """Return the figures of `weights[rows]`, or the worst of `weights[rows, slots]`; weights are 0 or more."""
    columns = grouped(weights.reshape(len(weights), -1), groups)
    total, squares = columns.sum(axis=0), (columns**2).sum(axis=0)
    sizes = np.divide(total**2, squares, out=np.zeros_like(total), where=squares > 0)
    shares = np.divide(columns.max(axis=0), total, out=np.ones_like(total), where=total > 0)
    means = columns.mean(axis=0)
    off = int(np.argmax(np.abs(means - 1)))
    error = columns[:, off].std(ddof=1) / np.sqrt(len(columns)) if len(columns) > 1 else np.inf
    lacking = 0.0 if unsupported is None else float(unsupported.mean())
    return Weights(
        float(sizes.min()), float(weights.max()), float(shares.max()), float(means[off]), float(error), lacking,
        len(columns),
    )  # fmt: skip


def refusals(seen: Weights, limits: Limits) -> list[Problem]:
    """Return a problem for each guard that stops an estimate with these weights."""
    off = abs(seen.mean - 1)
    far = off > 0.5 or (off > limits.mean_weight_off and off > 3 * seen.mean_error)
    checks = [
        (seen.effective_sample_size < limits.effective_sample_size, _size),
        (seen.largest_share > limits.largest_share, _largest),
        (seen.unsupported > limits.unsupported, _support),
        (far, _mean),
    ]
    return [told(seen, limits) for stops, told in checks if stops]


def _size(seen: Weights, limits: Limits) -> Problem:
    found = f"the effective sample size is {seen.effective_sample_size:,.0f} of {seen.n:,}"
    do = "Ask for a policy nearer to the logged one, log for longer, or explore more"
    return Problem("OFFP-05", found, f"Expected {limits.effective_sample_size:,.0f} or more", do)


def _largest(seen: Weights, limits: Limits) -> Problem:
    found = f"the largest weight, {seen.largest:,.1f}, leaves {seen.largest_share:.0%} of the estimate to one case"
    do = "Ask for a policy nearer to the logged one, or give the logging policy a least probability for each item"
    return Problem("OFFP-06", found, f"Expected {limits.largest_share:.0%} at most", do)


def _support(seen: Weights, limits: Limits) -> Problem:
    found = f"in the support overlap, {seen.unsupported:.1%} of what the policy does could never have been logged"
    do = "Let the logging policy show these items with a small probability, or take them out of the policy"
    return Problem("OFFP-07", found, f"Expected {limits.unsupported:.1%} at most", do)


def _mean(seen: Weights, limits: Limits) -> Problem:
    found = f"the mean weight is {seen.mean:.3f} (standard error {seen.mean_error:.3f})"
    do = "See that the logged propensities are those of the policy that served, and of the same rows"
    return Problem("OFFP-08", found, f"Expected 1, up to {limits.mean_weight_off:g}", do)
