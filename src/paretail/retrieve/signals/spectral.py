"""Spectral: the smooth part of what people do on the user-item graph, and wishes regressed on it.

With X the union, D_u and D_i its user and item sums, N = D_u^-1/2 X D_i^-1/2 and V, lambda the leading eigenpairs of
N^T N:

    low pass   x -> x D_i^-1/2 V V^T D_i^0.3
    regress    x -> x D_i^-1/2 V (lambda + RIDGE)^-1 V^T N^T D_u^-1/2 Y D_y^-0.3     (Y: what was had under the target)

Source: Y. Shen et al., "How powerful is graph convolution for recommendation?", 2021, arXiv:2108.07567 (ideal low
pass); principal component regression of Y on V. Deviation: the item side is softer (0.3), as in `cooccurrence`.
"""

from typing import Final

import numpy as np
from scipy import sparse

from paretail.core.rng import rng_for
from paretail.retrieve.eigen import Eigenpairs, eigenpairs
from paretail.retrieve.signals.ground import Ground, powered, scaled_columns, scaled_rows, totals, transposed
from paretail.retrieve.signals.matrix import LowRank, Matrix
from paretail.retrieve.sparse import gather

RANK: Final = 256
ITERATIONS: Final = 2
RIDGE: Final = 0.03


def low_pass(ground: Ground) -> Matrix:
    """From anything had to what is smooth with it."""
    pairs, union = basis(ground), ground.union
    return LowRank(_left(pairs, union), _rows(pairs.vectors * powered(totals(union, 0), 0.3)[:, None]))


def regress(ground: Ground) -> Matrix:
    """From anything had to the target kind, by regression on the leading eigenvectors."""
    pairs, union, wanted = basis(ground), ground.union, ground.targets
    coordinates = gather(normalised(union), pairs.vectors)  # N V
    user = powered(totals(union, 1), -0.5)
    both = gather(transposed(wanted), coordinates * user[:, None])  # Y^T D_u^-1/2 N V
    right = both / (pairs.values + RIDGE).astype(np.float32) * powered(totals(wanted, 0), -0.3)[:, None]
    return LowRank(_left(pairs, union), _rows(right))


def basis(ground: Ground) -> Eigenpairs:
    """Return the leading eigenpairs of N^T N, computed once a ground."""
    if "eigenpairs" not in ground.__dict__:
        rng = rng_for("retrieve/spectral", ground.seed)
        ground.__dict__["eigenpairs"] = eigenpairs(normalised(ground.union), RANK, ITERATIONS, rng)
    found: Eigenpairs = ground.__dict__["eigenpairs"]
    return found


def normalised(union: sparse.csr_array, user: float = 0.5, item: float = 0.5) -> sparse.csr_array:
    """Return D_u^-user X D_i^-item."""
    rows = scaled_rows(union, powered(totals(union, 1), -user))
    return scaled_columns(rows, powered(totals(union, 0), -item))


def _left(pairs: Eigenpairs, union: sparse.csr_array) -> np.ndarray:
    return pairs.vectors * powered(totals(union, 0), -0.5)[:, None]


def _rows(right: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(right.T, np.float32)
