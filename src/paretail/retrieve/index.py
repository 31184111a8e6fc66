"""Maximum inner product search: for each query vector the items with the greatest product; exact unless told otherwise.

`exact` multiplies blocks and takes the top-k: right, and fast enough for most shops. `faiss` looks only into the
nearest of about 4 sqrt(items) cells (IVF-Flat) and needs the extra `faiss`; `benchmarks/index` measures from how many
items on it pays. Both give the same lists the same way round: best first, equal scores the lower row first (exact).

Source: J. Johnson, M. Douze, H. Jégou, "Billion-scale similarity search with GPUs", 2019, arXiv:1702.08734 (faiss).
Deviations: the number of cells looked into is not fixed; it doubles until a sample of queries finds `RECALL` of the
exact lists.
"""

from typing import Any, Final, Literal, Protocol, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.errors import Problem, UsageError
from paretail.core.ids import Rows
from paretail.core.rng import rng_for
from paretail.retrieve.topk import SERIAL, top_k

Vectors = NDArray[np.float32]
Found = tuple[Rows, Vectors]
#: Scores held at a time: 128 MiB of float32.
SCORES_PER_BLOCK: Final = 32 << 20
#: The share of the exact 20 best that a sample of queries must find.
RECALL: Final = 0.98
SAMPLE: Final = 256


class Index(Protocol):
    """Answers `search`; item rows are those of the vectors that it was built from."""

    def search(self, queries: Vectors, k: int, exclude: sparse.csr_array | None = None) -> Found:
        """Return `item_idx[queries, k]` and `scores[queries, k]`, best first, -1 and -inf past the end.

        `exclude[queries, items]` names items (stored entries) that a query must not get.
        """
        ...


def index(vectors: Vectors, kind: Literal["exact", "faiss"] = "exact", seed: int = 0) -> Index:
    """Build an index of `vectors[items, dim]`."""
    return ExactIndex(vectors) if kind == "exact" else FaissIndex.build(vectors, seed)


class ExactIndex:
    """Every product is computed."""

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = np.ascontiguousarray(vectors, np.float32)

    def search(self, queries: Vectors, k: int, exclude: sparse.csr_array | None = None) -> Found:
        """Return the true best; memory is bounded by SCORES_PER_BLOCK, whatever the number of queries."""
        block = max(1, SCORES_PER_BLOCK // max(1, len(self.vectors)))
        found = [
            top_k(self._products(queries[rows]), k, None if exclude is None else exclude[rows])
            for rows in (slice(start, start + block) for start in range(0, len(queries), block))
        ]
        if not found:
            return np.empty((0, k), np.int32), np.empty((0, k), np.float32)
        return np.concatenate([part[0] for part in found]), np.concatenate([part[1] for part in found])

    def _products(self, queries: Vectors) -> Vectors:
        if len(queries) * len(self.vectors) > SERIAL:
            return queries @ self.vectors.T
        scores = np.empty((len(queries), len(self.vectors)), np.float32)
        _products(self.vectors, np.ascontiguousarray(queries, np.float32), scores)
        return scores


@njit(cache=True, fastmath=True)
def _products(vectors, queries, scores):  # type: ignore[no-untyped-def]
    """Multiply in one thread: on a busy machine waking the BLAS's others takes longer than one query's work."""
    for query in range(len(queries)):
        for item in range(len(vectors)):
            total = np.float32(0)
            for part in range(vectors.shape[1]):
                total += vectors[item, part] * queries[query, part]
            scores[query, item] = total


class FaissIndex:
    """Only some cells are looked into; a small share of the true best is missed (see RECALL)."""

    def __init__(self, cells: Any) -> None:
        self.cells = cells

    @classmethod
    def build(cls, vectors: Vectors, seed: int = 0) -> Self:
        """Cluster the vectors and find how many cells must be looked into.

        Raises UsageError (RETR-06) where the extra `faiss` is not installed.
        """
        faiss = _faiss()
        vectors = np.ascontiguousarray(vectors, np.float32)
        count = max(1, min(int(4 * np.sqrt(len(vectors))), len(vectors) // 40))
        cells = faiss.IndexIVFFlat(
            faiss.IndexFlatIP(vectors.shape[1]), vectors.shape[1], count, faiss.METRIC_INNER_PRODUCT
        )
        cells.cp.seed = seed
        cells.cp.min_points_per_centroid = 1  # a small shop is no mistake
        cells.cp.max_points_per_centroid = 64  # a quarter of the default: training a million items takes seconds
        cells.train(vectors)
        cells.add(vectors)
        found = cls(cells)
        found._widen(vectors[rng_for("retrieve/index", seed).permutation(len(vectors))[:SAMPLE]], vectors)
        return found

    def search(self, queries: Vectors, k: int, exclude: sparse.csr_array | None = None) -> Found:
        """Return nearly the best; what is excluded is fetched first and dropped."""
        queries = np.ascontiguousarray(queries, np.float32)
        spare = 0 if exclude is None else int(np.diff(exclude.indptr).max(initial=0))
        scores, items = self.cells.search(queries, min(k + spare, max(self.cells.ntotal, 1)))
        scores = np.where(items >= 0, scores, -np.inf).astype(np.float32)
        if exclude is not None:
            scores[_excluded(items, exclude, self.cells.ntotal)] = -np.inf
        place, best = top_k(scores, k)
        item_idx = np.take_along_axis(items, np.maximum(place, 0), axis=1)
        return np.where(place >= 0, item_idx, -1).astype(np.int32), best

    def arrays(self) -> dict[str, NDArray[np.uint8]]:
        """Return the index as bytes for a bundle."""
        return {"faiss": _faiss().serialize_index(self.cells)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.uint8]]) -> Self:
        """Rebuild from `arrays()`."""
        return cls(_faiss().deserialize_index(np.ascontiguousarray(arrays["faiss"])))

    def _widen(self, queries: Vectors, vectors: Vectors) -> None:
        """Double the cells looked into until the queries find RECALL of their true best."""
        k = min(20, len(vectors))
        true, _ = ExactIndex(vectors).search(queries, k)
        self.cells.nprobe = 1
        while self.cells.nprobe < self.cells.nlist:
            found, _ = self.search(queries, k)
            if np.mean([np.isin(a, b).mean() for a, b in zip(true, found, strict=True)]) >= RECALL:
                return
            self.cells.nprobe = min(2 * self.cells.nprobe, self.cells.nlist)


def _excluded(items: NDArray[np.int64], exclude: sparse.csr_array, width: int) -> NDArray[np.bool_]:
    """Mark the cells of `items[queries, n]` that `exclude` names."""
    row = np.repeat(np.arange(exclude.shape[0], dtype=np.int64), np.diff(exclude.indptr))
    asked = np.arange(len(items), dtype=np.int64)[:, None] * width + items
    return (items >= 0) & np.isin(asked, row * width + exclude.indices)


def _faiss() -> Any:
    try:
        import faiss  # an extra: absent in a base installation
    except ImportError:
        expected = "The extra `faiss` has it"
        do = "Install it with: pip install 'paretail[faiss]', or use the exact index"
        raise UsageError(Problem("RETR-06", "the library faiss is not installed", expected, do)) from None
    return faiss
