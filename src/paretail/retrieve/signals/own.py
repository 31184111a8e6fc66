"""Own: what the user already had, where that may be recommended again: repeat purchases, or viewed and not yet bought.

The matrix is diagonal: it says how much having item i speaks for item i itself.
"""

import numpy as np
from scipy import sparse

from paretail.retrieve.signals.ground import Ground, totals
from paretail.retrieve.signals.matrix import Matrix, Sparse
from paretail.retrieve.signals.popularity import momentum

#: Prior of a conversion rate, in users.
PRIOR = 5.0


def same(ground: Ground) -> Matrix:
    """Every item speaks for itself alike."""
    return _diagonal(np.ones(ground.items))


def converting(ground: Ground, kind: str) -> Matrix:
    """An item speaks for itself as often as those who did `kind` with it did the target kind too.

    rate(i) = (both(i) + PRIOR m) / (did(i) + PRIOR), m the mean rate.
    """
    did = ground.of_kind(kind)
    both, had = totals(sparse.csr_array(did.multiply(ground.targets)), 0), totals(did, 0)
    mean = both.sum() / max(had.sum(), 1)
    return _diagonal((both + PRIOR * mean) / (had + PRIOR))


def in_demand(ground: Ground) -> Matrix:
    """An item speaks for itself as the root of its demand of late."""
    return _diagonal(np.sqrt(momentum(ground, 15.0)))


def _diagonal(values: np.ndarray) -> Matrix:
    return Sparse(sparse.csr_array(sparse.diags_array(values.astype(np.float32)).tocsr()))
