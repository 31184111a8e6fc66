"""Independent components of the gradients, all made as long as the shortest: the gradients are then orthogonal.

    G = V diag(lambda) V^T,   u = sqrt(lambda_min) V diag(1 / sqrt(lambda)) V^T w,   d = sum_i u_i g_i

over the eigenvalues that are not zero; w are the tasks' preferences.

D. Senushkin, N. Patakin, A. Kuznetsov, A. Konushin, "Independent Component Alignment for Multi-Task Learning",
CVPR 2023, arXiv:2305.19000, algorithm 1. Deviations: none. The weights u may be negative.
"""

import numpy as np

from paretail.moo.sign import Array


def aligned(gram: Array, preference: Array) -> Array:
    """Return the weights u of the aligned direction; `preference` itself where all gradients are zero."""
    values, vectors = np.linalg.eigh(gram)
    there = values > values.max() * len(gram) * np.finfo(np.float64).eps
    if not there.any():
        return preference
    values, vectors = values[there], vectors[:, there]
    u: Array = np.sqrt(values.min()) * vectors @ ((vectors.T @ preference) / np.sqrt(values))
    return u
