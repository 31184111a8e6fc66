"""Intra-list diversity, by an attribute (`diversity`) and by vectors (`distance`).

    value = 2 / (k (k - 1)) Σ_{i < j} d(i, j),   d = [labels differ]   or   (1 - cosine) / 2

B. Smyth, P. McClave, "Similarity vs. diversity", ICCBR 2001, doi:10.1007/3-540-44593-5_25; C.-N. Ziegler et al.,
"Improving recommendation lists through topic diversification", WWW 2005, doi:10.1145/1060745.1060754. Deviations: 1.
Mean over the pairs of the slate's length k, not of what it holds: a short slate is not diverse for being short. 2. An
item without the label differs from all. 3. Cosine distance is halved, to lie between 0 and 1.
"""

import numpy as np
from pydantic import Field

from paretail.core.config import Config
from paretail.core.errors import Problem
from paretail.core.ids import Rows
from paretail.policy import PolicyError
from paretail.policy.objectives.base import Gains, Objective, Plain, codes_of
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


class _Pairs(Gains):
    """Gains from pairs: `_to(places)[users, cands]` is the distance of each candidate to one of the slate."""

    def __init__(self, shape: tuple[int, ...], k: int) -> None:
        super().__init__(np.zeros(shape, np.float32))
        self.per_pair = np.float32(2.0 / (k * (k - 1)) if k > 1 else 0.0)

    def add(self, places: Rows, slot: int) -> None:
        self.now += self._worth(places)

    def drop(self, places: Rows, slot: int) -> None:
        self.now -= self._worth(places)

    def _worth(self, places: Rows) -> Floats:
        far = self._to(np.maximum(places, 0)[:, None])
        return np.where(places[:, None] >= 0, far * self.per_pair, np.float32(0.0))

    def _to(self, places: Rows) -> Floats:
        raise NotImplementedError


class _Differing(_Pairs):
    def __init__(self, codes: Rows, k: int) -> None:
        super().__init__(codes.shape, k)
        self.codes = codes

    def _to(self, places: Rows) -> Floats:
        mine = np.take_along_axis(self.codes, places, 1)
        return np.asarray((self.codes != mine) | (mine < 0), np.float32)


class _Apart(_Pairs):
    def __init__(self, vectors: Floats, k: int) -> None:
        super().__init__(vectors.shape[:2], k)
        self.vectors = vectors

    def _to(self, places: Rows) -> Floats:
        mine = np.take_along_axis(self.vectors, places[:, :, None], 1)[:, 0]
        return np.asarray(0.5 - 0.5 * np.einsum("ucd,ud->uc", self.vectors, mine), np.float32)
