"""The direction near the mean gradient that serves best the task it serves least.

    max_d min_i <g_i, d>  subject to  |d - g_0| <= c |g_0|;      g_0 = mean_i g_i,  0 <= c < 1
    d = g_0 + (c |g_0| / |g_a|) g_a,  g_a = sum_i a_i g_i,  a = argmin over the simplex of <g_0, g_a> + c |g_0| |g_a|

For the inner problem,  |g_a| = min_{t > 0} (|g_a|² / t + t) / 2:  at a fixed t the best a is that of the point nearest
to zero in the hull of the vectors g_i + t / (c |g_0|) g_0, which an active set finds exactly, and the best t is the one
root of |g_a(t)| = t. The problem is convex in (a, t) together.

B. Liu, X. Liu, X. Jin, P. Stone, Q. Liu, "Conflict-Averse Gradient Descent for Multi-task Learning", NeurIPS 2021,
arXiv:2110.14048, algorithm 1. Deviations: 1. the inner problem is solved as above in place of a general solver;
2. where g_a = 0 solves it, which leaves the second term open, d = g_0.
"""

import numpy as np
from scipy.optimize import brentq

from paretail.moo.gram import factor
from paretail.moo.minnorm import nearest_of_hull
from paretail.moo.sign import Array


def cagrad(gram: Array, c: float) -> Array:
    """Return the weights of d, not negative; c = 0 is the mean gradient."""
    tasks = len(gram)
    even = np.full(tasks, 1.0 / tasks)
    columns = factor(gram)
    radius = c * float(np.linalg.norm(columns @ even))
    if radius == 0:
        return even
    t = _balanced(columns, even, radius)
    if t == 0:
        return even
    a = _at(columns, even, radius, t)
    return even + radius / float(np.linalg.norm(columns @ a)) * a


def _at(columns: Array, even: Array, radius: float, t: float) -> Array:
    return nearest_of_hull(columns + t / radius * (columns @ even)[:, None])


def _balanced(columns: Array, even: Array, radius: float) -> float:
    """Return the t at which |g_a(t)| = t, or 0 where g_a = 0 is best."""
    longest = float(np.linalg.norm(columns, axis=0).max())

    def excess(t: float) -> float:
        return float(np.linalg.norm(columns @ _at(columns, even, radius, t))) / t - 1.0

    least = 1e-9 * longest
    if excess(least) <= 0:
        return 0.0
    return float(brentq(excess, least, longest * (1 + 1e-9), xtol=1e-15 * longest, rtol=1e-14))
