"""Matrix: what a signal multiplies a profile with, sparse or of low rank, and its arrays in a bundle."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from paretail.retrieve.sparse import gather, spread

Dense = NDArray[np.float32]
Arrays = dict[str, NDArray[Any]]


class Matrix(Protocol):
    """A map from profile rows to item scores, none of them negative."""

    def apply(self, profile: sparse.csr_array) -> Dense:
        """Return `scores[users, items]` of `profile[users, rows]`."""
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
