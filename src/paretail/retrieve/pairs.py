"""Item pairs that share transactions (users, orders, sessions): counted exactly, scored, the best of each item kept.

With c = the weight that i and j share, n_i and n_j their own, N = transactions, λ = shrinkage:

    cosine   c / ((‖i‖ ‖j‖)^p + λ), p = 1               Sarwar et al., "Item-based collaborative filtering
                                                        recommendation algorithms", WWW 2001, doi:10.1145/371920.372071
    jaccard  c / (n_i + n_j - c + λ)
    surprise sign(c - n_i n_j / N) sqrt(G²),  G² = 2 Σ k ln(k / expected k) over the four cells of the pair's table
                                                        T. Dunning, "Accurate methods for the statistics of surprise
                                                        and coincidence", Computational Linguistics 19(1), 1993
                                                        (here as Σ cells k ln k - Σ margins k ln k + N ln N)
The shrinkage λ in the denominator is that of R. Bell, Y. Koren, ICDM 2007, doi:10.1109/ICDM.2007.90, in the form of
M. Ferrari Dacrema et al., 2019, arXiv:1907.06902. Deviations: the power p.
Sums run in one thread for each item in a fixed order: results do not depend on the number of threads.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.ids import Rows
from paretail.core.kernels import parallel_kernel
from paretail.core.sparse import keep_best, rank_best_first, sum_row

Measure = Literal["cosine", "jaccard", "surprise"]
Sizes = NDArray[np.float64]
CODES: Final[dict[Measure, int]] = {"cosine": 0, "jaccard": 1, "surprise": 2}


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Up to `most` others of each item, best first: `other[items, most]` is -1 past the end.

    `shared` is the weight that a pair shares (a count where transactions are 0 or 1), `score` the measure.
    """

    other: Rows
    shared: NDArray[np.float32]
    score: NDArray[np.float32]

    def first(self, most: int) -> "Neighbours":
        """Return the first `most` of each item."""
        return Neighbours(self.other[:, :most], self.shared[:, :most], self.score[:, :most])

    def matrix(self) -> sparse.csr_array:
        """Return the scores as [items, others], columns of each row best first."""
        kept = self.other >= 0
        indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int64)
        return sparse.csr_array((self.score[kept], self.other[kept], indptr), shape=(len(kept), len(kept)))


def neighbours(
    transactions: sparse.csr_array,
    measure: Measure,
    most: int,
    shrinkage: float = 0.0,
    least: float = 0.0,
    power: float = 1.0,
) -> Neighbours:
    """Return the `most` others with the greatest positive `measure` for each item of `transactions[rows, items]`.

    Pairs that share less than `least` are left out. Equal scores go to the lower row first. `jaccard` and
    `surprise` count, whatever the weights. `power` below 1 lets popular items keep part of their lead in the
    cosine. Cost: the sum of squared transaction sizes; memory: the
    result and one row of items a thread.
    """
    if measure != "cosine":
        ones = np.ones(transactions.nnz, np.float32)
        transactions = sparse.csr_array((ones, transactions.indices, transactions.indptr), shape=transactions.shape)
    holders = sparse.csr_array(transactions.T.tocsr())
    items = holders.shape[0]
    most = min(most, max(items - 1, 0))
    other = np.full((items, most), -1, np.int32)
    shared, score = np.zeros((items, most), np.float32), np.zeros((items, most), np.float32)
    if most:
        size = sizes(transactions, measure) ** (power if measure == "cosine" else 1.0)
        logs, margins = _logs(measure, size, transactions.shape[0])
        _neighbours(
            *_parts(holders), *_parts(transactions),
            size, logs, margins, CODES[measure], float(transactions.shape[0]), shrinkage, least, other, shared, score,
        )  # fmt: skip
    return Neighbours(other, shared, score)


def held_together(transactions: sparse.csr_array, other: Rows) -> NDArray[np.float32]:
    """Return the weight that each item shares with its `other[items, most]` in `transactions`, 0 past the end (-1)."""
    holders = sparse.csr_array(transactions.T.tocsr())
    shared = np.zeros(other.shape, np.float32)
    _held_together(*_parts(holders), *_parts(transactions), other, shared)
    return shared


def sizes(transactions: sparse.csr_array, measure: Measure) -> Sizes:
    """Return ‖i‖ for the cosine, else how many transactions hold each item."""
    squares = transactions.data.astype(np.float64) ** 2 if measure == "cosine" else None
    counts = np.bincount(transactions.indices, squares, minlength=transactions.shape[1])
    return np.sqrt(counts) if measure == "cosine" else counts.astype(np.float64)


def _logs(measure: Measure, size: Sizes, total: int) -> tuple[Sizes, Sizes]:
    """Return k ln k of all k up to `total`, and its sum over the margins of each item, if the measure needs them."""
    if measure != "surprise":
        return np.zeros(1), np.zeros(len(size))
    k = np.arange(total + 1, dtype=np.float64)
    logs = k * np.log(np.maximum(k, 1.0))
    held = size.astype(np.int64)
    return logs, logs[held] + logs[total - held]


def _parts(matrix: sparse.csr_array) -> tuple[NDArray[np.int64], Rows, NDArray[np.float32]]:
    """Return indptr, indices and data in one type each, so that the kernel compiles once."""
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.float32)


@parallel_kernel
def _neighbours(hp, hi, hx, tp, ti, tx, size, logs, margins, code, total, shrinkage, least, other, shared, score):  # type: ignore[no-untyped-def]
    items = len(size)
    chunks = min(items, 64)
    for chunk in prange(chunks):
        cells, touched = np.zeros(items, np.float32), np.empty(items, np.int32)
        for item in range(chunk, items, chunks):  # interleaved: neighbouring rows differ in cost
            count = sum_row(item, hp, hi, hx, tp, ti, tx, cells, touched)
            found, value = touched[:count], np.zeros(count, np.float32)
            for place in range(count):
                j = found[place]
                if cells[j] >= least:
                    value[place] = _measure(
                        code, cells[j], size[item], size[j], total, shrinkage, logs, margins[item], margins[j]
                    )
            kept = keep_best(item, found, value, other[item], score[item])
            rank_best_first(other[item, :kept], score[item, :kept])
            _take(found, cells, other[item], shared[item])


@parallel_kernel
def _held_together(hp, hi, hx, tp, ti, tx, other, shared):  # type: ignore[no-untyped-def]
    items = len(other)
    chunks = min(items, 64)
    for chunk in prange(chunks):
        cells, touched = np.zeros(items, np.float32), np.empty(items, np.int32)
        for item in range(chunk, items, chunks):
            count = sum_row(item, hp, hi, hx, tp, ti, tx, cells, touched)
            _take(touched[:count], cells, other[item], shared[item])


@njit(cache=True)
def _take(found, cells, other, shared):  # type: ignore[no-untyped-def]
    """Copy the cells of `other`, and clear all that were found."""
    for place in range(len(other)):
        if other[place] >= 0:
            shared[place] = cells[other[place]]
    for j in found:
        cells[j] = 0.0


@njit(cache=True)
def _measure(code, shared, size_i, size_j, total, shrinkage, logs, cells_i, cells_j):  # type: ignore[no-untyped-def]
    if code == 0:
        return shared / (size_i * size_j + shrinkage)
    if code == 1:
        return shared / (size_i + size_j - shared + shrinkage)
    if shared * total <= size_i * size_j:
        return 0.0
    return _surprise(int(shared), int(size_i), int(size_j), int(total), logs, cells_i + cells_j)


@njit(cache=True)
def _surprise(both, size_i, size_j, total, logs, margins):  # type: ignore[no-untyped-def]
    """Return the root of a pair's log-likelihood ratio; `logs[k]` is k ln k, `margins` its sum over the margins."""
    g = logs[both] + logs[size_i - both] + logs[size_j - both] + logs[total - size_i - size_j + both] + logs[total]
    return np.sqrt(max(2.0 * (g - margins), 0.0))
