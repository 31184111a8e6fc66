"""Leading eigenvectors of an item-item product: randomised subspace iteration on the user-item matrix.

Source: N. Halko, P. Martinsson, J. Tropp, "Finding structure with randomness: probabilistic algorithms for
constructing approximate matrix decompositions", 2011, arXiv:0909.4061, algorithms 4.4 and 5.1.
Deviations: each orthogonalisation takes the Gram matrix and its eigenvectors (in float64) instead of a QR of a tall
matrix, which is several times faster and safe here, as a power step leaves a condition number of about 1 / lambda_k.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.sparse import Dense, gather, transposed

OVERSAMPLE = 10


@dataclass(frozen=True, eq=False)
class Eigenpairs:
    """`vectors[items, rank]` orthonormal, `values[rank]` descending, of X^T X."""

    vectors: Dense
    values: NDArray[np.float64]


def eigenpairs(matrix: sparse.csr_array, rank: int, iterations: int, rng: np.random.Generator) -> Eigenpairs:
    """Return the leading eigenpairs of `matrix.T @ matrix`; fewer where its rank is lower, none of an empty matrix.

    Values below about 3e-5 of the largest are left out: their squares are lost in float32.
    Cost: 2 (iterations + 1) sparse products with rank + OVERSAMPLE columns. The work happens on the shorter side.
    """
    if not matrix.nnz:
        return Eigenpairs(np.zeros((matrix.shape[1], 0), np.float32), np.zeros(0))
    wide = matrix.shape[0] <= matrix.shape[1]
    a = matrix if wide else transposed(matrix)
    at = transposed(a)
    width = min(rank + OVERSAMPLE, *a.shape)
    small = gather(a, rng.standard_normal((a.shape[1], width), dtype=np.float32))
    for _ in range(iterations):
        small = gather(a, gather(at, _orthonormal(small)))
    basis = _orthonormal(small)
    large = gather(at, basis)
    values, rotation = np.linalg.eigh((large.T @ large).astype(np.float64))
    order = np.argsort(-values)[:rank]
    order = order[values[order] > 1e-7 * max(values.max(initial=0), 1e-30)]
    values, rotation = values[order], rotation[:, order]
    vectors = large @ (rotation / np.sqrt(values)).astype(np.float32) if wide else basis @ rotation.astype(np.float32)
    return Eigenpairs(np.ascontiguousarray(_signed(vectors)), values)


def _orthonormal(columns: Dense) -> Dense:
    values, vectors = np.linalg.eigh((columns.T @ columns).astype(np.float64))
    kept = values > max(values[-1], 1e-30) * 1e-9
    turned: Dense = columns @ (vectors[:, kept] / np.sqrt(values[kept])).astype(np.float32)
    return turned


def _signed(vectors: Dense) -> Dense:
    """Make the largest entry of each vector positive, so that equal inputs give equal signs everywhere."""
    at = np.abs(vectors).argmax(axis=0)
    return np.asarray(vectors * np.sign(vectors[at, np.arange(vectors.shape[1])]), np.float32)
