"""Goals beyond what is liked: `novelty`, `freshness`, `serendipity`, `satisfaction`.

    novelty        mean over the slate of -log2 (share of users who had the item)
    freshness      mean over the slate of 2^(-age / half-life); an item whose age is unknown counts as old
    serendipity    Σ_j a_j p_click (1 - greatest cosine to an item that the user had): liked and unexpected
    satisfaction   Σ_j a_j p_click p_purchase (1 - 2 r): kept less taken back, r the item's rate of refunds

P. Castells, N. Hurley, S. Vargas, "Novelty and diversity in recommender systems", Recommender Systems Handbook, 2022,
doi:10.1007/978-1-0716-2197-4_16 (self-information; unexpectedness as distance to the profile). Deviations: 1. One user
is added to each share, so that nobody's item is not infinitely new. 2. Negative cosines count as 0.
"""

import numpy as np
from pydantic import Field

from paretail.core.config import Config
from paretail.core.errors import Problem
from paretail.data.kinds import NOT_TARGETS
from paretail.policy import PolicyError
from paretail.policy.objectives.base import Gains, Objective, Plain, told
from paretail.policy.objectives.purchases import bought
from paretail.policy.pool import Floats, Pool

DAY_MS = 86_400_000


class Novelty(Objective[Plain]):
    """How rare a slate's items are."""

    unit = "bits, mean of the slate"

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return the self-information of each candidate."""
        return Gains(-np.log2(pool.of(pool.wares.seen_by)) / np.float32(k))


class FreshnessConfig(Config):
    """Settings of `freshness`."""

    half_life_days: float = Field(30.0, gt=0, description="The age at which an item counts half.")


class Freshness(Objective[FreshnessConfig]):
    """How new a slate's items are."""

    unit = "mean of 2^(-age / half-life)"
    config_type = FreshnessConfig

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return the freshness of each candidate."""
        created = pool.wares.created_ts_ms
        if not created.any():
            found, do = "no item tells since when it is sold", "Map a column of the items to `created`"
            raise PolicyError(Problem("POL-02", found, "Expected times of creation", do))
        days = np.maximum(pool.now_ms - created, 0) / DAY_MS
        fresh = np.where(created > 0, 0.5 ** (days / self.config.half_life_days), 0.0)
        return Gains((pool.of(fresh) / k).astype(np.float32))


class Serendipity(Objective[Plain]):
    """Expected clicks on what is unlike the user's past."""

    unit = "unexpected clicks per slate"
    attended = True

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return P(click) of each candidate times its distance from the user's past."""
        p = told(pool.p_click, pool, "the ranker predicts no clicks", "Train on a log with clicks")
        return Gains(p * (1 - _familiar(pool)))


class Satisfaction(Objective[Plain]):
    """Expected purchases that are kept, less those taken back."""

    unit = "purchases kept per slate"
    attended = True

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return P(click and purchase) of each candidate, times kept less taken back."""
        return Gains(bought(pool) * (2 * pool.of(pool.wares.kept) - 1))


def _familiar(pool: Pool) -> Floats:
    """Return the greatest cosine of each candidate to what the user had, 0 to 1."""
    past, vectors = pool.past, pool.wares.vectors
    shows = np.array([kind not in NOT_TARGETS for kind in past.kinds] or [False])
    had = past.where(shows[past.kind])
    familiar = np.zeros(pool.shape, np.float32)
    for user in np.flatnonzero(np.diff(had.indptr)).tolist():
        mine = np.unique(had.item_idx[had.indptr[user] : had.indptr[user + 1]])
        familiar[user] = (vectors[pool.item_idx[user]] @ vectors[mine].T).max(1)
    return np.clip(familiar, 0.0, 1.0)
