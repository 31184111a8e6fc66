"""Isotonic calibration: another way in which predictions are made to agree with what happened.

    isotonic   q_1 ≤ q_2 ≤ ... = argmin Σ_b n_b (q_b - r_b)²,  r_b = (Σ w y + K) / (Σ w P(seen) + K / p_b), over bins b

Between the middles of blocks the logit is interpolated, beyond the outer ones it goes on with slope 1, so that no two
predictions become equal. K expected positives of what was predicted hold each bin: few examples move little.

Source: B. Zadrozny, C. Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD
2002, doi:10.1145/775047.775151. Deviations: 1. Bins before blocks, held by what was predicted.
2. Interpolation of logits.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from paretail.rank.tables import NEAR, sigmoid

Floats = NDArray[np.float64]

BINS: Final = 50
#: Expected positives that hold a bin.
HELD: Final = 4.0
#: Probabilities stay so far from 0 and 1.
EDGE: Final = NEAR


@dataclass(frozen=True)
class Isotonic:
    """Logits `x` in order, and what each becomes."""

    x: tuple[float, ...] = (0.0,)
    y: tuple[float, ...] = (0.0,)

    def __call__(self, p: Floats) -> Floats:
        """Return the calibrated probabilities."""
        eta, x = logit(p), np.array(self.x)
        within = np.clip(eta, x[0], x[-1])
        return sigmoid(np.interp(within, x, self.y) + eta - within)

    @classmethod
    def fit(cls, p: Floats, label: Floats, weight: Floats, seen: Floats) -> Self:
        """Fit to predictions and what happened; `seen` is the probability that the position was looked at."""
        from scipy.optimize import isotonic_regression  # as in `calibration.py`

        if not len(p):
            return cls()
        order = np.argsort(p, kind="stable")
        starts = np.unique(np.linspace(0, len(p), BINS, endpoint=False).astype(int))

        def sums(values: Floats) -> Floats:
            return np.asarray(np.add.reduceat(values[order], starts))

        mass = sums(weight * seen)
        mean = np.clip(sums(weight * seen * p) / mass, EDGE, 1 - EDGE)
        held = mass + HELD / mean
        fitted = isotonic_regression((sums(weight * label) + HELD) / held, weights=held)
        blocks = fitted.blocks[:-1]
        x = np.add.reduceat(held * logit(mean), blocks) / np.add.reduceat(held, blocks)
        return cls(tuple(x.tolist()), tuple(logit(fitted.x[blocks]).tolist()))


def logit(p: Floats) -> Floats:
    """Return the logarithm of the odds, of probabilities kept off 0 and 1."""
    p = np.clip(p, EDGE, 1 - EDGE)
    return np.asarray(np.log(p) - np.log1p(-p))
