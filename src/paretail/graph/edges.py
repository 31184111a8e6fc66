"""Typed, weighted, optionally timed edges between two node types, as compressed rows."""

from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.ids import Rows

#: (source node type, relation, target node type), for example ("item", "in", "category").
Relation = tuple[str, str, str]

Number = TypeVar("Number", np.float32, np.int64)


@dataclass(frozen=True, eq=False)
class EdgeSet:
    """The edges of one relation: those of source row `r` are `indices[indptr[r]:indptr[r + 1]]`, ascending.

    `weight[edges]` is 1 where the data names no other; `ts_ms[edges]` is None where edges have no time.
    """

    indptr: NDArray[np.int64]
    indices: Rows
    weight: NDArray[np.float32]
    targets: int  # how many nodes the target type has
    ts_ms: NDArray[np.int64] | None = None

    @classmethod
    def of(
        cls,
        sources: NDArray[np.integer],
        targets: NDArray[np.integer],
        shape: tuple[int, int],
        weight: NDArray[np.float32] | None = None,
        ts_ms: NDArray[np.int64] | None = None,
    ) -> Self:
        """Build from pairs of rows in any order; a repeated pair keeps its greatest weight and time."""
        weight = np.ones(len(sources), np.float32) if weight is None else weight.astype(np.float32)
        order = np.lexsort((targets, sources))
        first = _first_of_runs(sources[order], targets[order])
        starts = np.flatnonzero(first)
        rows = sources[order][starts]
        return cls(
            indptr=np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0]))]).astype(np.int64),
            indices=targets[order][starts].astype(np.int32),
            weight=_greatest(weight[order], starts),
            targets=shape[1],
            ts_ms=None if ts_ms is None else _greatest(ts_ms[order], starts),
        )

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def shape(self) -> tuple[int, int]:
        """How many source and target nodes there are, linked or not."""
        return len(self.indptr) - 1, self.targets

    @property
    def sources(self) -> Rows:
        """The source row of each edge."""
        return np.repeat(np.arange(self.shape[0], dtype=np.int32), np.diff(self.indptr))

    def of_row(self, row: int) -> Rows:
        """Return the targets of one source row, ascending."""
        return self.indices[self.indptr[row] : self.indptr[row + 1]]

    def reverse(self) -> "EdgeSet":
        """Return the same edges seen from their targets."""
        swapped = (self.targets, self.shape[0])
        return EdgeSet.of(self.indices, self.sources, swapped, self.weight, self.ts_ms)

    def matrix(self) -> sparse.csr_array:
        """Return the weights as a sparse matrix [sources, targets]."""
        return sparse.csr_array((self.weight, self.indices, self.indptr), shape=self.shape)


def _first_of_runs(*columns: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Mark each position that differs from the one before in any column."""
    differs = np.ones(len(columns[0]), bool)
    differs[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return differs


def _greatest(values: NDArray[Number], starts: NDArray[np.integer]) -> NDArray[Number]:
    return np.maximum.reduceat(values, starts) if len(starts) else values[:0]
