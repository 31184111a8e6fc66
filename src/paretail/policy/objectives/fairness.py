"""Fairness of exposure: brands (or another attribute) are shown in proportion to their items.

    value = 1/k Σ_j (f_g - s_g) / (f_g + s_g)

f_g is the share of the catalogue of the item's group, s_g its share of what was shown so far.

Unit: mean room of exposure, -1 to 1; higher is better. Source: A. Singh, T. Joachims, "Fairness of exposure in
rankings", KDD 2018, doi:10.1145/3219819.3220088 (demographic parity). Deviations: exposure counts as shown, not as
looked at.
"""

import numpy as np
from pydantic import Field

from paretail.core.config import Config
from paretail.policy.objectives.base import Gains, Objective, codes_of
from paretail.policy.pool import Pool


class FairnessConfig(Config):
    """Settings of `fairness`."""

    by: str = Field("brand", description="The attribute whose values should be shown in proportion to their items.")


class Fairness(Objective[FairnessConfig]):
    """How far below their share the groups of a slate's items were shown before."""

    shared = True
    unit = "mean room of exposure, -1 to 1"
    config_type = FairnessConfig

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return the room of each candidate's group."""
        codes_of(pool, self.config.by)
        room = pool.exposures.room(pool.wares.labels[self.config.by])
        return Gains((pool.of(room) / k).astype(np.float32))
