"""Matrix: what a signal multiplies a profile with, sparse or of low rank, and its arrays in a bundle."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.ids import Rows
from paretail.core.sparse import add_to_best, gather, product, spread, spread_one, terms

#: Of a larger catalogue a low-rank matrix tells one user's scores of so many items or fewer, evenly drawn. By 2,048 of
#: 12,000 items .997 of reasons name the same item as by all (beauty, tmall; 4,096: .999, 512: .994), at half the cost.
SAMPLE: Final = 2048

Dense = NDArray[np.float32]
Arrays = dict[str, NDArray[Any]]


class Matrix(Protocol):
    """A map from profile rows to item scores, none of them negative."""

    def apply(self, profile: sparse.csr_array) -> Dense:
        """Return `scores[users, items]` of `profile[users, rows]`."""
        ...

    def parts(self, rows: Rows, weights: Dense, listed: Rows) -> Dense:
        """Return `[rows, listed]`: what each row of one user's profile adds to the scores of the items `listed`.

        A part may be negative; scores are cut to 0 after parts are summed. `listed` are distinct.
        """
        ...

    def sampled(self, rows: Rows, weights: Dense) -> tuple[Dense, int]:
        """Return one user's scores of each n-th item, and n; 1 unless all would cost a reading of the matrix.

        In the caller's thread alone, like `parts`: no other thread has to wait.
        """
        ...

    def arrays(self) -> Arrays:
        """Return the arrays to keep."""
        ...


@dataclass(frozen=True, eq=False)
class Sparse:
    """Explicit entries `[rows, items]`."""

    entries: sparse.csr_array

    def apply(self, profile: sparse.csr_array) -> Dense:
        """Multiply."""
        return spread(profile, self.entries)

    def parts(self, rows: Rows, weights: Dense, listed: Rows) -> Dense:
        """Look the entries up."""
        return terms(rows, weights, self.entries, listed)

    def sampled(self, rows: Rows, weights: Dense) -> tuple[Dense, int]:
        """Return all scores."""
        return spread_one(rows, weights, self.entries), 1

    def arrays(self) -> Arrays:
        """Return the CSR arrays; the width stands in `shape`."""
        entries = self.entries
        return {
            "data": entries.data.astype(np.float32), "indices": entries.indices.astype(np.int32),
            "indptr": entries.indptr.astype(np.int64), "shape": np.array(entries.shape, np.int64),
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class LowRank:
    """`left[rows, dim] @ right[dim, items]`, negative scores cut to 0."""

    left: Dense
    right: Dense

    def apply(self, profile: sparse.csr_array) -> Dense:
        """Multiply by one side after the other."""
        return _cut(gather(profile, self.left) @ self.right)

    def parts(self, rows: Rows, weights: Dense, listed: Rows) -> Dense:
        """Multiply the vectors of the rows and of the items."""
        return product(weights[:, None] * self.left[rows], self.right[:, listed])

    def sampled(self, rows: Rows, weights: Dense) -> tuple[Dense, int]:
        """Multiply with the columns that are kept for this."""
        return _cut(self.sampled_uncut(rows, weights)), self.step

    def sampled_uncut(self, rows: Rows, weights: Dense) -> Dense:
        """Return the same before scores are cut to 0."""
        scores: Dense = product(product(weights[None], self.left[rows]), self._some)[0]
        return scores

    @property
    def step(self) -> int:
        """The n of `sampled`."""
        return -(-self.right.shape[1] // SAMPLE) or 1

    @cached_property
    def columns(self) -> Dense:
        """`right` column by column, for products with single items."""
        return np.ascontiguousarray(self.right.T)

    @cached_property
    def _some(self) -> Dense:
        return np.ascontiguousarray(self.right[:, :: self.step])

    def arrays(self) -> Arrays:
        """Return both sides."""
        return {"left": self.left, "right": self.right}


@dataclass(frozen=True, eq=False)
class Sum:
    """Near neighbours exactly and the rest smoothly: a sparse and a low-rank part, added before scores are cut to 0."""

    near: Sparse
    smooth: LowRank

    def apply(self, profile: sparse.csr_array) -> Dense:
        """Multiply by both."""
        scores = gather(profile, self.smooth.left) @ self.smooth.right
        return _cut(spread(profile, self.near.entries, scores))

    def apply_best(self, profile: sparse.csr_array, best: NDArray[np.integer]) -> Dense:
        """Multiply by both for the `best[user]` nearest items, by `near` alone for the others.

        For 500 users of `gowalla` all of the 20 best items are among the 100 nearest, and .9994 among 50.
        """
        scores = spread(profile, self.near.entries)
        add_to_best(scores, best, gather(profile, self.smooth.left), self.smooth.columns)
        return _cut(scores)

    def parts(self, rows: Rows, weights: Dense, listed: Rows) -> Dense:
        """Add both; whole columns are at hand here, which spares a cache miss a number."""
        smooth = product(weights[:, None] * self.smooth.left[rows], self.smooth.columns[listed].T)
        return self.near.parts(rows, weights, listed) + smooth

    def sampled(self, rows: Rows, weights: Dense) -> tuple[Dense, int]:
        """Add both."""
        near, step = spread_one(rows, weights, self.near.entries), self.smooth.step
        return _cut(near[::step] + self.smooth.sampled_uncut(rows, weights)), step

    def arrays(self) -> Arrays:
        """Return the arrays of both parts."""
        return {**self.near.arrays(), **self.smooth.arrays()}


def matrix_from(arrays: Arrays) -> Matrix:
    """Rebuild what `arrays()` returned."""
    smooth = LowRank(arrays["left"], arrays["right"]) if "left" in arrays else None
    near = Sparse(_csr(arrays)) if "data" in arrays else None
    found = Sum(near, smooth) if near and smooth else near or smooth
    assert found is not None
    return found


def _cut(scores: Dense) -> Dense:
    """Cut negative scores to 0, in place."""
    np.maximum(scores, 0, out=scores)
    return scores


def _csr(arrays: Arrays) -> sparse.csr_array:
    shape = (int(arrays["shape"][0]), int(arrays["shape"][1]))
    return sparse.csr_array((arrays["data"], arrays["indices"], arrays["indptr"]), shape)
