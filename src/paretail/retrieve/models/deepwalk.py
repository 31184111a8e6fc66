"""DeepWalk: vectors from random walks over the graph; what walks from a user come by is what the user may like.

    x_ui = (w_u·c_i + c_u·w_i) / 2 + ln q_i,     [w_u, c_u] / 2 = A [z_u; 1]

with w and c the vectors of nodes as centres and contexts of skip-gram on walks (`retrieve/skipgram.py`), q how often an
item is drawn as a negative, z_u the profile of the user's items by their [w_i, c_i] (`retrieve/foldin.py`).

B. Perozzi, R. Al-Rfou, S. Skiena, "DeepWalk: online learning of social representations", KDD 2014, arXiv:1403.6652.
Deviations:
1. Negative sampling instead of hierarchical softmax, as in node2vec.
2. The paper compares nodes by w alone, which says whether they have the same neighbours: w_u·w_i reaches .70 of a
   planted world's oracle. Here a score estimates ln P(i | u), once from the walks of the user, once from those of the
   item: .90.
3. Steps are drawn by the weight of edges, and the window is 3, not 10: walks forget quickly where they came from.
4. Users' vectors of the fit are not kept: users fold in by a learned map, which also smooths them (.88 to .90).
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat

from paretail.core.config import Config
from paretail.core.progress import Progress
from paretail.graph.adjacency import Adjacency, edges_of
from paretail.graph.interactions import kind_weights
from paretail.graph.shopgraph import ShopGraph
from paretail.graph.walks import Walker, starts_of
from paretail.retrieve.base import Arrays, Question
from paretail.retrieve.choose import Choice
from paretail.retrieve.foldin import FoldedIn, learned_map, profiles
from paretail.retrieve.skipgram import LAST_STEP, Pairs, SkipGram
from paretail.retrieve.tune import tune

Vectors = NDArray[np.float32]
#: Walks of a chunk, at least; more in larger graphs, as each chunk draws blocks of all nodes.
CHUNK: Final = 1024
CHUNKS_A_PASS: Final = 16


class DeepWalkConfig(Config):
    """Settings of `deepwalk`."""

    weights: dict[str, NonNegativeFloat] | None = Field(
        None, description="Weight of each kind; by default purchase 1, cart and favourite 0.6, click and view 0.3.",
    )  # fmt: skip
    edges: Literal["events", "all"] = Field(
        "events", description="What walks go along: events alone, or categories, brands, friends and the like too."
    )
    dim: int = Field(64, ge=1, description="Length of the vectors.")
    walks: int = Field(10, ge=1, description="Walks from each node.")
    length: int = Field(40, ge=2, description="Nodes of a walk.")
    window: int = Field(3, ge=1, description="Steps on a walk within which two nodes are near.")
    negatives: int = Field(5, ge=1, description="Negatives of each pair.")
    popularity_power: float = Field(0.75, ge=0, le=1, description="The power of a node's edges by which it is drawn.")
    lr: float = Field(0.025, gt=0, description="The first step; it falls linearly to almost nothing.")

    @property
    def bias(self) -> tuple[float, float]:
        """The walks' p and q."""
        return 1.0, 1.0


class DeepWalk(FoldedIn):
    """Item vectors Q = [w, c], b = ln q, and the map A from a history to a user's vector."""

    name: ClassVar[str] = "deepwalk"
    config_type: ClassVar[type[Config]] = DeepWalkConfig
    #: What `choose` tries, one after the other.
    steps: ClassVar[tuple[dict[str, Any], ...]] = (
        {"window": 2}, {"edges": "all"}, {"walks": 20}, {"dim": 32}, {"negatives": 10}, {"window": 5}, {"dim": 128},
        {"popularity_power": 1.0}, {"popularity_power": 0.5}, {"length": 80},
    )  # fmt: skip

    def __init__(self, Q: Vectors, log_q: Vectors, A: Vectors, config: DeepWalkConfig) -> None:
        super().__init__(Q, A, _turned(Q), log_q, config.weights)
        self.config = config

    @classmethod
    def fit(cls, graph: ShopGraph, config: Any, seed: int) -> Self:
        """Walk and descend; an item that no walk comes by has the vector 0."""
        pairs = graph.interactions(kind_weights(graph.history.kinds, config.weights))
        others = graph.edges if config.edges == "all" else {}
        joined = Adjacency.of({("user", "had", "item"): edges_of(pairs), **others})
        learned = _learn(joined, config, seed)
        users, items = joined.numbers("user", np.arange(pairs.shape[0])), joined.numbers("item", np.arange(graph.items))
        Q = np.hstack([learned.centre[items], learned.context[items]])
        Q[np.diff(joined.bounds)[items] == 0] = 0
        P = np.hstack([learned.centre[users], learned.context[users]]) / np.float32(2)
        A = learned_map(profiles(pairs, Q), P, np.diff(pairs.indptr) > 0)
        return cls(Q, learned.log_q[items], A, config)

    def arrays(self) -> Arrays:
        """Return Q, log_q and A."""
        return {"Q": self.Q, "log_q": self.b, "A": self.A}

    @classmethod
    def from_arrays(cls, arrays: Arrays, config: Any) -> Self:
        """Rebuild from arrays."""
        return cls(arrays["Q"], arrays["log_q"], arrays["A"], config)

    @classmethod
    def choose(
        cls, graph: ShopGraph, question: Question, given: dict[str, Any], seed: int, seconds: float, progress: Progress
    ) -> Choice:
        """Try `steps` on a split of the events, within `seconds`."""
        return tune(cls, graph, question, given, cls.steps, seed, seconds, progress)


def _turned(Q: Vectors) -> Vectors:
    """Return [c, w] of [w, c]."""
    return np.roll(Q, Q.shape[1] // 2, axis=1)


def _learn(graph: Adjacency, config: DeepWalkConfig, seed: int) -> SkipGram:
    walker = Walker(graph, config.length, seed, *config.bias)
    learned = SkipGram.start(_strength(graph), config.dim, config.popularity_power, seed)
    size = max(CHUNK, graph.nodes // CHUNKS_A_PASS)
    chunks = config.walks * -(-int((np.diff(graph.bounds) > 0).sum()) // size)
    learned.descend(
        _chunks(walker, config, seed, size), lambda number: config.lr * max(1 - number / chunks, LAST_STEP),
        config.negatives, seed,
    )  # fmt: skip
    return learned


def _chunks(walker: Walker, config: DeepWalkConfig, seed: int, size: int) -> Iterator[Pairs]:
    for number in range(config.walks):
        yield from walker.pairs(starts_of(walker.graph, 1, seed, number), number, config.window, size)


def _strength(graph: Adjacency) -> NDArray[np.float64]:
    """Return the weights of each node's edges summed."""
    node = np.repeat(np.arange(graph.nodes, dtype=np.int32), np.diff(graph.bounds))
    return np.bincount(node, graph.weight, graph.nodes).astype(np.float64)
