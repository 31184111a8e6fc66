"""Sparse times dense over a full graph: how long the forward and the backward product take, by candidate.

    python benchmarks/products/run.py [PASSES]        # needs the extra `learn`

The graph is that of gowalla (`PARETAIL_DATA`), else a generated one of the same size, normalised by the square roots
of the degrees; 64 numbers a row, float32. Forward is A X, backward A^T dY. Candidates take turns, so that what else
runs on the machine disturbs all of them alike: read the fastest of all passes beside the median.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from warnings import catch_warnings, simplefilter

import numpy as np
import polars as pl
import torch
from numba import njit, prange
from scipy import sparse
from torch import Tensor
from torch.nn.functional import embedding_bag

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up

from paretail.core.rng import rng_for  # noqa: E402
from paretail.learn import device  # noqa: E402
from paretail.learn.products import Csr, propagate  # noqa: E402

DIM, PASSES = 64, 25
USERS, ITEMS, EVENTS = 29_858, 40_981, 810_128
Product = Callable[[Tensor], Tensor]


def main() -> None:
    """Measure every candidate and record the rows."""
    about = harness.circumstances()
    name, matrix = normalised()
    ways = candidates(matrix)
    x, dy = torch.randn(matrix.shape[1], DIM), torch.randn(matrix.shape[0], DIM)
    expected = (torch.from_numpy(matrix @ x.numpy()), torch.from_numpy(matrix.T @ dy.numpy()))
    spent: dict[str, tuple[list[float], list[float]]] = {way: ([], []) for way in ways}
    for turn in range(int(sys.argv[1]) if sys.argv[1:] else PASSES):
        for way, products in ways.items():
            for product, given, right, times in zip(products, (x, dy), expected, spent[way], strict=True):
                started = time.perf_counter()
                found = product(given)
                times.append(1000 * (time.perf_counter() - started))
                if not turn:
                    torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-5)
                    times.clear()  # the first pass compiles
    rows = [
        {
            "candidate": way,
            "forward, fastest (ms)": round(min(there), 1), "forward, median (ms)": round(median(there), 1),
            "backward, fastest (ms)": round(min(back), 1), "backward, median (ms)": round(median(back), 1),
        }
        for way, (there, back) in spent.items()
    ]  # fmt: skip
    part = f"{name}: {matrix.nnz:,} entries, {torch.get_num_threads()} threads"
    harness.record(HERE, part, about, rows)


def normalised() -> tuple[str, sparse.csr_array]:
    """Return the graph's name and D_u^-1/2 R D_i^-1/2."""
    file = Path(os.environ.get("PARETAIL_DATA", "")) / "gowalla" / "events.parquet"
    if "PARETAIL_DATA" in os.environ and file.exists():
        events = pl.read_parquet(file, columns=["user_id", "item_id"])
        name, users, items = (
            "gowalla",
            *(events[c].cast(pl.Categorical).to_physical().to_numpy() for c in events.columns),
        )
    else:
        rng = rng_for("benchmarks/products", 0)
        name, users = "generated", rng.integers(USERS, size=EVENTS)
        items = (ITEMS * rng.random(EVENTS) ** 3).astype(np.int64)
    matrix = sparse.csr_array((np.ones(len(users), np.float32), (users, items)))
    matrix.data[:] = 1
    degrees = [np.maximum(np.asarray(matrix.sum(axis)).ravel(), 1) ** -0.5 for axis in (1, 0)]
    return name, sparse.csr_array(
        sparse.diags_array(degrees[0]) @ matrix @ sparse.diags_array(degrees[1]), dtype=np.float32
    )


def candidates(matrix: sparse.csr_array) -> Mapping[str, tuple[Product, Product]]:
    """Return, of each candidate, the product with the matrix and that with its transpose."""
    csr, turned = Csr.of(matrix), sparse.csr_array(matrix.T.tocsr())
    ours, bag = partial(propagate, csr), _bag(matrix)
    return {
        "learn.products (embedding_bag, int32)": (_plain(ours), _gradient(ours, matrix)),
        "embedding_bag, torch's own backward": (_plain(bag), _gradient(bag, matrix)),
        "torch CSR, int32": (_plain(_torch_csr(matrix, np.int32)), _plain(_torch_csr(turned, np.int32))),
        "torch CSR, int64": (_plain(_torch_csr(matrix, np.int64)), _plain(_torch_csr(turned, np.int64))),
        "numba, shared memory": (_plain(_numba(matrix)), _plain(_numba(turned))),
        "scipy": (_plain(_scipy(matrix)), _plain(_scipy(turned))),
    }


def _plain(product: Product) -> Product:
    return torch.no_grad()(product)


def _gradient(product: Product, matrix: sparse.csr_array) -> Product:
    """Return the backward pass alone: the forward one has been done once."""
    x = torch.zeros(matrix.shape[1], DIM, requires_grad=True)
    out = product(x)
    return lambda dy: torch.autograd.grad(out, x, dy, retain_graph=True)[0]


def _bag(matrix: sparse.csr_array) -> Product:
    indptr, indices, values = _tensors(matrix, np.int32)
    return lambda x: embedding_bag(indices, x, indptr, mode="sum", per_sample_weights=values, include_last_offset=True)


def _torch_csr(matrix: sparse.csr_array, width: type) -> Product:
    with catch_warnings():
        simplefilter("ignore", UserWarning)  # CSR is in beta, torch says
        taken = torch.sparse_csr_tensor(*_tensors(matrix, width), size=matrix.shape)
    return lambda x: taken @ x


def _numba(matrix: sparse.csr_array) -> Product:
    def product(x: Tensor) -> Tensor:
        out = torch.zeros(matrix.shape[0], DIM)
        _gather(matrix.indptr, matrix.indices, matrix.data, x.numpy(), out.numpy())
        return out

    return product


def _scipy(matrix: sparse.csr_array) -> Product:
    return lambda x: torch.from_numpy(matrix @ x.numpy())


def _tensors(matrix: sparse.csr_array, width: type) -> tuple[Tensor, Tensor, Tensor]:
    parts = matrix.indptr.astype(width), matrix.indices.astype(width), matrix.data
    return torch.from_numpy(parts[0]), torch.from_numpy(parts[1]), torch.from_numpy(parts[2])


@njit(parallel=True)
def _gather(indptr, indices, values, dense, out):  # type: ignore[no-untyped-def]
    for row in prange(len(indptr) - 1):
        cells = out[row]
        for a in range(indptr[row], indptr[row + 1]):
            weight, source = values[a], dense[indices[a]]
            for column in range(dense.shape[1]):
                cells[column] += weight * source[column]


if __name__ == "__main__":
    device.use_cores()
    main()
