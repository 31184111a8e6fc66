"""Item neighbours: a user is shown what the same users had who had the user's items.

    score(u, j) = sum over i of r(u, i) s(i, j),   s(i, j) = cosine or Jaccard with shrinkage, the best k of each i

Source: M. Deshpande, G. Karypis, "Item-based top-N recommendation algorithms", ACM TOIS 22(1), 2004,
doi:10.1145/963770.963776; measures in `retrieve/pairs.py`. Deviations: rows of the training matrix are divided by
(number of items of the user) ^ damping, so that a user with a thousand items says less about each pair (as in the
symmetric normalisation of graph filters; damping 0 is the paper); the cosine's denominator is raised to `power` (1 is
the paper); weights by kind; optional forgetting by age.
"""

from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat
from scipy import sparse

from paretail.core.config import Config
from paretail.core.ids import Rows
from paretail.core.progress import Progress
from paretail.core.sparse import spread, terms
from paretail.data.held import Mode
from paretail.data.types import History
from paretail.graph.interactions import interactions, kind_weights
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Arrays, Question, Scores
from paretail.retrieve.choose import Choice
from paretail.retrieve.pairs import Measure, neighbours
from paretail.retrieve.tune import tune

#: What `choose` tries, one after the other.
STEPS: Final[tuple[dict[str, Any], ...]] = (
    {"power": 1.0}, {"power": 0.6}, {"damping": 0.0}, {"shrinkage": 1.0}, {"shrinkage": 10.0},
    {"measure": "jaccard"}, {"neighbours": 50}, {"neighbours": 1000},
)  # fmt: skip


class KnnConfig(Config):
    """Settings of `knn`."""

    weights: dict[str, NonNegativeFloat] | None = Field(
        None, description="Weight of each kind; by default purchase 1, cart and favourite 0.6, click and view 0.3.",
    )  # fmt: skip
    measure: Measure = Field("cosine", description="How two items are compared: cosine, jaccard or surprise.")
    neighbours: int = Field(200, ge=1, description="Neighbours kept of each item.")
    shrinkage: float = Field(0.0, ge=0, description="Added to the denominator, so that rare pairs count less.")
    damping: float = Field(0.5, ge=0, description="How much less each pair of a user with many items counts (cosine).")
    power: float = Field(
        0.8, ge=0, le=1, description="How much of the items' popularity is divided out (cosine): 1 all, 0 nothing.",
    )  # fmt: skip
    half_life_days: float | None = Field(
        None, gt=0, description="Age at which an event of the asking user counts half; needs time.",
    )  # fmt: skip


class Knn:
    """The pruned similarities [items, items]."""

    name: ClassVar[str] = "knn"
    config_type: ClassVar[type[Config]] = KnnConfig

    def __init__(self, similar: sparse.csr_array, newest_ms: int, config: KnnConfig) -> None:
        self.similar, self.newest_ms, self.config = similar, newest_ms, config

    @classmethod
    def fit(cls, graph: ShopGraph, config: Any, seed: int) -> Self:
        """Count and prune; `seed` is not used."""
        pairs = graph.interactions(kind_weights(graph.history.kinds, config.weights))
        if config.measure == "cosine":
            pairs.data *= np.repeat(damped(pairs, config.damping), np.diff(pairs.indptr))
        else:
            pairs.data[:] = 1
        similar = neighbours(pairs, config.measure, config.neighbours, config.shrinkage, power=config.power).matrix()
        return cls(similar, int(graph.history.ts_ms.max(initial=0)), config)

    def score(self, history: History, now_ms: int | None = None, mode: Mode = "target") -> Scores:
        """Sum the similarities to the user's items; zeros without history."""
        return spread(self._profile(history, now_ms), self.similar)

    def falls(
        self, history: History, causes: Rows, listed: Rows, now_ms: int | None = None, mode: Mode = "target"
    ) -> Scores:
        """Return the summands r(u, i) s(i, j)."""
        weights = self._profile(history, now_ms).toarray()[0, causes]
        return terms(causes, weights, self.similar, listed)

    def arrays(self) -> Arrays:
        """Return the similarities and the time of the fit."""
        similar = self.similar
        return {"indptr": similar.indptr, "indices": similar.indices, "data": similar.data,
                "newest_ms": np.array([self.newest_ms])}  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: Arrays, config: Any) -> Self:
        """Rebuild from arrays."""
        items = len(arrays["indptr"]) - 1
        similar = sparse.csr_array((arrays["data"], arrays["indices"], arrays["indptr"]), shape=(items, items))
        return cls(similar, int(arrays["newest_ms"][0]), config)

    def _profile(self, history: History, now_ms: int | None) -> sparse.csr_array:
        """Return r[users, items]."""
        weights, items = kind_weights(history.kinds, self.config.weights), self.similar.shape[0]
        now = self.newest_ms if now_ms is None else now_ms
        return interactions(history, items, weights, self.config.half_life_days, now)

    @classmethod
    def choose(
        cls, graph: ShopGraph, question: Question, given: dict[str, Any], seed: int, seconds: float, progress: Progress
    ) -> Choice:
        """Try STEPS on a split of the events, within `seconds`."""
        return tune(cls, graph, question, given, STEPS, seed, seconds, progress)


def damped(pairs: sparse.csr_array, damping: float) -> NDArray[np.float32]:
    """Return (number of items) ^ -damping of each user; 1 for a user without items."""
    return np.maximum(np.diff(pairs.indptr), 1).astype(np.float32) ** np.float32(-damping)
