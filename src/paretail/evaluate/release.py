"""The gate before a release: a setting goes live only if a log of the incumbent says that it is not worse.

    ship  <=>  the lower end of the interval of  V(candidate) - (1 - margin) V(incumbent)  is 0 or more

Both values come from the same rows, so that what they share cancels. The margin is a share of the incumbent's value and
carries its uncertainty along. With an interval of level 1 - alpha a candidate that is worse than the margin ships in at
most alpha / 2 of all cases (non-inferiority: G. Piaggio et al., "Reporting of noninferiority and equivalence randomized
trials", JAMA 308(24), 2012, doi:10.1001/jama.2012.87802). Of several candidates judged on one log, each has its part of
alpha (C. Bonferroni, 1936).

Deviations: 1. Where the incumbent's value is negative, the margin is a share of its size. 2. A candidate that a guard
refuses is not shipped, and not called worse either: the log cannot tell; nor can one in which nothing came of
anything, as where the events that would count are missing.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from paretail.core.errors import Problem
from paretail.evaluate.offpolicy.estimate import judged
from paretail.evaluate.offpolicy.guards import Limits, Weights
from paretail.evaluate.offpolicy.logged import Rows
from paretail.evaluate.offpolicy.terms import Terms

#: ship: put it live. experiment: start small, the log cannot exclude that it is worse. keep: it is worse.
Verdict = Literal["ship", "experiment", "keep"]


@dataclass(frozen=True)
class Release:
    """What to do, and why: the interval of candidate - (1 - margin) incumbent, NaN where guards refuse it."""

    verdict: Verdict
    candidate: float
    incumbent: float
    low: float
    high: float
    refused: tuple[Problem, ...]


def gate(
    candidate: Terms, incumbent: Terms, seen: Weights | None, margin: float = 0.02, level: float = 0.95,
    candidates: int = 1, groups: Rows | None = None, interval: str = "t", limits: Limits | None = None,
) -> Release:  # fmt: skip
    """Judge a candidate from the log of the incumbent.

    `candidate` are the terms of its estimate, `incumbent` those of the mean reward of the same rows, `seen` the weights
    of the candidate's estimate. `candidates` is how many are judged on this log.
    """
    if not (incumbent.base.any() or incumbent.gain.any()):
        return Release("experiment", candidate.value, 0.0, np.nan, np.nan, (_nothing(),))
    share = 1 - margin if incumbent.value >= 0 else 1 + margin
    gain = candidate.minus(incumbent.times(share))
    found = judged(gain, seen, interval, 1 - (1 - level) / candidates, limits, groups)
    return Release(
        _verdict(found.low, found.high), candidate.value, incumbent.value, found.low, found.high, found.refused
    )


def _nothing() -> Problem:
    found = "the log shows no reward at all, so that no candidate can be worse"
    do = "See that the log has the events that count, log for longer, or name another goal"
    return Problem("OFFP-13", found, "Expected some", do)


def _verdict(low: float, high: float) -> Verdict:
    if low >= 0:
        return "ship"
    return "keep" if high < 0 else "experiment"
