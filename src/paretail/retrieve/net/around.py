"""What a step sees around its batch: a sample of the wiring, whose memory follows the batch and not the graph.

A sampled edge has its weight, scaled so that sums over a sample are unbiased, and its ends the degrees of the whole
graph; so sums and means are those of the graph in expectation, and all of them where every neighbour is taken. The
greatest neighbour alone is that of the sample, with its weight as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Int
from scipy import sparse
from torch import Tensor

from paretail.graph.ahead import ahead
from paretail.graph.edges import Relation
from paretail.learn.products import Csr
from paretail.retrieve.batches import Batch, Batches, Blocks, Sampled
from paretail.retrieve.net.edges import Edges
from paretail.retrieve.net.wiring import EVENTS, Heard, Hop, New, Wiring, heard_of
from paretail.retrieve.spec import GraphModelSpec

#: Users hear items along this one.
HEARD_BY_USERS: Relation = ("item", heard_of(*EVENTS), "user")


@dataclass(frozen=True, eq=False)
class Around(Wiring):
    """A sample, whose nodes are `rows` of the graph; each layer's hop goes between the nodes that come first."""

    layers: Sequence[Hop] = field(default=())

    def hops(self, depth: int) -> Sequence[Hop]:
        """Return what each type of node hears in each layer."""
        return self.layers

    def shown(self, edge_dropout: float, new: New | None) -> "Around":
        """Return what a step sees: without a random share of the edges, and with users and items that are new."""
        events = _shown(self.events, "user", "item", edge_dropout, new)
        return replace(self, events=events, layers=[_hop_shown(hop, edge_dropout, new) for hop in self.layers])


@dataclass(frozen=True, eq=False)
class Step:
    """A batch whose users and items are places in the rows of `wiring`."""

    batch: Batch
    wiring: Around


class Sampling:
    """Makes the steps of a training whose memory follows the batch; each follows from seed, epoch and step alone."""

    def __init__(self, wiring: Wiring, spec: GraphModelSpec, seed: int, hide: bool = True) -> None:
        self._events, self._content = wiring.events, wiring.content
        self._told = wiring.told if spec.attributes else {}
        self._heard = {(one.source, one.name, kind): one.edges for kind, all_ in wiring.hop().items() for one in all_}
        edges = {relation: _matrix(heard.csr) for relation, heard in self._heard.items()}
        scaled = (spec.message, spec.aggregation) != ("sage", "max")
        self._blocks = Blocks(edges, HEARD_BY_USERS, spec.depth, spec.fan_out, seed, scaled, hide)

    def epoch(self, batches: Batches, epoch: int, threads: int = 1, first: int = 0) -> Iterator[Step]:
        """Yield the steps of an epoch from the `first` on, made by `threads` while those before are trained on."""
        before, steps = epoch * batches.steps, range(first, batches.steps)
        return ahead(lambda step: self.of(batches.batch(epoch, step), before + step), steps, threads)

    def of(self, batch: Batch, number: int) -> Step:
        """Return one batch and what is around it; `number` is the step's among those of all epochs."""
        sampled = self._blocks.of(batch, number)
        rows = sampled.rows
        told = {
            side: {name: _picked(one, rows[side]) for name, one in told.items()} for side, told in self._told.items()
        }
        content = {name: matrix[rows["item"]] for name, matrix in self._content.items()}
        events = _between(self._events, sampled.start, rows["user"], rows["item"])
        sizes = {name: len(nodes) for name, nodes in rows.items()}
        layers = [self._hop(hop, sampled) for hop in sampled.hops]
        return Step(sampled.batch, Around(sizes, events, {}, told, content, rows, layers))

    def _hop(self, hop: Mapping[Relation, Csr], sampled: Sampled) -> Hop:
        heard: dict[str, tuple[Heard, ...]] = {}
        for relation, csr in hop.items():
            source, name, kind = relation
            edges = _between(self._heard[relation], csr, sampled.rows[kind], sampled.rows[source])
            heard[kind] = (*heard.get(kind, ()), Heard(name, source, edges))
        return heard


@dataclass(frozen=True, eq=False)
class Steps:
    """What training goes through: batches, each with what is around it."""

    sampling: Sampling
    batches: Batches

    def __call__(self, epoch: int, rng: np.random.Generator) -> Iterator[Step]:
        """Yield the steps of an epoch; `rng` is not used, batches have a seed."""
        return self.left(epoch, 0)

    def left(self, epoch: int, first: int) -> Iterator[Step]:
        """Yield the steps of an epoch from the `first` on."""
        return self.sampling.epoch(self.batches, epoch, first=first)


def _between(edges: Edges, csr: Csr, targets: Int[Tensor, " targets"], sources: Int[Tensor, " sources"]) -> Edges:
    """Return sampled edges, whose ends have the degrees of the whole graph."""
    return Edges(csr, edges.target_degree[targets[: csr.shape[0]]], edges.source_degree[sources[: csr.shape[1]]])


def _picked(edges: Edges, targets: Int[Tensor, " targets"]) -> Edges:
    """Return all edges of some of the targets."""
    return Edges(edges.csr.picked(targets), edges.target_degree[targets], edges.source_degree)


def _hop_shown(hop: Hop, edge_dropout: float, new: New | None) -> Hop:
    return {
        kind: tuple(replace(one, edges=_shown(one.edges, kind, one.source, edge_dropout, new)) for one in heard)
        for kind, heard in hop.items()
    }


def _shown(edges: Edges, target: str, source: str, edge_dropout: float, new: New | None) -> Edges:
    if new is not None and {target, source} == {"user", "item"}:
        masks = {"user": new.users, "item": new.items}
        edges = edges.without(masks[target][: edges.csr.shape[0]], masks[source][: edges.csr.shape[1]])
    return edges.dropped(edge_dropout)


def _matrix(csr: Csr) -> sparse.csr_array:
    """Return the matrix that a Csr reads by row; it shares the memory."""
    rows = csr.by_row
    return sparse.csr_array((rows.values.numpy(), rows.indices.numpy(), rows.indptr.numpy()), shape=csr.shape)
