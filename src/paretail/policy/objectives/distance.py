"""Distance: how far apart a slate's items are by their vectors (intra-list diversity).

    value = 2 / (k (k - 1)) Σ_{i < j} (1 - cosine) / 2

Vectors are those of the ranker: what the same people like is near.

Unit: mean distance of pairs; higher is better. Source: C.-N. Ziegler et al., "Improving recommendation lists through
topic diversification", WWW 2005, doi:10.1145/1060745.1060754. Deviations: 1. Mean over the pairs of the slate's length.
2. Cosine distance is halved, to lie between 0 and 1.
"""

from functools import cached_property

import numpy as np

from paretail.core.errors import Problem
from paretail.core.ids import Rows
from paretail.policy import PolicyError
from paretail.policy.objectives.base import Gains, Objective, Plain, Values
from paretail.policy.objectives.forms import Apart, Form
from paretail.policy.objectives.pairs import Pairs, both, mean_of_pairs
from paretail.policy.pool import Floats, Pool


class Distance(Objective[Plain]):
    """The mean distance of a slate's pairs, by vectors."""

    unit = "mean distance of pairs"
    additive = False
    submodular = False

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return gains that add up distances to what slates hold."""
        _check(pool)
        return _Apart(pool, k)

    def value(self, pool: Pool, places: Rows) -> Values:
        """Return the mean distance of pairs, `[users]`."""
        _check(pool)
        vectors = pool.wares.vectors[np.maximum(pool.items(places), 0)]
        cosine = np.matmul(vectors, vectors.transpose(0, 2, 1))
        return mean_of_pairs((0.5 - 0.5 * cosine) * both(places >= 0), places.shape[1])


def _check(pool: Pool) -> None:
    if not pool.wares.has_vectors:
        found = "the bundle knows no vectors of items"
        raise PolicyError(Problem("POL-02", found, "Expected vectors of items", "Name the goal `diversity`"))


class _Apart(Pairs):
    def __init__(self, pool: Pool, k: int) -> None:
        super().__init__(pool.shape, k)
        self.pool = pool

    @cached_property
    def vectors(self) -> Floats:
        """Vectors of candidates, `[users, cands, dim]`."""
        return self.pool.of(self.pool.wares.vectors)

    def form(self) -> Form:
        """Return the vectors of all items."""
        return Apart(self.pool.wares.vectors, float(self.per_pair))

    def _to(self, places: Rows) -> Floats:
        mine = self.vectors[self.users[:, None], places]
        far: Floats = np.matmul(mine, self.vectors.transpose(0, 2, 1))
        far *= -0.5
        far += 0.5
        return far
