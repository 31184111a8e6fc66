"""Random walks over a graph, and the pairs of nodes that lie close together on them.

From t the walk came to v; it goes on to a neighbour x of v with probability in proportion to

    w(v, x) α(t, x),   α = 1/p if x = t,  1 if t has an edge to x,  1/q otherwise

A. Grover, J. Leskovec, "node2vec: scalable feature learning for networks", KDD 2016, arXiv:1607.00653; with p = q = 1
the walks of B. Perozzi, R. Al-Rfou, S. Skiena, "DeepWalk", KDD 2014, arXiv:1403.6652. Deviation: no table for each pair
of nodes; x is proposed by w alone and kept with α / max(1, 1/q), and the way back, where 1/p is above that bound, has
its excess as an area of its own: K. Yang et al., "KnightKing: a fast distributed graph random walk engine", SOSP 2019,
doi:10.1145/3341301.3359634 (rejection sampling, lower bound, outlier folding). Exact for any p and q.
Every step follows from seed, epoch and the number of the walk: not from the number of threads or the size of a chunk.
"""

from collections.abc import Iterator

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.core.kernels import parallel_kernel
from paretail.graph.adjacency import Adjacency
from paretail.graph.chance import AliasTables, below, by_weight, fraction, inner, key_for


class Walker:
    """Walks of `length` nodes over all relations of a graph alike.

    Steps are drawn by weight (an alias table of 8 bytes an edge), uniformly where all weights are equal. An edge of
    weight 0 is never walked.
    """

    def __init__(self, graph: Adjacency, length: int, seed: int, p: float = 1.0, q: float = 1.0) -> None:
        if length < 1 or not (0 < p < np.inf and 0 < q < np.inf):
            raise ValueError(f"length {length}, p {p} and q {q} must be positive")
        self.graph, self.length, self._seed, self._p, self._q = graph, length, seed, p, q
        weighted = len(graph) > 0 and bool((graph.weight != graph.weight[0]).any() or graph.weight[0] == 0)
        bounds = graph.bounds if weighted else np.zeros(1, np.int64)
        self._tables = AliasTables.of(bounds, graph.weight[: bounds[-1]])

    def walk(self, starts: NDArray[np.integer], epoch: int, first: int = 0) -> Rows:
        """Return `[walks, length]` node numbers, one walk a start; -1 past the end of a walk that could not go on.

        `first` is the number of the first walk within the epoch: walks 0 to 9 are those of 0 to 4, then of 5 to 9.
        """
        graph, tables = self.graph, self._tables
        out = np.full((len(starts), self.length), -1, np.int32)
        key = key_for("graph/walks", self._seed, epoch)
        _walk(
            graph.check_numbers(starts), graph.bounds, graph.segments, graph.indptr, graph.indices, graph.weight,
            tables.chance, tables.other, tables.total, float(self._p), float(self._q), key, first, out,
        )  # fmt: skip
        return out

    def pairs(
        self, starts: NDArray[np.integer], epoch: int, window: int, chunk: int = 1024
    ) -> Iterator[tuple[Rows, Rows]]:
        """Yield centres and contexts: all pairs of nodes at most `window` steps apart on a walk, both ways round.

        A chunk has the pairs of so many walks, in random order; memory is bounded by it (about 16 chunk length window
        bytes). Starts are walked in the order given.
        """
        for at in range(0, len(starts), chunk):
            walks = self.walk(starts[at : at + chunk], epoch, at)
            yield window_pairs(walks, window, key_for("graph/walks/pairs", self._seed, epoch, at))


def starts_of(graph: Adjacency, each: int, seed: int, epoch: int) -> Rows:
    """Return every node that has edges `each` times, in random order: the starts of one epoch."""
    able = np.flatnonzero(np.diff(graph.bounds)).astype(np.int32)
    starts = np.tile(able, each)
    _shuffle(key_for("graph/walks/starts", seed, epoch), starts, starts[:0])
    return starts


def window_pairs(walks: Rows, window: int, key: np.uint64) -> tuple[Rows, Rows]:
    """Return the centres and contexts of `walks[walks, length]`, in the random order of `key`."""
    lengths = (walks >= 0).sum(axis=1)
    before = np.minimum(np.arange(walks.shape[1]), window)  # how many nodes a node is paired with
    size = 2 * int(np.concatenate([[0], np.cumsum(before)])[lengths].sum())
    centre, context = np.empty(size, np.int32), np.empty(size, np.int32)
    _pairs(walks, lengths, window, centre, context)
    _shuffle(key, centre, context)
    return centre, context


@parallel_kernel
def _walk(  # type: ignore[no-untyped-def]
    starts, bounds, segments, indptr, indices, weight, chance, other, total, p, q, key, first, out
):
    for walk in prange(len(starts)):
        stream, node = inner(key, first + walk), starts[walk]
        out[walk, 0], before = node, -1
        for at in range(1, out.shape[1]):
            found = _step(
                node, before, bounds, segments, indptr, indices, weight, chance, other, total, p, q, inner(stream, at)
            )
            if found < 0:
                break
            out[walk, at], before, node = found, node, found


@njit(cache=True, nogil=True)
def _step(  # type: ignore[no-untyped-def]
    node, before, bounds, segments, indptr, indices, weight, chance, other, total, p, q, stream
):
    start, stop = bounds[node], bounds[node + 1]
    mass = total[node] if len(total) > 0 else np.float64(stop - start)
    if mass <= 0:
        return -1
    first_order = before < 0 or p == q == 1.0
    high, low, back = max(1.0, 1.0 / q), min(1.0, 1.0 / q), 1.0 / p
    excess = 0.0
    if not first_order and back > high:
        edge = _linked(node, before, segments, indptr, indices, weight, len(total) > 0)
        excess = (back - high) * edge
    drawn = 0
    while True:
        if excess > 0 and fraction(stream, drawn) * (mass * high + excess) >= mass * high:
            return before
        u, y = fraction(stream, drawn + 1), fraction(stream, drawn + 2) * high
        drawn += 3
        if len(chance) > 0:
            found = indices[by_weight(chance, other, start, stop, u)]
        else:
            found = indices[start + np.int64(u * (stop - start))]
        if first_order:
            return found
        if found == before:
            if y < back:
                return found
        elif y < low or y < (1.0 if _linked(before, found, segments, indptr, indices, weight, False) > 0 else 1.0 / q):
            return found


@njit(cache=True, nogil=True)
def _linked(node, to, segments, indptr, indices, weight, weighted):  # type: ignore[no-untyped-def]
    """Return the weight of all edges from `node` to `to`, or how many there are."""
    found = 0.0
    for segment in range(segments[node], segments[node + 1]):
        start, stop = indptr[segment], indptr[segment + 1]
        at = start + np.searchsorted(indices[start:stop], to)
        if at < stop and indices[at] == to:
            found += weight[at] if weighted else 1.0
    return found


@njit(cache=True, nogil=True)
def _pairs(walks, lengths, window, centre, context):  # type: ignore[no-untyped-def]
    at = 0
    for walk in range(len(walks)):
        for place in range(lengths[walk]):
            for near in range(max(0, place - window), place):
                centre[at], context[at] = walks[walk, place], walks[walk, near]
                centre[at + 1], context[at + 1] = walks[walk, near], walks[walk, place]
                at += 2


@njit(cache=True, nogil=True)
def _shuffle(key, left, right):  # type: ignore[no-untyped-def]
    """Shuffle one array, or two alike: R. Durstenfeld, CACM 7(7), 1964, algorithm 235."""
    for last in range(len(left) - 1, 0, -1):
        place = below(key, last, last + 1)
        left[last], left[place] = left[place], left[last]
        if len(right) > 0:
            right[last], right[place] = right[place], right[last]
