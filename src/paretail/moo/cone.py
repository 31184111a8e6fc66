"""Projections to cones of gradients.

The cone of the gradients holds every sum_i v_i g_i with v >= 0: the directions that a weighted sum of losses can take.
Its dual cone holds every direction d with <g_i, d> >= 0 for all i: going down it, no loss rises to first order. The
projection of sum_i u_i g_i to the dual cone is

    sum_i v_i g_i   with   v = argmin_{v >= u} v^T G v

P. Quinton, V. Rey, "Jacobian Descent for Multi-Objective Optimization", 2024, arXiv:2406.16232, proposition 1.
Deviations: 1. non-negative least squares over v - u by an active set in place of a general quadratic program; no ridge.
"""

import numpy as np
from scipy.optimize import nnls

from paretail.moo.gram import factor, lengths
from paretail.moo.sign import Array


def to_dual(gram: Array, u: Array) -> Array:
    """Return the weights v >= u of the projection of sum_i u_i g_i to the dual cone."""
    return u + _least(gram, -u)


def to_cone(gram: Array, u: Array) -> Array:
    """Return the weights v >= 0 of the point of the gradients' cone that is nearest to sum_i u_i g_i."""
    return _least(gram, u)


def upgrad(gram: Array, preference: Array) -> Array:
    """Return the weights of UPGrad: each weighted gradient is projected to the dual cone, and these are summed."""
    projected = [to_dual(gram, row) for row in np.diag(preference)]
    return np.asarray(np.sum(projected, axis=0))


def _least(gram: Array, u: Array) -> Array:
    """Return the y >= 0 for which sum_i (y_i - u_i) g_i is shortest; 0 for tasks without gradient."""
    columns, length = factor(gram), lengths(gram)
    there = length > 0
    y = np.zeros(len(gram))
    if there.any():
        unit = columns[:, there] / length[there]
        y[there] = nnls(unit, columns @ u)[0] / length[there]
    return y
