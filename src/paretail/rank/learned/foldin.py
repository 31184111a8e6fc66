"""Fold-in: what a ranker believes of a user after events that it did not learn from.

    θ = argmax  Σ_e log σ(η_e) + n R E_b log σ(-η_b) - ½ Σ_k (θ_k - m_k)² / v_k,    η_i = c_i + x_i · θ

θ are the user's columns that clicks read and the user's bias, N(m, v) what was believed before, x_i = (w_k q_ik, 1),
and e the n new events. Live events tell what somebody turned to and not what was shown beside, so each stands against
the R impressions without a click that come with a click in the log, of items b as they are usually shown. An average
user's events leave θ where it was. The spread that remains is the inverse of the curvature at θ (Laplace).

Source: D. MacKay, "The evidence framework applied to classification networks", 1992, doi:10.1162/neco.1992.4.5.720
(the quadratic approximation). Deviations: 1. Impressions without clicks are those of the log, not the user's own.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Newton's steps, at most, and how short one is that ends them: the next would be its square.
STEPS: Final = 6
CLOSE: Final = 1e-3
#: Items that stand for what is usually shown.
USUAL: Final = 64


@dataclass(frozen=True, eq=False)
class Usual:
    """Items as they are usually shown, each equally often, and the impressions without a click for one with."""

    item_idx: NDArray[np.int64]
    unclicked: float

    @classmethod
    def of(cls, shown: Floats, click_rate: float) -> "Usual":
        """Take items in proportion to `shown[items]`, how often each was."""
        share = np.cumsum(shown) / max(float(shown.sum()), 1e-9)
        places = (np.arange(USUAL) + 0.5) / USUAL
        return cls(np.searchsorted(share, places).clip(0, len(shown) - 1), (1 - click_rate) / max(click_rate, 1e-6))


def folded(mean: Floats, variance: Floats, events: tuple[Floats, Floats], usual: tuple[Floats, Floats],
           unclicked: float) -> tuple[Floats, Floats]:  # fmt: skip
    """Return mean and variance of θ after events.

    `events` and `usual` are `x[rows, columns]` and `c[rows]` each; `unclicked` is R.
    """
    (x, c), (x_usual, c_usual) = events, usual
    weight = len(x) * unclicked / len(x_usual)
    theta = mean.copy()
    curvature = np.diag(1 / variance)
    for _ in range(STEPS):
        p, p_usual = _sigmoid(c + x @ theta), _sigmoid(c_usual + x_usual @ theta)
        slope = x.T @ (1 - p) - weight * x_usual.T @ p_usual - (theta - mean) / variance
        curvature = (x.T * (p * (1 - p))) @ x + weight * (x_usual.T * (p_usual * (1 - p_usual))) @ x_usual
        curvature += np.diag(1 / variance)
        step = np.linalg.solve(curvature, slope)
        theta = theta + step
        if np.abs(step).max() < CLOSE:
            break
    return theta, np.diag(np.linalg.inv(curvature)).copy()


def _sigmoid(eta: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(eta, -30, 30))))
