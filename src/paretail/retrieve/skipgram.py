"""Skip-gram with negative sampling: a node's vector says which nodes lie near it on walks.

    L = Σ_(v,c) -ln σ(w_v·c_c) - Σ_j ln σ(-w_v·c_j),   c at most `window` steps from v on a walk,  j ~ q ∝ s^power

with w the vectors of nodes as centres, c as contexts, s a node's edge weights summed: how often a long walk comes by.
At its optimum w_v·c_c = ln P(c | v) - ln(negatives q_c), so w_v·c_c + ln q_c ranks contexts by P(c | v).

T. Mikolov et al., "Distributed representations of words and phrases and their compositionality", NeurIPS 2013,
arXiv:1310.4546 (the loss, `power`); the optimum: O. Levy, Y. Goldberg, "Neural word embedding as implicit matrix
factorization", NeurIPS 2014. Several threads: Z. Zhu et al., "GraphVite: a high-performance CPU-GPU hybrid system for
node embedding", WWW 2019, arXiv:1903.00757: nodes stand in blocks, pairs whose blocks of centres and of contexts are
all different descend at once, and a context's negatives come from its block, so that no two threads touch a vector.
Deviations: 1. the blocks are drawn anew for each chunk of walks: with fixed ones it would be lost which block a node is
near to; 2. pairs of a chunk are taken block by block; 3. the number of blocks follows from that of the nodes, so that
bytes do not depend on the number of threads.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.core.kernels import parallel_kernel
from paretail.core.rng import rng_for
from paretail.graph.chance import AliasTables, by_weight, fraction, inner, key_for

Vectors = NDArray[np.float32]
#: Centres and contexts, as `graph.walks.window_pairs` tells them.
Pairs = tuple[Rows, Rows]
#: The step at the end of training, as a share of the first.
LAST_STEP: Final = 1e-4
#: At most so many blocks, each of at least so many nodes.
MOST_BLOCKS: Final = 16
BLOCK_NODES: Final = 128


@dataclass(frozen=True, eq=False)
class SkipGram:
    """Vectors `centre[nodes, dim]`, `context[nodes, dim]`, and the log of the probability of each as a negative."""

    centre: Vectors
    context: Vectors
    log_q: Vectors

    @classmethod
    def start(cls, often: NDArray[np.floating], dim: int, power: float, seed: int) -> "SkipGram":
        """Return vectors to start from: small random centres, contexts of 0; `often[nodes]` is how often each comes."""
        rng, nodes = rng_for("retrieve/skipgram", seed), len(often)
        centre = (rng.random((nodes, dim), np.float32) - np.float32(0.5)) / np.float32(dim)
        least = often[often > 0].min(initial=np.inf)
        q = np.maximum(often, least if np.isfinite(least) else 1.0).astype(np.float64) ** power
        return cls(centre, np.zeros((nodes, dim), np.float32), np.log(q / max(q.sum(), 1e-300)).astype(np.float32))

    def descend(self, chunks: Iterator[Pairs], lr: Callable[[int], float], negatives: int, seed: int) -> None:
        """Go once through the pairs of each chunk; `lr(chunk)` is its step."""
        for number, (centres, contexts) in enumerate(chunks):
            blocks = _Blocks.drawn(self.log_q, key_for("retrieve/skipgram/blocks", seed, number))
            order, bounds = blocks.sorted(centres, contexts)
            _descend(
                self.centre, self.context, centres, contexts, order, bounds, blocks.bounds, blocks.nodes,
                blocks.tables.chance, blocks.tables.other, np.float32(lr(number)), negatives,
                key_for("retrieve/skipgram/negatives", seed, number),
            )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Block b holds `nodes[bounds[b]:bounds[b + 1]]`; `of[nodes]` is each node's block."""

    of: NDArray[np.uint8]
    nodes: Rows
    bounds: NDArray[np.int64]
    tables: AliasTables

    @classmethod
    def drawn(cls, log_q: Vectors, key: np.uint64) -> "_Blocks":
        count = int(np.clip(len(log_q) // BLOCK_NODES, 1, MOST_BLOCKS))
        of = np.empty(len(log_q), np.uint8)
        _throw(key, count, of)
        nodes = np.argsort(of, kind="stable").astype(np.int32)
        bounds = np.concatenate([[0], np.cumsum(np.bincount(of, minlength=count))]).astype(np.int64)
        return cls(of, nodes, bounds, AliasTables.of(bounds, np.exp(log_q[nodes])))

    def sorted(self, centres: Rows, contexts: Rows) -> tuple[Rows, NDArray[np.int64]]:
        """Return the pairs' order by turn and block of centres, and where each of these begins."""
        count = len(self.bounds) - 1
        order, bounds = np.empty(len(centres), np.int32), np.zeros(count * count + 1, np.int64)
        _sort(self.of, centres, contexts, count, order, bounds)
        return order, bounds


@njit(cache=True, nogil=True)
def _throw(key, count, of):  # type: ignore[no-untyped-def]
    for node in range(len(of)):
        of[node] = np.int64(fraction(key, node) * count)


@njit(cache=True, nogil=True)
def _cell(of, centre, context, count):  # type: ignore[no-untyped-def]
    """Return turn * count + block of the centre; in a turn no two blocks of centres meet the same of contexts."""
    return (of[context] + count - of[centre]) % count * count + of[centre]


@njit(cache=True, nogil=True)
def _sort(of, centres, contexts, count, order, bounds):  # type: ignore[no-untyped-def]
    for pair in range(len(centres)):
        bounds[_cell(of, centres[pair], contexts[pair], count) + 1] += 1
    for cell in range(len(bounds) - 1):
        bounds[cell + 1] += bounds[cell]
    at = bounds.copy()
    for pair in range(len(centres)):
        cell = _cell(of, centres[pair], contexts[pair], count)
        order[at[cell]] = pair
        at[cell] += 1


@parallel_kernel
def _descend(  # type: ignore[no-untyped-def]
    W, C, centres, contexts, order, bounds, blocks, nodes, chance, other, lr, negatives, key
):
    count = len(blocks) - 1
    for turn in range(count):
        for block in prange(count):
            cell = turn * count + block
            met = (turn + block) % count
            _descend_cell(
                W, C, centres, contexts, order[bounds[cell] : bounds[cell + 1]], blocks[met], blocks[met + 1], nodes,
                chance, other, lr, negatives, inner(key, cell),
            )  # fmt: skip


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _descend_cell(  # type: ignore[no-untyped-def]
    W, C, centres, contexts, pairs, start, stop, nodes, chance, other, lr, negatives, key
):
    dim, drawn = W.shape[1], 0
    moved = np.empty(dim, np.float32)
    for pair in pairs:
        w, context = W[centres[pair]], contexts[pair]
        moved[:] = 0
        for slot in range(negatives + 1):
            target, label = context, np.float32(1)
            if slot > 0:
                target, label = nodes[by_weight(chance, other, start, stop, fraction(key, drawn))], np.float32(0)
                drawn += 1
                if target == context:
                    continue
            c, x = C[target], np.float32(0)
            for f in range(dim):
                x += w[f] * c[f]
            g = lr * (label - np.float32(1) / (np.float32(1) + np.exp(-x)))
            for f in range(dim):
                moved[f] += g * c[f]
                c[f] += g * w[f]
        for f in range(dim):
            w[f] += moved[f]
