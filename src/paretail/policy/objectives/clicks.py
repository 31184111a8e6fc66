"""Clicks: how many a slate is expected to get.

    value = Σ_j a_j p_click

a_j is the probability that position j is looked at, p_click that what is looked at is clicked.

Unit: clicks per slate; higher is better. Source: M. Richardson, E. Dominowska, R. Ragno, "Predicting clicks", WWW 2007,
doi:10.1145/1242572.1242643 (examination by position, no cascade). Deviations: none.
"""

from paretail.core.errors import Problem
from paretail.policy import PolicyError
from paretail.policy.objectives.base import Gains, Objective, Plain, told
from paretail.policy.pool import Pool


class Clicks(Objective[Plain]):
    """Expected clicks on a slate."""

    unit = "clicks per slate"
    attended = True

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return P(click) of each candidate, seen."""
        return Gains(told(pool.p_click, pool, "the ranker predicts no clicks", "Train on a log with clicks"))

    def check(self, sample: Pool) -> None:
        """Clicks that nothing tells from purchases are the same goal twice."""
        super().check(sample)
        if (sample.p_purchase[sample.valid] == 1).all():
            expected = "Expected a log with events before the purchase"
            do = "Ask for purchases, or map views or clicks in [data.kinds]"
            raise PolicyError(Problem("POL-02", "nothing tells clicks from purchases", expected, do))
