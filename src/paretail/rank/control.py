"""A negative control of the value: least squares on log(1 + value) over clicks, zeros included.

    minimises  sum_clicks (log(1 + v) - x θ)² + |θ|²,   predicts exp(x θ) - 1

x: the user and the item. The mean of a logarithm lies below the logarithm of the mean, by more the more values are 0:
most of the money is lost. Deviations: none, there is no paper; it is what many shops start with.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import lsqr

from paretail.core.ids import Rows
from paretail.rank.examples import Examples


def revenue_found(examples: Examples, cut_ms: int) -> float | None:
    """Return the share of the revenue from a moment on that it would find, learned before it; None without money."""
    known = np.arange(len(examples)) < examples.paid_until
    clicks = examples.where((examples.labels["click"] == 1) & known)
    value = np.nan_to_num(clicks.paid)
    ratio = log_value_ratio(clicks.user_idx, clicks.item_idx, value, clicks.ts_ms < cut_ms)
    return ratio if np.isfinite(ratio) else None


def log_value_ratio(user_idx: Rows, item_idx: Rows, value: NDArray[np.float64], is_early: NDArray[np.bool_]) -> float:
    """Return what is predicted of the later clicks' values over what they were; NaN where that is nothing.

    One row a click, value 0 where nothing was bought.
    """
    if not value[~is_early].any() or not is_early.any():
        return float("nan")
    columns = [sparse.csr_array((np.ones(len(rows)), (np.arange(len(rows)), rows))) for rows in (user_idx, item_idx)]
    x, target = sparse.csr_array(sparse.hstack(columns)), np.log1p(value)
    mean = target[is_early].mean()
    theta = lsqr(x[np.flatnonzero(is_early)], target[is_early] - mean, damp=1.0)[0]
    told = np.expm1(x[np.flatnonzero(~is_early)] @ theta + mean)
    return float(told.sum() / value[~is_early].sum())
