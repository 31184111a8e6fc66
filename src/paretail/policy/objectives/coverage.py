"""Coverage of the catalogue: all of it gets shown, slate by slate through online prices (`policy/exposure.py`).

    value = 1/k Σ_j ē / (ē + e_j)

e_j is how often the item was shown, ē one more than the mean over the catalogue: what was shown little is worth more.

Unit: mean price of exposure, 0 to 1; higher is better. Source: S. Balseiro, H. Lu, V. Mirrokni, "The best of many
worlds: dual mirror descent for online allocation problems", Operations Research 71(1), 2023,
doi:10.1287/opre.2021.2242. Deviations: the price follows from the counts in closed form.
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
        return Gains((pool.exposures.prices(pool.item_idx) / k).astype(np.float32))
