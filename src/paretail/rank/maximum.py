"""Maximum: what is likeliest of a few numbers after clicks and what was left, under a Gaussian prior, and its spread.

    θ = argmax  Σ_i a_i log σ(η_i) + b_i log σ(-η_i) - ½ Σ_k (θ_k - m_k)² / v_k,    η_i = c_i + x_i · θ

By Newton's steps, each halved until it gains; the spread is the diagonal of the inverse of the curvature at the last
step's start. In arrays this small numpy's calls are the cost: 20 rows took .77 ms in them and take .05 (the same, and
to ten digits, docs/lab/LOG.md).

Source: S. Boyd, L. Vandenberghe, "Convex optimization", 2004, section 9.5 (damped Newton; undamped, users of many
events went back and forth for ever). Deviations: none.
"""

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Newton's steps, at most, and how short one is that ends them: the next would be its square.
STEPS: Final = 6
CLOSE: Final = 1e-3


def maximum(mean: Floats, variance: Floats, x: Floats, c: Floats, clicked: Floats,
            left: Floats) -> tuple[Floats, Floats]:  # fmt: skip
    """Return θ and the variances that remain, of `x[rows, columns]`, `c[rows]`; `clicked` is a, `left` is b."""
    theta, spread = mean.copy(), np.empty(len(mean))
    _maximise(mean, variance, x, c, clicked, clicked + left, theta, spread)
    return theta, spread


@njit(cache=True, nogil=True)
def _maximise(mean, variance, x, c, clicked, both, theta, spread):  # type: ignore[no-untyped-def]
    """Move θ from the mean to the maximum, and fill its variances."""
    rows, columns = x.shape
    eta, ahead, slope, step = np.empty(rows), np.empty(rows), np.empty(columns), np.empty(columns)
    lower = np.empty((columns, columns))
    _fill_products(x, theta, eta)
    eta += c
    now = _likely(mean, variance, clicked, both, eta, theta)
    for _ in range(STEPS):
        _fill_curvature(mean, variance, x, clicked, both, eta, theta, slope, lower)
        _solve(lower, slope, step)
        _fill_products(x, step, ahead)
        then = _likely(mean, variance, clicked, both, eta + ahead, theta + step)
        while then < now and np.abs(step).max() >= CLOSE:
            step /= 2
            ahead /= 2
            then = _likely(mean, variance, clicked, both, eta + ahead, theta + step)
        theta += step
        eta += ahead
        now = then
        if np.abs(step).max() < CLOSE:
            break
    _fill_spread(lower, spread)


@njit(cache=True)
def _likely(mean, variance, clicked, both, eta, theta):  # type: ignore[no-untyped-def]
    """Return what is maximised, at θ and at η, which follows from it."""
    fits = 0.0
    for row in range(len(eta)):
        fits += clicked[row] * eta[row] - both[row] * (max(eta[row], 0.0) + np.log1p(np.exp(-abs(eta[row]))))
    for k in range(len(theta)):
        fits -= 0.5 * (theta[k] - mean[k]) ** 2 / variance[k]
    return fits


@njit(cache=True)
def _fill_products(x, vector, found):  # type: ignore[no-untyped-def]
    for row in range(len(found)):
        total = 0.0
        for k in range(len(vector)):
            total += x[row, k] * vector[k]
        found[row] = total


@njit(cache=True)
def _fill_curvature(mean, variance, x, clicked, both, eta, theta, slope, lower):  # type: ignore[no-untyped-def]
    """Fill the slope at θ, and the lower triangle whose product with its transpose is the curvature."""
    columns = len(theta)
    lower[:] = 0.0
    for k in range(columns):
        slope[k] = (mean[k] - theta[k]) / variance[k]
        lower[k, k] = 1 / variance[k]
    for row in range(len(eta)):
        p = 1 / (1 + np.exp(-eta[row]))
        pull, weight = clicked[row] - both[row] * p, both[row] * p * (1 - p)
        for k in range(columns):
            slope[k] += x[row, k] * pull
            for other in range(k + 1):
                lower[k, other] += weight * x[row, k] * x[row, other]
    for k in range(columns):  # Cholesky, in place
        for other in range(k + 1):
            total = lower[k, other]
            for before in range(other):
                total -= lower[k, before] * lower[other, before]
            lower[k, other] = np.sqrt(total) if k == other else total / lower[other, other]


@njit(cache=True)
def _solve(lower, slope, found):  # type: ignore[no-untyped-def]
    """Fill `found` with what the curvature turns into the slope."""
    columns = len(slope)
    for k in range(columns):
        total = slope[k]
        for before in range(k):
            total -= lower[k, before] * found[before]
        found[k] = total / lower[k, k]
    for k in range(columns - 1, -1, -1):
        total = found[k]
        for after in range(k + 1, columns):
            total -= lower[after, k] * found[after]
        found[k] = total / lower[k, k]


@njit(cache=True)
def _fill_spread(lower, spread):  # type: ignore[no-untyped-def]
    """Fill the diagonal of the curvature's inverse: squares of the columns of the triangle's inverse, summed."""
    columns = len(spread)
    column = np.empty(columns)
    for k in range(columns):
        spread[k] = 0.0
        for row in range(k, columns):
            total = 1.0 if row == k else 0.0
            for before in range(k, row):
                total -= lower[row, before] * column[before]
            column[row] = total / lower[row, row]
            spread[k] += column[row] ** 2
