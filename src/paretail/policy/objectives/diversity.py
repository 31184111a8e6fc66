"""Diversity: the share of a slate's pairs that differ in an attribute (intra-list diversity).

    value = 2 / (k (k - 1)) Σ_{i < j} [labels of i and j differ]

Unit: share of pairs; higher is better. Source: B. Smyth, P. McClave, "Similarity vs. diversity", ICCBR 2001,
doi:10.1007/3-540-44593-5_25. Deviations: 1. Mean over the pairs of the slate's length k, not of what it holds: a short
slate is not diverse for being short. 2. An item without the label differs from all.
"""

import numpy as np
from pydantic import Field

from paretail.core.config import Config
from paretail.core.ids import Rows
from paretail.policy.objectives.base import Gains, Objective, Values, codes_of
from paretail.policy.objectives.forms import Differing, Form
from paretail.policy.objectives.pairs import Pairs, both, mean_of_pairs
from paretail.policy.pool import Floats, Pool


class DiversityConfig(Config):
    """Settings of `diversity`."""

    by: str = Field("category", description="The attribute by which items differ: `category`, `brand` or another.")


class Diversity(Objective[DiversityConfig]):
    """The share of a slate's pairs that differ in an attribute."""

    unit = "share of pairs"
    additive = False
    submodular = False
    config_type = DiversityConfig

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return gains that count the labels of what slates hold."""
        return _Differing(codes_of(pool, self.config.by), k)

    def value(self, pool: Pool, places: Rows) -> Values:
        """Return the share of pairs that differ, `[users]`."""
        label, there = pool.at(codes_of(pool, self.config.by), places), places >= 0
        same = (label[:, :, None] == label[:, None, :]) & (label >= 0)[:, :, None]
        return mean_of_pairs(~same & both(there), places.shape[1])


class _Differing(Pairs):
    def __init__(self, codes: Rows, k: int) -> None:
        super().__init__(codes.shape, k)
        self.codes = codes

    def form(self) -> Form:
        """Return the labels."""
        return Differing(self.codes, float(self.per_pair))

    def _to(self, places: Rows) -> Floats:
        mine = self.codes[self.users[:, None], places][:, :, None]
        return np.asarray((self.codes[:, None] != mine) | (mine < 0), np.float32)
