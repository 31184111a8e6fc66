"""All relations of a graph as one: nodes of every type under one numbering, the edges of a node side by side.

Row r of node type t has the number `starts[t] + r`. The edges of a node lie together, one segment a relation, in the
order of `relations`; so the whole is a CSR by node, and each relation of a node a slice of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Final, Self

import numpy as np
from numba import prange
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.ids import Rows
from paretail.core.kernels import parallel_kernel
from paretail.graph.edges import EdgeSet, Relation

#: What the verb of a relation that is followed from its targets ends in.
REVERSED: Final = " reversed"
MOST_RELATIONS: Final = 255


@dataclass(frozen=True, eq=False)
class Adjacency:
    """The edges of node n: those of its segments `segments[n]` to `segments[n + 1]`.

    Segment s has the relation `relations[relation[s]]` and the edges `indptr[s]` to `indptr[s + 1]`: `indices[edges]`
    are numbers of nodes, ascending in each segment, `weight[edges]` as in the edge sets.
    """

    node_types: tuple[str, ...]
    starts: NDArray[np.int64]
    relations: tuple[Relation, ...]
    segments: NDArray[np.int64]
    relation: NDArray[np.uint8]
    indptr: NDArray[np.int64]
    indices: Rows
    weight: NDArray[np.float32]

    @classmethod
    def of(cls, edges: Mapping[Relation, EdgeSet], both_ways: bool = True) -> Self:
        """Join edge sets; `both_ways` adds each relation seen from its targets, unless it is its own mirror image.

        Raises ValueError where two relations disagree on how many nodes a type has. Memory: 8 bytes an edge.
        """
        sizes = _sizes(edges)
        followed = _both_ways(edges) if both_ways else dict(edges)
        if len(followed) > MOST_RELATIONS or sum(sizes.values()) >= 2**31:
            raise ValueError(f"{len(followed)} relations of {sum(sizes.values()):,} nodes are too many to join")
        node_types, starts = tuple(sizes), np.concatenate([[0], np.cumsum(list(sizes.values()))]).astype(np.int64)
        leaving = {name: [relation for relation in followed if relation[0] == name] for name in sizes}
        relations = tuple(chain.from_iterable(leaving.values()))
        per_node = np.repeat([len(those) for those in leaving.values()], np.diff(starts))
        segments = np.concatenate([[0], np.cumsum(per_node)]).astype(np.int64)
        relation, degree = np.empty(segments[-1], np.uint8), np.empty(segments[-1], np.int64)
        mine = {}  # the segment of each node that a relation leaves
        for number, one in enumerate(relations):
            of_type = slice(*starts[node_types.index(one[0]) :][:2])
            mine[one] = segments[:-1][of_type] + leaving[one[0]].index(one)
            relation[mine[one]], degree[mine[one]] = number, np.diff(followed[one].indptr)
        indptr = np.concatenate([[0], np.cumsum(degree)])
        indices, weight = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32)
        for one in relations:
            edge_set, offset = followed[one], starts[node_types.index(one[2])]
            _copy(edge_set.indptr, edge_set.indices, edge_set.weight, offset, indptr[mine[one]], indices, weight)
        return cls(node_types, starts, relations, segments, relation, indptr, indices, weight)

    @property
    def nodes(self) -> int:
        """How many nodes there are, linked or not."""
        return len(self.segments) - 1

    def __len__(self) -> int:
        return len(self.indices)

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """Where the edges of each node begin, and the last ones end: with `indices` the CSR of all relations."""
        return self.indptr[self.segments]

    def numbers(self, node_type: str, rows: NDArray[np.integer]) -> Rows:
        """Return the numbers of rows of one node type."""
        at = self.node_types.index(node_type)
        if len(rows) and not 0 <= rows.min() <= rows.max() < self.starts[at + 1] - self.starts[at]:
            raise IndexError(
                f"rows {rows.min()} to {rows.max()} of {self.starts[at + 1] - self.starts[at]} {node_type}s"
            )
        numbers: Rows = (rows + self.starts[at]).astype(np.int32)
        return numbers

    def types_of(self, numbers: NDArray[np.integer]) -> tuple[NDArray[np.uint8], Rows]:
        """Return of each node the place of its type in `node_types`, and its row there."""
        at = np.searchsorted(self.starts, numbers, side="right") - 1
        return at.astype(np.uint8), (numbers - self.starts[at]).astype(np.int32)

    def row_of(self, number: int) -> Rows:
        """Return the neighbours of one node, relation by relation."""
        start, stop = self.bounds[number : number + 2]
        row: Rows = self.indices[start:stop]
        return row

    def check_numbers(self, numbers: NDArray[np.integer]) -> Rows:
        """Return node numbers as rows, or raise IndexError: a kernel would read beyond its arrays."""
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < self.nodes:
            raise IndexError(f"nodes {numbers.min()} to {numbers.max()} of a graph with {self.nodes}")
        checked: Rows = numbers.astype(np.int32, copy=False)
        return checked


def reversed_edges(edges: EdgeSet) -> EdgeSet:
    """Return the same edges seen from their targets, without times; counts and does not sort, unlike `reverse`."""
    turned = edges.matrix().T.tocsr()
    return EdgeSet(turned.indptr.astype(np.int64), turned.indices.astype(np.int32), turned.data, edges.shape[0])


def edges_of(matrix: sparse.csr_array) -> EdgeSet:
    """Return the entries of a matrix with ascending columns, such as `ShopGraph.interactions`, as edges."""
    indptr, indices = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32, copy=False)
    return EdgeSet(indptr, indices, matrix.data.astype(np.float32, copy=False), matrix.shape[1])


def _both_ways(edges: Mapping[Relation, EdgeSet]) -> dict[Relation, EdgeSet]:
    followed: dict[Relation, EdgeSet] = {}
    for (source, verb, target), edge_set in edges.items():
        followed[source, verb, target] = edge_set
        turned = reversed_edges(edge_set)
        if source != target or not _same(edge_set, turned):
            followed[target, verb + REVERSED, source] = turned
    return followed


def _same(left: EdgeSet, right: EdgeSet) -> bool:
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in ("indptr", "indices", "weight"))


def _sizes(edges: Mapping[Relation, EdgeSet]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for (source, verb, target), edge_set in edges.items():
        for name, size in ((source, edge_set.shape[0]), (target, edge_set.shape[1])):
            if sizes.setdefault(name, size) != size:
                raise ValueError(f"{(source, verb, target)} has {size} nodes of type {name!r}, others {sizes[name]}")
    return sizes


@parallel_kernel
def _copy(from_indptr, from_indices, from_weight, offset, at, indices, weight):  # type: ignore[no-untyped-def]
    for row in prange(len(from_indptr) - 1):
        for place in range(from_indptr[row + 1] - from_indptr[row]):
            indices[at[row] + place] = from_indices[from_indptr[row] + place] + offset
            weight[at[row] + place] = from_weight[from_indptr[row] + place]
