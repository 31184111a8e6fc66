"""Diversity: the share of a slate's pairs that differ in an attribute (intra-list diversity).

    value = 2 / (k (k - 1)) Σ_{i < j} [labels of i and j differ]

B. Smyth, P. McClave, "Similarity vs. diversity", ICCBR 2001, doi:10.1007/3-540-44593-5_25. Deviations: 1. Mean over the
pairs of the slate's length k, not of what it holds: a short slate is not diverse for being short. 2. An item without
the label differs from all.
"""

import numpy as np
from pydantic import Field

from paretail.core.config import Config
from paretail.core.ids import Rows
from paretail.policy.objectives.base import Gains, Objective, codes_of
from paretail.policy.objectives.pairs import Pairs
from paretail.policy.pool import Floats, Pool


class DiversityConfig(Config):
    """Settings of `diversity`."""

    by: str = Field("category", description="The attribute by which items differ: `category`, `brand` or another.")


class Diversity(Objective[DiversityConfig]):
    """The share of a slate's pairs that differ in an attribute."""

    unit = "share of pairs"
    additive = False
    config_type = DiversityConfig

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return gains that count the labels of what slates hold."""
        return _Differing(codes_of(pool, self.config.by), k)


class _Differing(Pairs):
    def __init__(self, codes: Rows, k: int) -> None:
        super().__init__(codes.shape, k)
        alone = -1 - np.arange(codes.shape[1], dtype=np.int32)
        self.codes = np.where(codes < 0, alone, codes)  # without a label: a label of its own

    def _to(self, places: Rows) -> Floats:
        return np.asarray(self.codes != self.codes[self.users, places][:, None], np.float32)
