"""Coverage: the whole catalogue gets shown, slate by slate through online prices (`policy/exposure.py`).

value = mean over the slate of ē / (ē + e_i), e_i how often the item was shown, ē about the mean: what was shown little
is worth more.
"""

import numpy as np

from paretail.policy.objectives.base import Gains, Objective, Plain
from paretail.policy.pool import Pool


class Coverage(Objective[Plain]):
    """How little a slate's items were shown before."""

    shared = True
    unit = "mean price of exposure, 0 to 1"

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return the price of each candidate's exposure."""
        return Gains((pool.of(pool.exposures.prices()) / k).astype(np.float32))
