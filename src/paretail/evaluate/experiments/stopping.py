"""When an experiment ends, and how: the rules are set before it starts and may be asked at every look.

1. The arms do not have the users that they should have: `broken`, nothing else is read.
2. The goal, or a guardrail, is worse than its margin allows, surely: `stop`.
3. The goal and every guardrail are, surely, not worse than their margins allow: `ship`.
4. The planned number of users has been seen: `keep` the incumbent. Until then: `go on`. A guardrail in which all of
   them did the same (nobody refunds, a shop logs no clicks) then holds nothing up.

"Surely" is by intervals that hold at every look (`sequences.py`), so that asking daily costs nothing. Shipping needs
all metrics at once, and an intersection needs no correction (R. Berger, "Multiparameter hypothesis testing and
acceptance sampling", Technometrics 24(4), 1982); stopping needs one of them, so that alpha is divided for it.
Guardrails as in R. Kohavi, D. Tang, Y. Xu, "Trustworthy Online Controlled Experiments", 2020, chapter 21. Deviations:
none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from paretail.core.config import Config
from paretail.core.errors import Problem
from paretail.evaluate.experiments.ratio import any_time
from paretail.evaluate.experiments.sequences import Arm, Sequence, are_alike, compared, estimated, half_width

Verdict = Literal["broken", "stop", "ship", "keep", "go on"]


class Rules(Config):
    """What is settled before the start; margins are shares of the incumbent's mean."""

    users: int
    margin: float = 0.0
    guardrail_margin: float = 0.02
    alpha: float = 0.05
    mismatch: float = 0.001


@dataclass(frozen=True)
class Metric:
    """One metric in both arms; higher is better."""

    candidate: Arm
    incumbent: Arm


@dataclass(frozen=True)
class Look:
    """What to do now and which metrics say so."""

    verdict: Verdict
    because: tuple[str, ...] = ()
    problem: Problem | None = None


def look(
    goal: Metric, guardrails: Mapping[str, Metric], rules: Rules, weights: tuple[float, float] = (0.5, 0.5)
) -> Look:
    """Return what the rules say; `weights` are those of candidate and incumbent in the assignment."""
    counts = (goal.candidate.n, goal.incumbent.n)
    if any_time(counts, weights) < rules.mismatch:
        return Look("broken", problem=_mismatch(counts, weights))
    metrics = [("goal", goal, rules.margin), *((name, m, rules.guardrail_margin) for name, m in guardrails.items())]
    alphas = (rules.alpha / len(metrics), rules.alpha)
    strict, plain = ([(name, _compared(m, margin, rules, a)) for name, m, margin in metrics] for a in alphas)
    if worse := tuple(name for name, found in strict if found.high < 0):
        return Look("stop", worse)
    ended = sum(counts) >= rules.users
    idle = {name for name, m in guardrails.items() if ended and are_alike(m.candidate, m.incumbent)}
    if unsure := tuple(name for name, found in plain if found.low < 0 and name not in idle):
        return Look("keep" if ended else "go on", unsure)
    return Look("ship")


def futile(goal: Metric, rules: Rules) -> bool:
    """Return whether the planned users would not be enough to ship, were the difference a standard error larger.

    A trial may be given up at any time without harm to what `look` promises: nothing is shipped by it.
    """
    difference, variance = estimated(goal.candidate, goal.incumbent, rules.margin)
    planned = variance * (goal.candidate.n + goal.incumbent.n) / rules.users
    return bool(difference + np.sqrt(variance) < half_width(planned, planned, rules.alpha))


def _compared(metric: Metric, margin: float, rules: Rules, alpha: float) -> Sequence:
    return compared(metric.candidate, metric.incumbent, rules.users, alpha, margin)


def _mismatch(counts: tuple[int, int], weights: tuple[float, float]) -> Problem:
    share, planned = counts[0] / sum(counts), weights[0] / sum(weights)
    found = f"the candidate has {counts[0]:,} of {sum(counts):,} users ({share:.1%})"
    do = "Look for users who are lost in one arm: errors, redirects, robots, exposures logged late. Then start anew"
    return Problem("EXPT-02", found, f"Expected {planned:.1%}", do)
