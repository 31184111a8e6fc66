"""Neighbour sampling: of a batch of nodes, a few neighbours of each, and of these again, as small local graphs.

    B_0 = seeds;   B_{h+1} = B_h ∪ {up to fan_outs[h] neighbours of v, by relation | v in B_h}

W. Hamilton, R. Ying, J. Leskovec, "Inductive representation learning on large graphs", NeurIPS 2017, arXiv:1706.02216,
algorithm 2. Deviations: 1. uniform samples are without replacement; 2. each relation has its own fan-out, so that a
thousand buyers do not crowd out the one brand; 3. weights of sampled edges are scaled so that a sum over them is an
unbiased estimate of the sum over all edges of the node and relation.
Every draw follows from seed, step, hop and node alone: not from the number of threads, nor from the rest of the batch.
Threads share whole batches (`graph.ahead`), not the rows of one: waiting for each other several times a batch cost more
than it gained as soon as the cores were busy (0.7 against 6.5 million edges a second).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.ids import Rows
from paretail.graph.adjacency import Adjacency
from paretail.graph.chance import AliasTables, by_weight, choose, fraction, inner, key_for
from paretail.graph.edges import Relation

#: A fan-out that takes every neighbour.
ALL = -1
#: Fan-outs by hop: of every relation, or of those named alone.
FanOuts = Sequence[int | Mapping[Relation, int]]


@dataclass(frozen=True, eq=False)
class Block:
    """One hop: row r of a layer hears from the rows `indices[indptr[r]:indptr[r + 1]]` of the next layer.

    `weight[edges]` is scaled (see above); `edge[edges]` is the edge's place in the graph, so that
    `graph.weight[block.edge]` is the weight as it stands; `relation[edges]` is its place in `graph.relations`.
    """

    indptr: NDArray[np.int64]
    indices: Rows
    weight: NDArray[np.float32]
    relation: NDArray[np.uint8]
    edge: NDArray[np.int64]
    sources: int  # how many rows the next layer has

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows this layer has, and the next."""
        return len(self.indptr) - 1, self.sources

    def matrix(self) -> sparse.csr_array:
        """Return the scaled weights as a sparse matrix [rows of this layer, rows of the next]; repeats add up."""
        return sparse.csr_array((self.weight, self.indices, self.indptr), shape=self.shape)


@dataclass(frozen=True, eq=False)
class Sample:
    """What a batch needs of the graph: `nodes` are distinct, layer h is the first `blocks[h].shape[0]` of them.

    The seeds are layer 0 in order of first appearance; `seed_at[seeds]` says where each is, as a batch may repeat one.
    Features are looked up for `nodes`; the model then goes through `blocks` from the last to the first.
    """

    nodes: Rows
    seed_at: Rows
    blocks: tuple[Block, ...]


class NeighbourSampler:
    """Samples batches of one graph; holds no state but tables, so any step can be drawn again.

    `weighted` draws in proportion to weights, with replacement (an alias table of 8 bytes an edge), else uniformly
    without. Memory of a batch: in proportion to its edges. A batch is sampled in the thread that calls; any number of
    threads may.
    """

    def __init__(self, graph: Adjacency, fan_outs: FanOuts, seed: int, weighted: bool = False) -> None:
        self.graph, self._seed = graph, seed
        self._fan_outs = np.array([_by_relation(graph, hop) for hop in fan_outs], np.int64)
        bounds = graph.indptr if weighted else np.zeros(1, np.int64)
        self._tables = AliasTables.of(bounds, graph.weight[: bounds[-1]])

    def sample(self, seeds: NDArray[np.integer], step: int, without: tuple[Rows, Rows] | None = None) -> Sample:
        """Return the sample of one batch of node numbers.

        `without` names pairs of nodes whose edges, in both directions, must not be seen: those that the batch is
        to predict.
        """
        nodes, seed_at = _renumber(np.empty(0, np.int32), self.graph.check_numbers(seeds))
        hidden = _keys_of(without, self.graph.nodes)
        blocks = []
        for hop, fan_outs in enumerate(self._fan_outs):
            block, nodes = self._hop(nodes, fan_outs, key_for("graph/sampling", self._seed, step, hop), hidden)
            blocks.append(block)
        return Sample(nodes, seed_at, tuple(blocks))

    def _hop(
        self, nodes: Rows, fan_outs: NDArray[np.int64], key: np.uint64, hidden: NDArray[np.int64]
    ) -> tuple[Block, Rows]:
        graph, tables = self.graph, self._tables
        structure = (graph.segments, graph.relation, graph.indptr)
        indptr = np.zeros(len(nodes) + 1, np.int64)
        _count(nodes, *structure, fan_outs, tables.total, indptr)
        np.cumsum(indptr, out=indptr)
        edge, weight = np.empty(indptr[-1], np.int64), np.empty(indptr[-1], np.float32)
        found, relation = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.uint8)
        _draw(
            nodes, *structure, graph.indices, graph.weight, fan_outs, tables.chance, tables.other, tables.total,
            key, indptr, edge, found, relation, weight,
        )  # fmt: skip
        if len(hidden):
            kept = _seen(nodes, indptr, found, hidden, graph.nodes)
            indptr = np.concatenate([[0], np.cumsum(kept)])[indptr]
            edge, found, relation, weight = edge[kept], found[kept], relation[kept], weight[kept]
        nodes, indices = _renumber(nodes, found)
        return Block(indptr, indices, weight, relation, edge, len(nodes)), nodes


def _by_relation(graph: Adjacency, hop: int | Mapping[Relation, int]) -> list[int]:
    if isinstance(hop, Mapping):
        if unknown := set(hop) - set(graph.relations):
            raise ValueError(f"no such relations: {sorted(unknown)}; there are {sorted(graph.relations)}")
        return [hop.get(relation, 0) for relation in graph.relations]
    return [hop] * len(graph.relations)


def _keys_of(pairs: tuple[Rows, Rows] | None, nodes: int) -> NDArray[np.int64]:
    """Return both directions of each pair as one number, ascending."""
    if pairs is None:
        return np.empty(0, np.int64)
    left, right = (side.astype(np.int64) for side in pairs)
    return np.sort(np.concatenate([left * nodes + right, right * nodes + left]))


@njit(cache=True, nogil=True)
def _taken(size, fan_out, segment, total):  # type: ignore[no-untyped-def]
    """Return how many edges of a segment are drawn; there are totals where edges are drawn by weight."""
    if size == 0 or fan_out < 0:
        return size
    if len(total) > 0:
        return fan_out if total[segment] > 0 else 0
    return min(size, fan_out)


@njit(cache=True, nogil=True)
def _count(nodes, segments, relation, indptr, fan_outs, total, counts):  # type: ignore[no-untyped-def]
    for row in range(len(nodes)):
        taken = 0
        for segment in range(segments[nodes[row]], segments[nodes[row] + 1]):
            size = indptr[segment + 1] - indptr[segment]
            taken += _taken(size, fan_outs[relation[segment]], segment, total)
        counts[row + 1] = taken


@njit(cache=True, nogil=True)
def _draw(  # type: ignore[no-untyped-def]
    nodes, segments, relation, indptr, indices, weight, fan_outs, chance, other, total, key, starts, edge, found, kind,
    scaled,
):  # fmt: skip
    for row in range(len(nodes)):
        at = starts[row]
        for segment in range(segments[nodes[row]], segments[nodes[row] + 1]):
            first, last, of = indptr[segment], indptr[segment + 1], relation[segment]
            taken = _taken(last - first, fan_outs[of], segment, total)
            stop, stream = at + taken, inner(key, segment)
            if len(total) > 0 and fan_outs[of] >= 0:
                for place in range(at, stop):
                    edge[place] = by_weight(chance, other, first, last, fraction(stream, place - at))
                    scaled[place] = total[segment] / taken
            else:
                scale = (last - first) / max(taken, 1)
                choose(stream, first, last - first, edge[at:stop])
                for place in range(at, stop):
                    scaled[place] = scale * weight[edge[place]]
            for place in range(at, stop):
                found[place], kind[place] = indices[edge[place]], of
            at = stop


@njit(cache=True, nogil=True)
def _seen(nodes, starts, found, hidden, total):  # type: ignore[no-untyped-def]
    """Mark the edges that are not hidden."""
    kept = np.ones(len(found), np.bool_)
    for row in range(len(nodes)):
        for place in range(starts[row], starts[row + 1]):
            pair = np.int64(nodes[row]) * total + found[place]
            at = np.searchsorted(hidden, pair)
            kept[place] = at == len(hidden) or hidden[at] != pair
    return kept


@njit(cache=True, nogil=True)
def _renumber(nodes, found):  # type: ignore[no-untyped-def]
    """Return the nodes with those newly found after them, and where each found one is; a hash table of the batch."""
    bits = 4
    while (1 << bits) < 2 * (len(nodes) + len(found)):
        bits += 1
    table, shift = np.full(1 << bits, np.int64(-1)), np.uint64(64 - bits)
    together, local = np.empty(len(nodes) + len(found), np.int32), np.empty(len(found), np.int32)
    count = 0
    for place in range(len(nodes) + len(found)):
        node = np.int64(nodes[place] if place < len(nodes) else found[place - len(nodes)])
        slot = np.int64((np.uint64(node) * np.uint64(0x9E3779B97F4A7C15)) >> shift)
        while table[slot] >= 0 and (table[slot] >> 32) != node:
            slot = (slot + 1) & ((1 << bits) - 1)
        if table[slot] < 0:
            table[slot] = (node << 32) | count
            together[count] = node
            count += 1
        if place >= len(nodes):
            local[place - len(nodes)] = table[slot] & 0xFFFFFFFF
    return together[:count].copy(), local
