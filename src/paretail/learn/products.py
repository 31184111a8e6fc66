"""Sparse times dense, for propagation over the full graph, with a backward pass that is the product with the transpose.

Y = A X, dX = A^T dY. A does not change while a model trains, so its transpose is made once. Each row of the result is
summed by one thread in the order of A's columns: the bytes do not depend on the number of threads.

The kernel is torch's `embedding_bag` with weights (sums of rows, each times a number), called without autograd: its own
backward scatters, and takes ten times as long. It was the fastest in both directions of what `benchmarks/products`
measures: torch's CSR, a numba kernel on shared memory, scipy.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import sparse
from torch import Tensor

from paretail.core.sparse import turned
from paretail.learn.device import full


@dataclass(frozen=True, eq=False)
class Rows:
    """One reading of a sparse matrix: CSR, and where each entry stands in the other reading."""

    indptr: Int[Tensor, " ends"]
    indices: Int[Tensor, " entries"]
    values: Float[Tensor, " entries"]
    across: Int[Tensor, " entries"]


@dataclass(frozen=True, eq=False)
class Csr:
    """A sparse matrix [rows, cols] that can be multiplied from both sides."""

    by_row: Rows
    by_column: Rows

    @classmethod
    def of(cls, matrix: sparse.csr_array, device: torch.device | str = "cpu") -> Self:
        """Take over a scipy matrix; its values become float32 unless they are float64."""
        matrix = sparse.csr_array(matrix)
        width: type[np.signedinteger[Any]] = np.int32 if max(matrix.nnz, *matrix.shape) < 2**31 else np.int64
        indptr, indices = matrix.indptr.astype(width, copy=False), matrix.indices.astype(width, copy=False)
        values = matrix.data if matrix.dtype == np.float64 else matrix.data.astype(np.float32, copy=False)
        bounds, rows, places = turned(indptr, indices, matrix.shape[1])
        back = np.empty(matrix.nnz, width)
        back[places] = np.arange(matrix.nnz, dtype=width)
        by_row, by_column = (indptr, indices, values, back), (bounds, rows, values[places], places)
        return cls(_rows(by_row, device), _rows(by_column, device))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.by_row.indptr) - 1, len(self.by_column.indptr) - 1

    def transposed(self) -> "Csr":
        """Return the transpose; it shares everything with this one."""
        return Csr(self.by_column, self.by_row)

    def picked(self, rows: Int[Tensor, " picked"]) -> "Csr":
        """Return the matrix of some of the rows, in their order."""
        indptr, indices, values = (x.numpy() for x in (self.by_row.indptr, self.by_row.indices, self.by_row.values))
        matrix = sparse.csr_array((values, indices, indptr), shape=self.shape)
        return Csr.of(matrix[rows.numpy()])

    def with_values(self, values: Float[Tensor, " entries"]) -> "Csr":
        """Return the same places with other values, given in the order of `by_row`; they get no gradient."""
        values = values.detach()
        row, column = self.by_row, self.by_column
        return Csr(
            Rows(row.indptr, row.indices, values, row.across),
            Rows(column.indptr, column.indices, values[column.across], column.across),
        )

    def dropped(self, share: float) -> "Csr":
        """Return the matrix without a random `share` of its entries, 0 to under 1, drawn from torch's own randomness.

        The rest grow so that sums keep their mean.
        """
        if not 0 <= share < 1:
            raise ValueError(f"the share of entries to drop must be 0 or more and under 1, not {share}")
        return self.with_values(torch.nn.functional.dropout(self.by_row.values, share)) if share else self


def propagate(csr: Csr, dense: Float[Tensor, "cols dim"]) -> Float[Tensor, "rows dim"]:
    """Return `csr @ dense`, in float32 at least; gradients flow into `dense`, never into the entries of the matrix."""
    if csr.shape[1] != len(dense):
        raise ValueError(f"a matrix of {csr.shape} and {len(dense)} rows cannot be multiplied")
    product: Tensor = _Product.apply(full(dense), csr)  # type: ignore[no-untyped-call]  # torch gives it no types
    return product


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, dense: Tensor, csr: Csr) -> Tensor:
        ctx.csr = csr
        return _sums(csr.by_row, dense.detach())  # of a tensor with gradients it would prepare its own backward pass

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return propagate(ctx.csr.transposed(), gradients[0]), None  # linear: so it can be differentiated again


def _sums(rows: Rows, dense: Tensor) -> Tensor:
    return torch.nn.functional.embedding_bag(
        rows.indices, dense.contiguous(), rows.indptr, mode="sum",
        per_sample_weights=rows.values.to(dense.dtype), include_last_offset=True,
    )  # fmt: skip


def _rows(arrays: tuple[np.ndarray[Any, Any], ...], device: torch.device | str) -> Rows:
    indptr, indices, values, across = (torch.from_numpy(np.ascontiguousarray(a)).to(device) for a in arrays)
    return Rows(indptr, indices, values, across)
