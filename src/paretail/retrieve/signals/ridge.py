"""Ridge: the linear item-to-item model that predicts each item from all others in closed form (EASE).

Source: H. Steck, "Embarrassingly shallow autoencoders for sparse data", 2019, arXiv:1905.03375:
P = (X^T X + lambda I)^-1,  B[i, j] = -P[i, j] / P[j, j],  diagonal 0; score = x B.
Deviations: X holds the union of kinds by weight; negative entries are cut to 0 and rows pruned; the inverse is
cubic in the items, so shops with more than MOST_ROWS of them do without.
"""

from typing import Final

import numpy as np
from scipy.linalg import lapack

from paretail.retrieve.signals.cooccurrence import MOST
from paretail.retrieve.signals.ground import Ground, transposed
from paretail.retrieve.signals.matrix import Matrix, Sparse
from paretail.retrieve.sparse import pruned_dense

#: At so many items the inverse takes about 2 s on 2 cores.
MOST_ROWS: Final = 5000
LAMBDA: Final = 100.0


def ease(ground: Ground) -> Matrix:
    """From anything had to anything had, what else was had taken into account."""
    union = ground.union
    gram = np.asarray((transposed(union) @ union).todense(), np.float32, order="F")
    gram[np.diag_indices_from(gram)] += LAMBDA
    factor, _ = lapack.spotrf(gram, lower=1, overwrite_a=1)
    inverse, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    weights = -inverse / np.diag(inverse)[None]
    np.fill_diagonal(weights, 0)
    return Sparse(pruned_dense(np.maximum(weights, 0), MOST))


def applies(ground: Ground) -> bool:
    """Say whether the shop is small enough."""
    return ground.items <= MOST_ROWS


