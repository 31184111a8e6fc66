"""Distance: how far apart a slate's items are by their vectors (intra-list diversity).

    value = 2 / (k (k - 1)) Σ_{i < j} (1 - cosine) / 2

C.-N. Ziegler et al., "Improving recommendation lists through topic diversification", WWW 2005,
doi:10.1145/1060745.1060754. Deviations: 1. Mean over the pairs of the slate's length. 2. Cosine distance is halved, to
lie between 0 and 1. Vectors are those of the ranker: what the same people like is near.
"""

import numpy as np

from paretail.core.errors import Problem
from paretail.core.ids import Rows
from paretail.policy import PolicyError
from paretail.policy.objectives.base import Gains, Objective, Plain
from paretail.policy.objectives.pairs import Pairs
from paretail.policy.pool import Floats, Pool


class Distance(Objective[Plain]):
    """The mean distance of a slate's pairs, by vectors."""

    unit = "mean distance of pairs"
    additive = False

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return gains that add up distances to what slates hold."""
        vectors = pool.wares.vectors
        if not vectors.any():
            found = "the bundle knows no vectors of items"
            raise PolicyError(Problem("POL-02", found, "Expected vectors of items", "Name the goal `diversity`"))
        return _Apart(pool.of(vectors), k)


class _Apart(Pairs):
    def __init__(self, vectors: Floats, k: int) -> None:
        super().__init__(vectors.shape[:2], k)
        self.vectors = vectors

    def _to(self, places: Rows) -> Floats:
        far: Floats = np.matmul(self.vectors, self.vectors[self.users, places][:, :, None])[:, :, 0]
        far *= -0.5
        far += 0.5
        return far
