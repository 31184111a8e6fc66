"""An estimate with its interval, or the guards that refuse it: estimators, intervals and guards in one call."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from paretail.core.errors import Problem, UsageError, nearest
from paretail.core.rng import rng_for
from paretail.evaluate.offpolicy.bounds import INTERVALS
from paretail.evaluate.offpolicy.estimators import ESTIMATORS
from paretail.evaluate.offpolicy.guards import Limits, Weights, looked_at, refusals
from paretail.evaluate.offpolicy.logged import Logged, Rows
from paretail.evaluate.offpolicy.terms import Terms

T = TypeVar("T")
#: Estimators that weigh nothing, and that the guards let through.
UNWEIGHTED: Final = frozenset({"dm"})


@dataclass(frozen=True)
class Estimate:
    """What the log says of a policy: `value` and the ends of its interval, NaN where a guard refuses it."""

    value: float
    low: float
    high: float
    weights: Weights | None
    refused: tuple[Problem, ...] = ()


def estimate(
    log: Logged, estimator: str = "dr", interval: str = "t", level: float = 0.95, limits: Limits | None = None,
    seed: int = 0,
) -> Estimate:  # fmt: skip
    """Return what the policy in question would have earned a row, by a name of ESTIMATORS and one of INTERVALS.

    Raises UsageError (OFFP-09 for a name that is not there) and DataError (OFFP-02, OFFP-03) where the log lacks what
    the estimator needs.
    """
    terms = _named(estimator, ESTIMATORS, "estimator")(log)
    if estimator in UNWEIGHTED:
        return judged(terms, None, interval, level, groups=log.groups, seed=seed)
    seen = looked_at(log.weights, log.unsupported, log.groups)
    return judged(terms, seen, interval, level, limits, log.groups, seed)


def judged(
    terms: Terms, seen: Weights | None, interval: str = "t", level: float = 0.95, limits: Limits | None = None,
    groups: Rows | None = None, seed: int = 0,
) -> Estimate:  # fmt: skip
    """Return the estimate of any terms (of slates, of a difference), unless what is seen of its weights refuses it."""
    bounds = _named(interval, INTERVALS, "interval")
    if refused := refusals(seen, limits or Limits()) if seen else []:
        return Estimate(np.nan, np.nan, np.nan, seen, tuple(refused))
    low, high = bounds(terms, rng_for("evaluate/offpolicy", seed), level, groups)
    return Estimate(terms.value, low, high, seen)


def _named(name: str, table: Mapping[str, T], what: str) -> T:
    if name in table:
        return table[name]
    raise UsageError(
        Problem("OFFP-09", f"there is no {what} {name!r}", f"Expected {nearest(name, table)}", "Correct it")
    )
