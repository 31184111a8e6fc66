"""Purchases: how many a slate is expected to bring (CTCVR).

    value = Σ_j a_j p_click p_purchase

p_purchase is the probability of a purchase given the click.

Unit: purchases per slate; higher is better. Source: X. Ma et al., "Entire Space Multi-Task Model", SIGIR 2018,
doi:10.1145/3209978.3210104 (pCTCVR), weighed by examination as clicks are. Deviations: none.
"""

from paretail.policy.objectives.base import Gains, Objective, Plain, told
from paretail.policy.pool import Floats, Pool


class Purchases(Objective[Plain]):
    """Expected purchases from a slate."""

    unit = "purchases per slate"
    attended = True

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return P(click and purchase) of each candidate, seen."""
        return Gains(bought(pool))


def bought(pool: Pool) -> Floats:
    """Return P(click and purchase) of each candidate at position 1."""
    return told(pool.p_click * pool.p_purchase, pool, "the ranker predicts no purchases",
                "Train on a log with at least 20 purchases, or name another goal")  # fmt: skip
