"""Blocks: a batch with what its vectors hear, sampled around its users and items; memory follows the batch alone.

The seeds are a batch's users, positives and negatives. Layer by layer a few neighbours of each relation are drawn
(`graph/sampling.py`), and last of all some of the items from which each user starts. Values of sampled edges are scaled
so that sums over them are unbiased; with a fan-out of ALL everything is that of the full graph. The edges that the
batch is to predict are hidden, in both directions: they would be what it predicts them from.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from paretail.core.ids import Rows
from paretail.graph.adjacency import Adjacency, edges_of
from paretail.graph.ahead import ahead
from paretail.graph.edges import Relation
from paretail.graph.sampling import Block, NeighbourSampler, Sample
from paretail.learn.products import Csr
from paretail.retrieve.batches.pairs import Batch, Batches


@dataclass(frozen=True, eq=False)
class Sampled:
    """A batch whose users, items and negatives are places in `rows`, the nodes of its sample by type.

    `start[users, items]` are edges from which users start. `hops` has each layer's edges `[targets, sources]` by
    relation, the first layer first; both ends are those of the nodes that come first.
    """

    batch: Batch
    rows: Mapping[str, Int[Tensor, " nodes"]]
    start: Csr
    hops: Sequence[Mapping[Relation, Csr]]


class Blocks:
    """Samples batches of one graph; holds no state but the graph, so any step can be drawn again by any thread.

    `edges` has by relation (source, verb, target) the weights `[targets, sources]`, above 0; users start from what they
    hear along `start`, one of the relations, always as a sum. Layers hear along all of them. `scaled` is false where
    they do not add up what is heard: weights then stay as they are.
    """

    def __init__(
        self, edges: Mapping[Relation, sparse.csr_array], start: Relation, depth: int, fan_out: int, seed: int,
        scaled: bool = True, hide: bool = True,
    ) -> None:  # fmt: skip
        self._start, self._scaled, self._hide = start, scaled, hide
        self.graph = Adjacency.of({relation[::-1]: edges_of(m) for relation, m in edges.items()}, both_ways=False)
        self._place = {relation[::-1]: place for place, relation in enumerate(self.graph.relations)}
        fan_outs: list[Any] = [*([fan_out] * depth), {start[::-1]: fan_out}]
        self._sampler = NeighbourSampler(self.graph, fan_outs, seed)

    def epoch(self, batches: Batches, epoch: int, threads: int = 1) -> Iterator[Sampled]:
        """Yield the batches of an epoch, each sampled by `threads` while those before are trained on."""
        first = epoch * batches.steps
        return ahead(lambda step: self.of(batches.batch(epoch, step), first + step), range(batches.steps), threads)

    def of(self, batch: Batch, step: int) -> Sampled:
        """Return one batch with its sample; `step` is its number among those of all epochs."""
        users, items, negatives = (
            self.graph.numbers(name, rows.numpy().ravel())
            for name, rows in (("user", batch.users), ("item", batch.items), ("item", batch.negatives))
        )
        seeds = np.concatenate([users, items, negatives])
        sample = self._sampler.sample(seeds, step, (users, items) if self._hide else None)
        nodes = _Nodes.of(self.graph, sample)
        at = torch.split(torch.from_numpy(nodes.local[sample.seed_at]), [len(users), len(items), len(negatives)])
        told = replace(batch, users=at[0], items=at[1], negatives=at[2].view(batch.negatives.shape))
        *blocks, last = sample.blocks
        hops = [
            {relation: self._csr(block, relation, nodes, self._scaled) for relation in self._place}
            for block in reversed(blocks)
        ]
        return Sampled(told, nodes.by_type(self.graph.node_types), self._csr(last, self._start, nodes, True), hops)

    def _csr(self, block: Block, relation: Relation, nodes: "_Nodes", scaled: bool) -> Csr:
        """Return a relation's edges of one block, between places among nodes of a type."""
        picked = np.flatnonzero(block.relation == self._place[relation])
        target = nodes.local[np.searchsorted(block.indptr, picked, side="right") - 1]
        source = nodes.local[block.indices[picked]]
        values = block.weight[picked] if scaled else self.graph.weight[block.edge[picked]]
        types = self.graph.node_types
        targets, sources = (
            nodes.count(size, types.index(name))
            for size, name in zip(block.shape, (relation[2], relation[0]), strict=True)
        )
        ends = np.cumsum(np.bincount(target, minlength=targets))
        indptr = np.concatenate([[0], ends]).astype(np.int32)
        return Csr.of(sparse.csr_array((values, source, indptr), shape=(targets, sources)))


@dataclass(frozen=True, eq=False)
class _Nodes:
    """The nodes of a sample: the place of each one's type, its row in the graph, and its place among its type's."""

    types: NDArray[np.uint8]
    rows: Rows
    local: Rows

    @classmethod
    def of(cls, graph: Adjacency, sample: Sample) -> "_Nodes":
        types, rows = graph.types_of(sample.nodes)
        local = np.empty(len(types), np.int32)
        for place in range(len(graph.node_types)):
            mine = np.flatnonzero(types == place)
            local[mine] = np.arange(len(mine), dtype=np.int32)
        return cls(types, rows, local)

    def count(self, nodes: int, place: int) -> int:
        """Return how many of the first `nodes` are of a type."""
        return int(np.count_nonzero(self.types[:nodes] == place))

    def by_type(self, names: Sequence[str]) -> dict[str, Tensor]:
        return {name: torch.from_numpy(self.rows[self.types == place]) for place, name in enumerate(names)}
