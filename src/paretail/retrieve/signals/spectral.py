"""Spectral: the smooth part of what people do on the user-item graph, and wishes regressed on it.

With X the union, D_u and D_i its user and item sums, N = D_u^-1/2 X D_i^-1/2 and V, lambda the leading eigenpairs of
N^T N:

    plateau    x -> x D_i^-b (s P + V diag(g(lambda) + IDEAL - s lambda) V^T) D_i^b,   P = N^T N,
               g(l) = 1/2 + 1/2 sign(2l - 1) |2l - 1|^FLATNESS,   s = g(lambda_k) / lambda_k
    low pass   x -> x D_i^-1/2 V V^T D_i^0.3
    regress    x -> x D_i^-1/2 V (lambda + RIDGE)^-1 V^T N^T D_u^-1/2 Y D_y^-0.3   (Y: what was had under the target)
    ridge      x -> x V diag(lambda / (lambda + LAMBDA)) V^T diag(1 / (1 - h)),   here with N = X

Sources: Y. Shen et al., "How powerful is graph convolution for recommendation?", 2021, arXiv:2108.07567 (ideal low
pass); C. Kim et al., "Graph spectral filtering with Chebyshev interpolation for recommendation", 2025,
arXiv:2505.00552 (plateau, with its published b, FLATNESS and IDEAL); H. Steck, "Embarrassingly shallow autoencoders
for sparse data", 2019, arXiv:1905.03375 (ridge).
Deviations: 1. The low pass has a softer item side (0.3), as in `cooccurrence`. 2. The plateau is exact on V and a
straight line beyond, instead of a polynomial; its P has no diagonal and pruned rows. 3. The ridge's inverse is taken
on the leading eigenvectors, where (X^T X + LAMBDA)^-1 = (I - V diag(lambda / (lambda + LAMBDA)) V^T) / LAMBDA and h is
the diagonal of the second term, so that it costs seconds at any size of catalogue. 4. `regress` is principal
component regression of Y on V.
"""

from typing import Final

import numpy as np
from scipy import sparse

from paretail.core.eigen import Eigenpairs, eigenpairs
from paretail.core.rng import rng_for
from paretail.core.sparse import gather, pruned_product, transposed
from paretail.retrieve.signals.cooccurrence import MOST
from paretail.retrieve.signals.ground import Ground, powered, scaled_columns, scaled_rows, totals
from paretail.retrieve.signals.matrix import Dense, LowRank, Matrix, Sparse, Sum

RANK: Final = 256
#: The low pass takes at most this part of all eigenvectors: in a small shop 256 are all there are, which let everything
#: pass (planted worlds of 100 to 1,000 users, share of the oracle: .2 with all of them, .7 to .85 with an eighth).
SMOOTH_PART: Final = 8
ITERATIONS: Final = 2
RIDGE: Final = 0.03
IDEAL: Final = 0.2
SHIFT: Final = 0.4  # b
FLATNESS: Final = 1.5
PLATEAU_RANK: Final = 448
PLATEAU_ITERATIONS: Final = 3
LAMBDA: Final = 80.0


def plateau(ground: Ground) -> Matrix:
    """From anything had to its neighbours in the graph, exactly, and to what is smooth with it."""
    union = ground.union
    of_user, of_item = totals(union, 1), totals(union, 0)
    pairs = eigenpairs(normalised(union), PLATEAU_RANK, PLATEAU_ITERATIONS, rng_for("retrieve/plateau", ground.seed))
    around = 2 * np.minimum(pairs.values, 1) - 1
    response = 0.5 + 0.5 * np.sign(around) * np.abs(around) ** FLATNESS
    slope = np.float32(response[-1] / pairs.values[-1] if len(response) else 0.0)
    had = scaled_rows(transposed(union), slope * powered(of_item, -SHIFT - 0.5))
    near = pruned_product(had, scaled_rows(union, powered(of_user, -1.0)), powered(of_item, SHIFT - 0.5), MOST)
    beyond = (response + IDEAL - slope * pairs.values).astype(np.float32)
    left = _scaled(pairs.vectors * beyond, powered(of_item, -SHIFT))
    return Sum(Sparse(near), LowRank(left, _rows(_scaled(pairs.vectors, powered(of_item, SHIFT)))))


def ridge(ground: Ground) -> Matrix:
    """From anything had to anything had, what else was had taken into account."""
    pairs = _eigenpairs(ground, ground.union, RANK)
    share = (pairs.values / (pairs.values + LAMBDA)).astype(np.float32)
    own = (pairs.vectors**2) @ share
    right = _scaled(pairs.vectors * share, 1 / np.maximum(1 - own, 0.05))
    return LowRank(pairs.vectors, _rows(right))


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
    right = _scaled(np.asarray(both / (pairs.values + RIDGE), np.float32), powered(totals(wanted, 0), -0.3))
    return LowRank(_left(pairs, union), _rows(right))


def basis(ground: Ground) -> Eigenpairs:
    """Return the leading eigenpairs of N^T N, computed once a ground."""
    if "eigenpairs" not in ground.__dict__:
        rank = max(1, min(RANK, min(ground.union.shape) // SMOOTH_PART))
        ground.__dict__["eigenpairs"] = _eigenpairs(ground, normalised(ground.union), rank)
    found: Eigenpairs = ground.__dict__["eigenpairs"]
    return found


def normalised(union: sparse.csr_array, user: float = 0.5, item: float = 0.5) -> sparse.csr_array:
    """Return D_u^-user X D_i^-item."""
    rows = scaled_rows(union, powered(totals(union, 1), -user))
    return scaled_columns(rows, powered(totals(union, 0), -item))


def _eigenpairs(ground: Ground, matrix: sparse.csr_array, rank: int) -> Eigenpairs:
    return eigenpairs(matrix, rank, ITERATIONS, rng_for("retrieve/spectral", ground.seed))


def _left(pairs: Eigenpairs, union: sparse.csr_array) -> Dense:
    return _scaled(pairs.vectors, powered(totals(union, 0), -0.5))


def _scaled(vectors: Dense, scale: Dense) -> Dense:
    return np.asarray(vectors * scale[:, None], np.float32)


def _rows(right: Dense) -> Dense:
    return np.ascontiguousarray(right.T, np.float32)
