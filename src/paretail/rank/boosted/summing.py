"""Summing trees: what many small complete trees say of many rows, 64 rows at once and without a branch.

    code(x) = number of the column's cuts below x,   x > cut_k  <=>  code > k
    place(node) = place(left) where code <= k,  else leaves below left + place(right),   from the last level up

Rows are coded once, a byte a column; then every node of a tree is asked of all 64 rows, whatever their way. A shallow
tree has few nodes, and bytes are compared 32 at a time: 31 nodes of 64 rows take less time than five dependent steps
of each row. The same comparisons and the same order of sums as following each row from the root: equal to the bit.
500 rows of 40 columns, one thread: 300 trees of depth 5 take .5 ms instead of 2.4, .15 of them the codes.

Source: the idea of asking all nodes with bytes is that of C. Lucchese et al., "QuickScorer", SIGIR 2015,
doi:10.1145/2766462.2767733. Deviations: 1. Leaves are found by places that are merged upwards and not by masks.
"""

from typing import Any, Final, Self

import numpy as np
from numba import prange
from numpy.typing import NDArray

from paretail.core.kernels import parallel_kernel

Dense = NDArray[np.float32]
Floats = NDArray[np.float64]

#: Rows of a block.
ROWS: Final = 64


class Coded:
    """The trees of `trees.py`, their cuts as codes; `feature[trees, nodes]`, `leaf[trees, leaves]` as there."""

    def __init__(self, cuts: Dense, counts: NDArray[np.int64], feature: NDArray[np.int32], code: NDArray[Any],
                 leaf: Dense) -> None:  # fmt: skip
        self.cuts, self.counts, self.feature, self.code, self.leaf = cuts, counts, feature, code, leaf

    @classmethod
    def of(cls, feature: NDArray[np.int32], cut: Dense, leaf: Dense) -> Self:
        """Number the cuts of each column; nodes without a question get a code that no row is above."""
        assert leaf.shape[1] <= np.iinfo(np.uint8).max + 1  # places are bytes
        there = feature >= 0
        found = [np.unique(cut[feature == column]) for column in range(int(feature.max(initial=-1)) + 1)]
        counts = np.array([len(cuts) for cuts in found], np.int64)
        most = int(counts.max(initial=0))
        code_type = np.uint8 if most < np.iinfo(np.uint8).max else np.uint16
        cuts, code = (
            np.zeros((len(found), most), np.float32),
            np.full(feature.shape, np.iinfo(code_type).max, code_type),
        )
        for column, values in enumerate(found):
            cuts[column, : len(values)] = values
            at = feature == column
            code[at] = np.searchsorted(values, cut[at])
        return cls(cuts, counts, np.where(there, feature, 0).astype(np.int32), code, np.ascontiguousarray(leaf))

    def sums(self, x: Dense) -> Floats:
        """Return the sum of the trees for each row of `x[rows, columns]`; NaN goes left."""
        codes = coded(x, self.cuts, self.counts, self.code.dtype)
        out = np.zeros(len(codes) * ROWS)
        _summed(codes, self.feature, self.code, self.leaf, out)
        return out[: len(x)]


def coded(x: Dense, cuts: Dense, counts: NDArray[np.int64], code_type: Any = np.uint8) -> NDArray[Any]:
    """Return how many of the first `counts[column]` of `cuts[columns, cuts]` lie below each value; NaN is below all.

    `[blocks, columns, ROWS]`, rows that are not there at the end; columns behind those of `cuts` are not coded.
    """
    codes = np.zeros((-(-len(x) // ROWS), max(1, len(counts)), ROWS), code_type)
    _coded(np.ascontiguousarray(x, np.float32), cuts, counts, codes)
    return codes


@parallel_kernel
def _coded(x, cuts, counts, codes):  # type: ignore[no-untyped-def]
    for block in prange(codes.shape[0]):
        first = block * ROWS
        there = min(ROWS, len(x) - first)
        value = np.zeros(ROWS, np.float32)
        for column in range(len(counts)):
            for row in range(there):
                value[row] = x[first + row, column]
            code = codes[block, column]
            for at in range(counts[column]):
                cut = cuts[column, at]
                for row in range(ROWS):
                    code[row] += cut < value[row]


@parallel_kernel
def _summed(codes, feature, code, leaf, out):  # type: ignore[no-untyped-def]
    trees, nodes = feature.shape
    last = nodes // 2  # the first node of the last level
    for block in prange(codes.shape[0]):
        place = np.zeros((nodes, ROWS), np.uint8)
        total = np.zeros(ROWS)
        for tree in range(trees):
            for node in range(nodes - 1, last - 1, -1):
                value, most = codes[block, feature[tree, node]], code[tree, node]
                for row in range(ROWS):
                    place[node, row] = value[row] > most
            below, level = 2, last  # leaves below a node's left child; the first node of the level below
            for node in range(last - 1, -1, -1):
                if 2 * node + 2 < level:
                    below, level = 2 * below, level // 2
                value, most = codes[block, feature[tree, node]], code[tree, node]
                left, right, here = place[2 * node + 1], place[2 * node + 2], place[node]
                for row in range(ROWS):
                    further = right[row] + below
                    here[row] = further if value[row] > most else left[row]
            for row in range(ROWS):
                total[row] += leaf[tree, place[0, row]]
        for row in range(ROWS):
            out[block * ROWS + row] = total[row]
