"""The shortest vector in the convex hull of the gradients; where it is zero, the point is Pareto stationary.

    min |sum_i a_i g_i|²   subject to   a >= 0, sum_i a_i = 1

For two gradients in closed form, a_1 = clip(<g_2 - g_1, g_2> / |g_2 - g_1|², 0, 1). For more by an active set: with
x = s a, the problem  min_{x >= 0} |sum_i x_i g_i|² + (sum_i x_i - 1)²  has the value q / (1 + q) at its best s, where
q = |sum_i a_i g_i|²; this grows with q, so that its solution, divided by its sum, is the answer. It is a problem of
non-negative least squares.

J.-A. Désidéri, "Multiple-gradient descent algorithm (MGDA) for multiobjective optimization", C. R. Acad. Sci. Paris
350, 2012, doi:10.1016/j.crma.2012.03.014; C. L. Lawson, R. J. Hanson, "Solving least squares problems", 1974, chapter
23 (the active set, scipy's `nnls`). Deviations: 1. an active set, exact after finitely many steps, in place of the
Frank-Wolfe iteration of arXiv:1810.04650, which only approaches the point.
"""

import numpy as np
from scipy.optimize import nnls

from paretail.moo.gram import factor
from paretail.moo.sign import Array


def min_norm(gram: Array) -> Array:
    """Return the weights a of the shortest vector, on the simplex; the first of equals is as good as any."""
    return _of_two(gram) if len(gram) == 2 else nearest_of_hull(factor(gram))


def _of_two(gram: Array) -> Array:
    (a, b), (_, c) = gram
    apart = a - 2 * b + c
    first = np.clip((c - b) / apart, 0.0, 1.0) if apart > 0 else 0.5
    return np.array([first, 1.0 - first], np.float64)


def nearest_of_hull(columns: Array) -> Array:
    """Return the weights, on the simplex, of the point nearest to zero in the hull of `columns[dim, points]`."""
    length = np.linalg.norm(columns, axis=0)
    if not length.all():
        return np.asarray((length == 0) / (length == 0).sum(), np.float64)
    system = np.vstack([columns / length.min(), np.ones(columns.shape[1])])
    target = np.zeros(len(system))
    target[-1] = 1.0
    x: Array = nnls(system, target)[0]
    return np.asarray(x / x.sum())
