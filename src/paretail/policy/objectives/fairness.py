"""Fairness of exposure: brands (or another attribute) are shown in proportion to their items, by online prices.

    value = 1/k Σ_j μ_g(j),   μ_g = [ (f_g E - e_g) / (5 √(f_g (1 + E))) ] to -1..1

f_g is the share of the catalogue of the item's group, e_g how often its items were shown, E how often all were: a
group that is owed exposure pays for being shown, one that had too much costs (`policy/exposure.py`).

Unit: mean price of exposure, -1 to 1; higher is better. Source: A. Singh, T. Joachims, "Fairness of exposure in
rankings", KDD 2018, doi:10.1145/3219819.3220088 (demographic parity); S. Balseiro, H. Lu, V. Mirrokni, "Regularized
online allocation problems: fairness and beyond", ICML 2021, arXiv:2007.00514 (prices). Deviations: exposure counts as
shown, not as looked at, and groups are due what they are of the catalogue, not of its merit.
"""

import numpy as np
from pydantic import Field

from paretail.core.config import Config
from paretail.policy.objectives.base import Gains, Objective, labels_of
from paretail.policy.pool import Pool


class FairnessConfig(Config):
    """Settings of `fairness`."""

    by: str = Field("brand", description="The attribute whose values should be shown in proportion to their items.")


class Fairness(Objective[FairnessConfig]):
    """How far the groups of a slate's items are owed exposure."""

    shared = True
    unit = "mean price of exposure, -1 to 1"
    config_type = FairnessConfig

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return the price of each candidate's group."""
        prices = pool.exposures.prices_of_groups(labels_of(pool, self.config.by), pool.item_idx)
        return Gains((prices / k).astype(np.float32))
