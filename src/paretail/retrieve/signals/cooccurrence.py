"""Co-occurrence: what the people who had an item also had, near in time or anywhere in their history.

With X[users, items] what people did (union of kinds by weight) and Y what is wanted, both normalised:

    W[i, j] = (sum_u X[u, i] Y[u, j] / |u|^p) / (|i|^b |j|^c), to the power s, diagonal 0

Source: M. Deshpande, G. Karypis, "Item-based top-N recommendation algorithms", 2004, doi:10.1145/963770.963776;
J.-D. Park, Y.-M. Shin, W.-Y. Shin, "Turbo-CF: matrix decomposition-free graph filtering for fast recommendation",
2024, arXiv:2404.14243 (exponents and the power s). Deviations: the wanted side is softer (c < b), as a soft column
norm keeps popularity where it informs; rows are pruned to MOST entries; users to MOST_ITEMS_OF_A_USER.
"""

from typing import Final

from scipy import sparse

from paretail.core.rng import rng_for
from paretail.core.sparse import pruned_product, transposed
from paretail.retrieve.signals.ground import Ground, capped, powered, scaled_rows, totals
from paretail.retrieve.signals.matrix import Matrix, Sparse
from paretail.retrieve.signals.profiles import decayed

#: Entries kept of each row; see docs/lab/LOG.md for what is lost.
MOST: Final = 400
#: `recent` wants what was had in the last weeks.
RECENT_DAYS: Final = 30.0


def to_target(ground: Ground) -> Matrix:
    """From anything had to what was had under the target kind."""
    return _product(ground, ground.union, ground.targets, p=0.5, b=0.5, c=0.3)


def to_all(ground: Ground) -> Matrix:
    """From anything had to anything had, each user counting once in all (p = 1)."""
    return _product(ground, ground.union, ground.union, p=1.0, b=0.5, c=0.3)


def softened(ground: Ground) -> Matrix:
    """For one kind alone: Turbo-CF's filter, entries to the power 0.7."""
    return _product(ground, ground.targets, ground.targets, p=1.0, b=0.3, c=0.3, s=0.7)


def to_recent(ground: Ground) -> Matrix:
    """From anything had to what was had under the target kind in the last weeks."""
    wanted = decayed(RECENT_DAYS)(
        ground.history.where(ground.history.kind == ground.history.kinds.index(ground.target)), ground.scene
    )
    return _product(ground, ground.union, wanted, p=1.0, b=0.5, c=0.3)


def _product(
    ground: Ground, had: sparse.csr_array, wanted: sparse.csr_array, p: float, b: float, c: float, s: float = 1.0
) -> Matrix:
    of_user, of_item, of_wanted = totals(had, 1), totals(had, 0), totals(wanted, 0)
    rng = rng_for("retrieve/cooccurrence", ground.seed)
    left = transposed(capped(had, rng))
    right = scaled_rows(capped(wanted, rng), powered(of_user, -p))
    left = scaled_rows(left, powered(of_item, -b))
    return Sparse(pruned_product(left, right, powered(of_wanted, -c), MOST, s))
