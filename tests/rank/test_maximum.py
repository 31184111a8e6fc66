"""The likeliest numbers after clicks, and their spread, against the equations they solve."""

import numpy as np
import pytest

from paretail.rank.maximum import maximum


@pytest.mark.parametrize("rows", [1, 20, 300])
def test_the_slope_vanishes_and_the_spread_is_the_curvatures_inverse(rows: int) -> None:
    rng = np.random.default_rng(rows)
    mean, variance = rng.normal(size=5), rng.uniform(0.1, 1, 5)
    x, c = rng.normal(size=(rows, 5)), rng.normal(size=rows)
    clicked, left = rng.integers(2, size=rows) * 1.0, rng.uniform(0, 2, rows)
    theta, spread = maximum(mean, variance, x, c, clicked, left)
    p = 1 / (1 + np.exp(-(c + x @ theta)))
    slope = x.T @ (clicked - (clicked + left) * p) - (theta - mean) / variance
    np.testing.assert_allclose(slope, 0, atol=1e-3)
    curvature = (x.T * ((clicked + left) * p * (1 - p))) @ x + np.diag(1 / variance)
    np.testing.assert_allclose(spread, np.diag(np.linalg.inv(curvature)), rtol=2e-2)


def test_of_nothing_it_says_what_was_believed() -> None:
    mean, variance = np.array([0.5, -1.0]), np.array([0.2, 3.0])
    theta, spread = maximum(mean, variance, np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros(0))
    np.testing.assert_allclose((theta, spread), (mean, variance))
