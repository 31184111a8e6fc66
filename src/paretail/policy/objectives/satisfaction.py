"""Satisfaction: expected purchases that are kept, less those taken back.

    value = Σ_j a_j p_click p_purchase (1 - 2 r)

r is the item's rate of refunds among its purchases, drawn to the shop's where there are few: a purchase that comes back
counts against the slate as much as a kept one counts for it.

Unit: purchases kept per slate; higher is better. No source: a plain mean of +1 for a kept purchase and -1 for one taken
back.
"""

from paretail.policy.objectives.base import Gains, Objective, Plain
from paretail.policy.objectives.purchases import bought
from paretail.policy.pool import Pool


class Satisfaction(Objective[Plain]):
    """Expected purchases that are kept, less those taken back."""

    unit = "purchases kept per slate"
    attended = True

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return P(click and purchase) of each candidate, times kept less taken back."""
        return Gains(bought(pool) * (2 * pool.of(pool.wares.kept) - 1))
