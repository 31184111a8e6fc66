"""Alternatives: items that people look at together but seldom buy together, those of the same category first.

    score(a, b) = surprise(a, b looked at together) · min(1, (t_a t_b / T + 1) / (t_ab + 1)) · (½ + ½ kin(a, b))

with t of T orders that hold an item or a pair, and kin the levels that two category paths share, divided by the
levels of the longer one. The second factor is 1 / lift of being bought together, drawn to 1 where orders are few; it
is 1 where orders are unknown. The third is 1 where an item has no category.

Source: J. McAuley, R. Pandey, J. Leskovec, "Inferring networks of substitutable and complementary products", KDD
2015, arXiv:1506.08839: viewed by the same people, substitutes; bought by the same people, complements. Deviations:
counts in closed form, not a model of the texts.
"""

from typing import Final

import numpy as np
from numba import prange
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.core.kernels import parallel_kernel
from paretail.core.sparse import in_common
from paretail.graph.edges import EdgeSet
from paretail.retrieve.pairs import Neighbours, held_together
from paretail.retrieve.transactions import Transactions

#: Pairs looked at, as a multiple of the list, before those bought together fall behind.
SPARE: Final = 3


def alternatives(found: Neighbours, orders: Transactions | None, categories: EdgeSet | None, most: int) -> Neighbours:
    """Return the `most` best alternatives of each item among those `found`, by surprise of being looked at together."""
    kept = found.other >= 0
    a = np.repeat(np.arange(len(kept), dtype=np.int32), kept.sum(axis=1))
    b = found.other[kept]
    score = np.zeros(found.score.shape, np.float32)
    score[kept] = found.score[kept] * _not_together(found.other, orders)[kept] * (0.5 + 0.5 * _kin(a, b, categories))
    return _reordered(found, score, most)


def _not_together(other: NDArray[np.int32], orders: Transactions | None) -> NDArray[np.float64]:
    """Return min(1, (expected + 1) / (t_ab + 1)) of each pair: how seldom it is bought together."""
    if orders is None:
        return np.ones(other.shape)
    bought = np.bincount(orders.indices, minlength=orders.shape[1]).astype(np.float64)
    expected = bought[:, None] * bought[other] / max(orders.shape[0], 1)
    return np.asarray(np.minimum(1.0, (expected + 1) / (held_together(orders, other) + 1)))


def _kin(a: Rows, b: Rows, categories: EdgeSet | None) -> NDArray[np.float64]:
    """Return shared levels / levels of the longer category path; 1 where an item has no category."""
    if categories is None:
        return np.ones(len(a))
    shared = np.zeros(len(a), np.int64)
    _count_both(np.asarray(categories.indptr), np.asarray(categories.indices), a, b, shared)
    levels = np.diff(categories.indptr)
    return np.where(
        np.minimum(levels[a], levels[b]) == 0, 1.0, shared / np.maximum(np.maximum(levels[a], levels[b]), 1)
    )


def _reordered(found: Neighbours, score: NDArray[np.float32], most: int) -> Neighbours:
    """Return the `most` best by `score`, those of score 0 left out; equal scores, the lower row first."""
    order = np.lexsort((found.other, -score), axis=1)[:, :most]
    best = np.take_along_axis(score, order, axis=1)
    other = np.where(best > 0, np.take_along_axis(found.other, order, axis=1), np.int32(-1))
    return Neighbours(other, np.take_along_axis(found.shared, order, axis=1), best)


@parallel_kernel
def _count_both(indptr, indices, a, b, both):  # type: ignore[no-untyped-def]
    """Count for each pair of rows the columns that both hold; columns ascending."""
    for pair in prange(len(a)):
        both[pair] = in_common(
            indices[indptr[a[pair]] : indptr[a[pair] + 1]], indices[indptr[b[pair]] : indptr[b[pair] + 1]]
        )
