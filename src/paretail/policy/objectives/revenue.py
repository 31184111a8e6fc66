"""Revenue: the money that a slate is expected to bring (GMV).

    value = Σ_j a_j p_click p_purchase · E[value of the order | purchase]

Kept in minor units of the shop's currency, told in major ones.

Unit: money per slate; higher is better. Source: C. Pei et al., "Value-aware recommendation based on reinforced profit
maximization in e-commerce systems", WWW 2019, arXiv:1902.00851 (an action is worth its probability times its value).
Deviations: 1. Only purchases have a value, that of their order. 2. It is expected slate by slate, not learned by
reinforcement.
"""

from paretail.policy.objectives.base import Gains, Objective, Plain, told
from paretail.policy.objectives.purchases import bought
from paretail.policy.pool import Floats, Pool


class Revenue(Objective[Plain]):
    """Expected money from a slate."""

    unit = "money per slate"
    attended = True
    money = True

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return the money expected of each candidate, seen."""
        return Gains(earned(pool))


def earned(pool: Pool) -> Floats:
    """Return the money expected of showing each candidate at position 1, minor units."""
    value = told(pool.order_value, pool, "the ranker predicts no order values",
                 "Map the price of purchases, and train again; or name another goal")  # fmt: skip
    return bought(pool) * value
