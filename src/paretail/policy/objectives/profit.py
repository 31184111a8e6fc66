"""Profit: the part of the expected revenue that stays.

    value = Σ_j a_j p_click p_purchase · E[value of the order | purchase] · margin

Margins are shares of the price, from the catalogue.

Unit: money per slate; higher is better. Source: D. Jannach, G. Adomavicius, "Price and profit awareness in recommender
systems", 2017, arXiv:1707.08029 (purchase probability times profit). Deviations: 1. A share of the order's value, so
that more than one piece counts. 2. An item without a margin counts as one without profit.
"""

import numpy as np

from paretail.core.errors import Problem
from paretail.policy import PolicyError
from paretail.policy.objectives.base import Gains, Objective, Plain
from paretail.policy.objectives.revenue import earned
from paretail.policy.pool import Pool


class Profit(Objective[Plain]):
    """Expected profit from a slate."""

    unit = "money per slate"
    attended = True
    money = True

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return the profit expected of each candidate, seen."""
        margin = pool.of(pool.wares.margin)
        return Gains(earned(pool) * np.where(np.isnan(margin), np.float32(0.0), margin))

    def check(self, sample: Pool) -> None:
        """A catalogue without any margin knows no profit."""
        super().check(sample)
        if np.isnan(sample.wares.margin).all():
            do = "Map a column of the items to `margin` (share of the price that is profit)"
            raise PolicyError(Problem("POL-02", "no item has a margin", "Expected it of some at least", do))
