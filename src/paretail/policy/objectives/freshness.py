"""Freshness: how new a slate's items are.

    value = 1/k Σ_j 2^(-age_j / half-life)

Age is since `created`; an item whose age is unknown counts as old.

Unit: mean of 2^(-age / half-life); higher is better. Source: P. Sánchez, A. Bellogín, "Time-aware novelty metrics for
recommender systems", ECIR 2018, doi:10.1007/978-3-319-76941-7_27 (freshness as the mean over the list of how new
each item is). Deviations: the time since creation, decaying by halves; theirs are times at which the item was had.
"""

import numpy as np
from pydantic import Field

from paretail.core.config import Config
from paretail.core.errors import Problem
from paretail.policy import PolicyError
from paretail.policy.objectives.base import Gains, Objective
from paretail.policy.pool import Pool

DAY_MS = 86_400_000


class FreshnessConfig(Config):
    """Settings of `freshness`."""

    half_life_days: float = Field(30.0, gt=0, description="The age at which an item counts half.")


class Freshness(Objective[FreshnessConfig]):
    """How new a slate's items are."""

    unit = "mean of 2^(-age / half-life)"
    config_type = FreshnessConfig

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return the freshness of each candidate."""
        created = pool.of(pool.wares.created_ts_ms)
        days = np.maximum(pool.now_ms - created, 0) / DAY_MS
        fresh = np.where(created > 0, 0.5 ** (days / self.config.half_life_days), 0.0)
        return Gains((fresh / k).astype(np.float32))

    def check(self, sample: Pool) -> None:
        """A catalogue without any time of creation knows no age."""
        if not sample.wares.created_ts_ms.any():
            found, do = "no item tells since when it is sold", "Map a column of the items to `created`"
            raise PolicyError(Problem("POL-02", found, "Expected times of creation", do))
