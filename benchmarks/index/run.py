"""From how many items on does an approximate index pay? Exact search and faiss on made vectors of 64 numbers.

    python benchmarks/index/run.py [10000 50000 ...]        # needs the extra `faiss`

Vectors lie around 256 centres with noise of the same size, in directions of falling strength, as learned vectors do;
queries are drawn alike. A query asks for the best 20 and has 30 items excluded, as in serving.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up

from paretail.core.rng import rng_for  # noqa: E402
from paretail.retrieve.index import ExactIndex, FaissIndex, Index  # noqa: E402

SIZES = (10_000, 50_000, 200_000, 1_000_000)
DIM, K, HAD = 64, 20, 30
BATCH, ALONE = 512, 60


def main() -> None:
    """Measure every size and record one part for each."""
    for items in [int(size) for size in sys.argv[1:]] or SIZES:
        about = harness.circumstances()
        vectors, queries, had = world(items)
        exact, first = _timed(lambda v=vectors: ExactIndex(v))
        faiss, second = _timed(lambda v=vectors: FaissIndex.build(v))
        truth, _ = exact.search(queries, K, had)
        rows = [
            {"engine": "exact", "build_s": round(first, 2), **measured(exact, queries, had, truth)},
            {
                "engine": f"faiss ({faiss.cells.nprobe} of {faiss.cells.nlist} cells)",
                "build_s": round(second, 2),
                **measured(faiss, queries, had, truth),
            },
        ]
        harness.record(HERE, f"{items:>9,} items", about, rows)


def world(items: int) -> tuple[np.ndarray, np.ndarray, sparse.csr_array]:
    """Return vectors, queries and the items that each query excludes."""
    rng = rng_for(f"benchmarks/index/{items}", 0)
    strength = np.arange(1, DIM + 1, dtype=np.float32) ** -0.5
    centres = rng.standard_normal((256, DIM), np.float32)

    def draw(rows: int) -> np.ndarray:
        near = centres[rng.integers(256, size=rows)]
        return (near + rng.standard_normal((rows, DIM), np.float32)) * strength

    vectors, queries = draw(items), draw(BATCH)
    had = np.sort(rng.integers(items, size=(BATCH, HAD)), axis=1).astype(np.int32)
    excluded = sparse.csr_array((np.ones(had.size, np.int8), had.ravel(), HAD * np.arange(BATCH + 1)), (BATCH, items))
    excluded.sum_duplicates()
    return vectors, queries, excluded


def measured(index: Index, queries: np.ndarray, had: sparse.csr_array, truth: np.ndarray) -> dict[str, Any]:
    """Return queries a second in a batch, milliseconds of one alone, and the share of the true best found."""
    (found, _), together = min(
        (_timed(lambda: index.search(queries, K, had)) for _ in range(3)), key=lambda run: run[1]
    )
    single = [(queries[[q]], had[[q]]) for q in range(ALONE)]
    alone = sorted(_timed(lambda one=one: index.search(one[0], K, one[1]))[1] for one in single)
    return {
        "batch queries a second": round(BATCH / together),
        "p50 (ms)": round(1000 * alone[ALONE // 2], 2),
        "p95 (ms)": round(1000 * alone[int(0.95 * ALONE)], 2),
        "recall@20": round(float(np.mean([np.isin(a, b).mean() for a, b in zip(truth, found, strict=True)])), 3),
    }


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started


if __name__ == "__main__":
    main()
