"""Less noise from what was known before: what a user did before the experiment says much of what follows.

    y'_i = y_i - theta (x_i - mean(x)),   theta = cov(x, y) / var(x) within the arms

The mean of y' in an arm has the same expectation as that of y, since x was settled before the arms were, and a variance
of 1 - corr(x, y)^2 times that of y.

A. Deng, Y. Xu, R. Kohavi, T. Walker, "Improving the sensitivity of online controlled experiments by utilizing
pre-experiment data", WSDM 2013, doi:10.1145/2433396.2433413. Deviations: 1. x may be several columns (least squares).
2. A user of whom nothing was known has the mean of x and is left as he is.
"""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def cuped(y: Values, before: Values, arm: NDArray[np.int64]) -> Values:
    """Return `y[users]` less what `before[users]` or `before[users, columns]` explains; NaN in it is unknown.

    Nothing that the experiment can change may stand in `before`.
    """
    x = before.reshape(len(y), -1)
    known = ~np.isnan(x)
    mean = np.where(known, x, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    x = np.where(known, x - mean, 0.0)
    inside, y_inside = _within(x, arm), _within(y[:, None], arm)[:, 0]
    theta = np.linalg.lstsq(inside, y_inside, rcond=None)[0]
    less: Values = y - x @ theta
    return less


def _within(columns: Values, arm: NDArray[np.int64]) -> Values:
    """Return the columns less their means in each arm."""
    _, at, size = np.unique(arm, return_inverse=True, return_counts=True)
    means = np.stack([np.bincount(at, column, len(size)) / size for column in columns.T], axis=1)
    less: Values = columns - means[at]
    return less
