"""Calibration: predicted probabilities and values made to agree with what happened later.

    p' = σ(a logit p + b),   (a, b) = argmin Σ w (log-loss of y under p' · P(seen))  + (a - 1)² / 2s_a² + b² / 2s_b²
    value' = value · Σ actual / Σ predicted

The prior keeps few examples from moving much: the two numbers are near 1 and 0 unless the later events say otherwise.

J. Platt, "Probabilistic outputs for support vector machines", 1999. Deviations: 1. The prior instead of smoothed
labels. 2. Positions: what is calibrated is the probability at position 1.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]

#: How far slope and shift may go without much evidence.
SLOPE, SHIFT = 0.25, 0.5
#: Probabilities stay so far from 0 and 1.
EDGE: Final = 1e-6
BINS: Final = 10


@dataclass(frozen=True)
class Platt:
    """Slope and shift of a logit."""

    a: float = 1.0
    b: float = 0.0

    def __call__(self, p: Floats) -> Floats:
        """Return the calibrated probabilities."""
        return np.asarray(1 / (1 + np.exp(-(self.a * logit(p) + self.b))))

    @classmethod
    def fit(cls, p: Floats, label: Floats, weight: Floats | None = None, seen: Floats | None = None) -> Self:
        """Fit to predictions and what happened; `seen` is the probability that the position was looked at."""
        weight, seen = np.ones(len(p)) if weight is None else weight, np.ones(len(p)) if seen is None else seen
        eta = logit(p)

        def loss(ab: Floats) -> float:
            q = np.clip(seen / (1 + np.exp(-(ab[0] * eta + ab[1]))), EDGE, 1 - EDGE)
            told = -(weight * (label * np.log(q) + (1 - label) * np.log1p(-q))).sum()
            return float(told + 0.5 * ((ab[0] - 1) / SLOPE) ** 2 + 0.5 * (ab[1] / SHIFT) ** 2)

        a, b = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-6}).x
        return cls(float(a), float(b))


@dataclass(frozen=True)
class Reliability:
    """Bins of equal mass: mean prediction, mean of what happened, and the mean distance of the two over bins."""

    predicted: tuple[float, ...]
    actual: tuple[float, ...]
    error: float
    ratio: float  # all predicted over all that happened

    @classmethod
    def of(cls, p: Floats, label: Floats, weight: Floats | None = None) -> Self:
        """Compare predictions with what happened, in BINS bins of equal numbers."""
        weight = np.ones(len(p)) if weight is None else weight
        bins = [part for part in np.array_split(np.argsort(p, kind="stable"), BINS) if len(part)]
        predicted = [float(np.average(p[part], weights=weight[part])) for part in bins]
        actual = [float(np.average(label[part], weights=weight[part])) for part in bins]
        error = float(np.mean([abs(x - y) for x, y in zip(predicted, actual, strict=True)]))
        happened = float((weight * label).sum())
        return cls(tuple(predicted), tuple(actual), error, float((weight * p).sum()) / happened if happened else np.inf)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def logit(p: Floats) -> Floats:
    """Return the logarithm of the odds, of probabilities kept off 0 and 1."""
    p = np.clip(p, EDGE, 1 - EDGE)
    return np.asarray(np.log(p) - np.log1p(-p))


def calibrations(told: Mapping[str, Mapping[str, float]]) -> dict[str, Platt]:
    """Return the calibrations that a bundle keeps as plain values."""
    return {task: Platt(**values) for task, values in told.items()}
