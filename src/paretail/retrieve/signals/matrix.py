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
        scores = gather(profile, self.left) @ self.right
        return np.maximum(scores, 0, out=scores)

    def arrays(self) -> Arrays:
        """Return both sides."""
        return {"left": self.left, "right": self.right}


def matrix_from(arrays: Arrays) -> Matrix:
    """Rebuild what `arrays()` returned."""
    if "left" in arrays:
        return LowRank(arrays["left"], arrays["right"])
    shape = tuple(int(size) for size in arrays["shape"])
    return Sparse(sparse.csr_array((arrays["data"], arrays["indices"], arrays["indptr"]), shape))
