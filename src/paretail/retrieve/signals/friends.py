"""What friends had: each friend's items count, a friend of many items less each, and items that everybody has less.

With f a user's row of links, X what people did (union of kinds by weight):

    friends had    f -> f D_u^-1/2 X D_i^-0.3

The exponents are those of `co target`, with friends in the place of people who had the same items. Source: H. Ma et
al., "SoRec: social recommendation using probabilistic matrix factorization", 2008, doi:10.1145/1458082.1458205, for
links as a source of taste. Deviations: no factors; counts alone.
"""

from paretail.retrieve.signals.ground import Ground, powered, scaled_columns, scaled_rows, totals
from paretail.retrieve.signals.matrix import Matrix, Sparse


def had(ground: Ground) -> Matrix:
    """From a friend to what that one had."""
    union = ground.union
    rows = scaled_rows(union, powered(totals(union, 1), -0.5))
    return Sparse(scaled_columns(rows, powered(totals(union, 0), -0.3)))
