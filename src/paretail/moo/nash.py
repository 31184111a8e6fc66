"""The Nash bargain between tasks: the direction that no task can better without costing others more, relatively.

    G a = 1 / a,  a > 0        (maximises sum_i log <g_i, d> over |d| <= eps;  d is in the direction of sum_i a_i g_i)

It is the one stationary point of  f(a) = a^T G a / 2 - sum_i log a_i,  which is convex and self-concordant: Newton
steps divided by 1 + (their length in the local norm) reach it from anywhere. Lengths are divided out first (x_i = a_i
|g_i|, with cosines in place of G), so that multiplying a loss by any number changes its weight by the inverse and
nothing else.

A. Navon et al., "Multi-Task Learning as a Bargaining Game", ICML 2022, arXiv:2202.01017, claim 3.1; S. Boyd,
L. Vandenberghe, "Convex Optimization", 2004, section 9.6 (damped Newton steps). Deviations: 1. Newton's method in place
of a sequence of convex programs; 2. `RIDGE` is added to the cosines, so that a solution exists at Pareto-stationary
points too, where the weights of the conflicting tasks would grow without bound; elsewhere it does not show.
"""

import numpy as np

from paretail.moo.gram import correlations, lengths
from paretail.moo.sign import Array

RIDGE = 1e-12
STEPS = 500
ENOUGH = 1e-11  # of the Newton decrement; the residual is of the same order
QUADRATIC = 0.25  # below this decrement a full step more than halves it


def nash(gram: Array) -> Array:
    """Return the weights a, in the unit 1 / |g_i|; raises ValueError where a gradient is zero."""
    length = lengths(gram)
    if not length.all():
        raise ValueError("a task whose gradient is zero has nothing to bargain for: leave it out")
    cosines = correlations(gram) + RIDGE * np.eye(len(gram))
    x, before = np.ones(len(gram)), np.inf
    for _ in range(STEPS):
        move, decrement = _newton(cosines, x)
        if decrement < ENOUGH or (before < QUADRATIC and decrement > before / 2):
            break  # found, or as near as rounding lets it come
        x = x + move / (1.0 + decrement if decrement > QUADRATIC else 1.0)
        before = decrement
    return x / length


def _newton(cosines: Array, x: Array) -> tuple[Array, float]:
    """Return the Newton step and its length in the local norm, in the scaled variables where x is all ones."""
    hessian = cosines * np.outer(x, x) + np.eye(len(x))
    slope = x * (cosines @ x) - 1.0
    move = -np.linalg.solve(hessian, slope)
    return x * move, max(0.0, -float(slope @ move)) ** 0.5


def residual(gram: Array, a: Array) -> float:
    """Return how far `a` is from the bargain: the greatest |a_i (G a)_i - 1|."""
    return float(np.abs(a * (gram @ a) - 1.0).max())
