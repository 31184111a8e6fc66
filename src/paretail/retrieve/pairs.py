"""Item pairs that share transactions (users, orders, sessions): counted exactly, scored, the best of each item kept.

With c = the weight that i and j share, n_i and n_j their own, N = transactions, λ = shrinkage:

    cosine   c / ((‖i‖ ‖j‖)^p + λ), p = 1               Sarwar et al., "Item-based collaborative filtering
                                                        recommendation algorithms", WWW 2001, doi:10.1145/371920.372071
    jaccard  c / (n_i + n_j - c + λ)
    surprise sign(c - n_i n_j / N) sqrt(G²),  G² = 2 Σ k ln(k / expected k) over the four cells of the pair's table
                                                        T. Dunning, "Accurate methods for the statistics of surprise
                                                        and coincidence", Computational Linguistics 19(1), 1993
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
from paretail.retrieve.topk import replace_worst, sort_best_first

Measure = Literal["cosine", "jaccard", "surprise"]
CODES: Final[dict[Measure, int]] = {"cosine": 0, "jaccard": 1, "surprise": 2}


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Up to `most` others of each item, best first: `other[items, most]` is -1 past the end.

    `shared` is the weight that a pair shares (a count where transactions are 0 or 1), `score` the measure.
    """

    other: Rows
    shared: NDArray[np.float32]
    score: NDArray[np.float32]

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
        _neighbours(
            *_parts(holders), *_parts(transactions),
            size, CODES[measure], float(transactions.shape[0]), shrinkage, least, other, shared, score,
        )  # fmt: skip
    return Neighbours(other, shared, score)


def sizes(transactions: sparse.csr_array, measure: Measure) -> NDArray[np.float64]:
    """Return ‖i‖ for the cosine, else how many transactions hold each item."""
    squares = transactions.data.astype(np.float64) ** 2 if measure == "cosine" else None
    counts = np.bincount(transactions.indices, squares, minlength=transactions.shape[1])
    return np.sqrt(counts) if measure == "cosine" else counts.astype(np.float64)


def _parts(matrix: sparse.csr_array) -> tuple[NDArray[np.int64], Rows, NDArray[np.float32]]:
    """Return indptr, indices and data in one type each, so that the kernel compiles once."""
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.float32)


@parallel_kernel
def _neighbours(hp, hi, hx, tp, ti, tx, size, code, total, shrinkage, least, other, shared, score):  # type: ignore[no-untyped-def]
    items = len(size)
    chunks = min(items, 64)
    for chunk in prange(chunks):
        cells, touched = np.zeros(items, np.float32), np.empty(items, np.int32)
        for item in range(chunk, items, chunks):  # interleaved: neighbouring rows differ in cost
            count = _gather(hp[item], hp[item + 1], hi, hx, tp, ti, tx, cells, touched)
            cells[item] = 0.0
            _choose(
                item,
                touched[:count],
                cells,
                size,
                code,
                total,
                shrinkage,
                least,
                other[item],
                shared[item],
                score[item],
            )


@njit(cache=True)
def _choose(item, touched, cells, size, code, total, shrinkage, least, other, shared, best):  # type: ignore[no-untyped-def]
    """Keep the best of the touched cells, and clear them all."""
    for j in touched:
        if cells[j] > 0 and cells[j] >= least:
            value = np.float32(_measure(code, cells[j], size[item], size[j], total, shrinkage))
            if value > 0 and value >= best[0]:
                replace_worst(other, best, j, value)
    sort_best_first(other, best)
    for place in range(len(other)):
        if other[place] >= 0:
            shared[place] = cells[other[place]]
    for j in touched:
        cells[j] = 0.0


@njit(cache=True)
def _gather(start, stop, hi, hx, tp, ti, tx, cells, touched):  # type: ignore[no-untyped-def]
    """Sum into `cells` what the transactions of one item share with it; return how many cells were touched."""
    count = 0
    for a in range(start, stop):
        transaction = hi[a]
        for b in range(tp[transaction], tp[transaction + 1]):
            part = hx[a] * tx[b]
            if part <= 0.0:  # too small for float32: a cell that stays 0 would be touched again
                continue
            if cells[ti[b]] == 0.0:
                touched[count] = ti[b]
                count += 1
            cells[ti[b]] += part
    return count


@njit(cache=True)
def _measure(code, shared, size_i, size_j, total, shrinkage):  # type: ignore[no-untyped-def]
    if code == 0:
        return shared / (size_i * size_j + shrinkage)
    if code == 1:
        return shared / (size_i + size_j - shared + shrinkage)
    return surprise(shared, size_i, size_j, total)


@njit(cache=True)
def surprise(both, size_i, size_j, total):  # type: ignore[no-untyped-def]
    """Return the signed root of the log-likelihood ratio of a pair held together by `both` of `total` transactions."""
    g = _cell(both, size_i * size_j / total)
    g += _cell(size_i - both, size_i * (total - size_j) / total)
    g += _cell(size_j - both, size_j * (total - size_i) / total)
    g += _cell(total - size_i - size_j + both, (total - size_i) * (total - size_j) / total)
    root = np.sqrt(max(2.0 * g, 0.0))
    return root if both * total > size_i * size_j else -root


@njit(cache=True)
def _cell(count, expected):  # type: ignore[no-untyped-def]
    return count * np.log(count / expected) if count > 0 else 0.0
