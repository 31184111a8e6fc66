"""Serendipity: expected clicks on what is unlike the user's past.

    value = Σ_j a_j p_click (1 - greatest cosine to an item that the user had)

Liked and unexpected; unexpected is what is far from the profile.

Unit: unexpected clicks per slate; higher is better. Source: P. Castells, N. Hurley, S. Vargas, "Novelty and diversity
in recommender systems", Recommender Systems Handbook, 2022, doi:10.1007/978-1-0716-2197-4_16. Deviations: 1. The
nearest item of the profile counts, not the mean. 2. Negative cosines count as 0.
"""

import numpy as np

from paretail.data.kinds import NOT_TARGETS
from paretail.policy.objectives.base import Gains, Objective, Plain, told
from paretail.policy.pool import Floats, Pool


class Serendipity(Objective[Plain]):
    """Expected clicks on what is unlike the user's past."""

    unit = "unexpected clicks per slate"
    attended = True

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return P(click) of each candidate times its distance from the user's past."""
        p = told(pool.p_click, pool, "the ranker predicts no clicks", "Train on a log with clicks")
        return Gains(p * (1 - _familiar(pool)))


def _familiar(pool: Pool) -> Floats:
    """Return the greatest cosine of each candidate to what the user had, 0 to 1."""
    past, vectors = pool.past, pool.wares.vectors
    shows = np.array([kind not in NOT_TARGETS for kind in past.kinds] or [False])
    item_idx = past.item_idx if shows.all() else np.where(shows[past.kind], past.item_idx, np.int32(-1))
    familiar = np.zeros(pool.shape, np.float32)
    for user in np.flatnonzero(np.diff(past.indptr)).tolist():
        mine = np.unique(item_idx[past.indptr[user] : past.indptr[user + 1]])
        mine = mine[mine >= 0]
        if len(mine):
            familiar[user] = (vectors[pool.item_idx[user]] @ vectors[mine].T).max(1)
    return np.clip(familiar, 0.0, 1.0)
