"""Novelty: how rare a slate's items are.

    value = 1/k Σ_j -log2(share of users who had item j)

Who was only shown an item has not had it.

Unit: bits, mean of the slate; higher is better. Source: P. Castells, N. Hurley, S. Vargas, "Novelty and diversity in
recommender systems", Recommender Systems Handbook, 2022, doi:10.1007/978-1-0716-2197-4_16 (self-information, the
discovery model). Deviations: one user is added to each share, so that nobody's item is not infinitely new.
"""

import numpy as np

from paretail.policy.objectives.base import Gains, Objective, Plain
from paretail.policy.pool import Pool


class Novelty(Objective[Plain]):
    """How rare a slate's items are."""

    unit = "bits, mean of the slate"

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return the self-information of each candidate."""
        return Gains(-np.log2(pool.of(pool.wares.seen_by)) / np.float32(k))
