"""Signals on one scale: each user's scores divided by the mean of the best 50, then log(1 + kappa x).

Sums of co-occurrences, probabilities and decayed counts have no common unit; a user's own best scores are one.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.kernels import parallel_kernel

#: How many of a user's best scores make the unit.
BEST = 50

#: A score that no signal gives: it orders items for which nothing speaks, after all others.
FAINT = np.float32(1e-6)

Dense = NDArray[np.float32]


def to_units(scores: Dense, left_out: sparse.csr_array) -> Dense:
    """Divide each row of `scores[users, items]`, in place, by the mean of its BEST best; left-out items become 0."""
    _to_units(scores, left_out.indptr, left_out.indices)
    return scores


def add_shaped(total: Dense, scores: Dense, left_out: sparse.csr_array, theta: float, kappa: float) -> None:
    """Add theta log(1 + kappa x) (theta x for kappa = 0) of the scores in units to `total`, in place."""
    _add_shaped(total, to_units(scores, left_out), np.float32(theta), np.float32(kappa))


def unit_of(scores: NDArray[np.float32], step: int, left_out: NDArray[np.integer]) -> float:
    """Return one user's unit from the scores of each `step`-th item, 0 where none is above 0.

    With a step above 1 it is an estimate: the mean of as many of the best as there are of BEST in one of `step` items,
    1 at least. `scores` of items left out become 0, in place.
    """
    scores[left_out[left_out % step == 0] // step] = 0.0
    return float(_mean_of_best(scores, max(round(BEST / step), 1)))


def fill(total: Dense, floor: NDArray[np.float32], enough: int) -> None:
    """Give items without a score that of `floor[items]`, in place, in rows with fewer than `enough` scores above 0.

    In an empty row as it is; below other scores only to order what they leave equal.
    """
    _fill(total, floor, enough, FAINT)


@parallel_kernel
def _to_units(scores, indptr, indices):  # type: ignore[no-untyped-def]
    for user in prange(len(scores)):
        row = scores[user]
        for place in range(indptr[user], indptr[user + 1]):
            row[indices[place]] = 0.0
        unit = _mean_of_best(row, BEST)
        if unit > 0:
            for item in range(len(row)):
                row[item] /= unit  # 1 / unit would be infinite where all that speaks for an item is years old


@njit(cache=True, nogil=True)
def _mean_of_best(row, best):  # type: ignore[no-untyped-def]
    """Keep the `best` largest positive values in a heap, the least at 0."""
    heap = np.zeros(best, np.float32)
    for item in range(len(row)):
        value = row[item]
        if value <= heap[0]:
            continue
        at = 0
        while True:
            child = 2 * at + 1
            if child >= best:
                break
            if child + 1 < best and heap[child + 1] < heap[child]:
                child += 1
            if heap[child] >= value:
                break
            heap[at] = heap[child]
            at = child
        heap[at] = value
    return heap.sum() / np.float32(best)


@parallel_kernel
def _add_shaped(total, scores, theta, kappa):  # type: ignore[no-untyped-def]
    for user in prange(len(scores)):
        row, cells = scores[user], total[user]
        for item in range(len(row)):
            value = row[item]
            if value > 0:
                cells[item] += theta * (np.log1p(kappa * value) if kappa > 0 else value)


@parallel_kernel
def _fill(total, floor, enough, faint):  # type: ignore[no-untyped-def]
    for user in prange(len(total)):
        row, found = total[user], 0
        for item in range(len(row)):
            if row[item] > 0:
                found += 1
                if found == enough:
                    break
        if found < enough:
            scale = faint if found else np.float32(1.0)
            for item in range(len(row)):
                if row[item] <= 0:
                    row[item] = scale * floor[item]
