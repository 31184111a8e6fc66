"""From a Gram matrix back to vectors: all that the solvers need to know of the gradients."""

import numpy as np

from paretail.moo.sign import Array


def factor(gram: Array) -> Array:
    """Return one column for each task, whose products are `gram[tasks, tasks]`: the gradients up to a rotation.

    The correlations are factored, not the products, so that a short gradient keeps its precision beside one that is
    a million times longer. Negative eigenvalues, which are rounding, count as zero.
    """
    length = lengths(gram)
    values, vectors = np.linalg.eigh(correlations(gram))
    columns: Array = np.sqrt(values.clip(0))[:, None] * vectors.T * length
    return columns


def correlations(gram: Array) -> Array:
    """Return the cosines between gradients; a zero gradient has the cosine 0 with all, itself too."""
    length = lengths(gram)
    inverse = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
    cosines: Array = gram * np.outer(inverse, inverse)
    return cosines


def lengths(gram: Array) -> Array:
    """Return the norms of the gradients."""
    norms: Array = np.sqrt(np.diag(gram).clip(0))
    return norms
