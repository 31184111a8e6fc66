"""Calibration by segment of items: after a task's own, a line or a curve for each segment, held to the task's own.

    lines    logit p'' = a_s (logit p' - m) + m + b_s
             (a_s, b_s) = argmax Σ_s w log-likelihood - (a_s - 1)² / 2 SLOPE² - b_s² / 2 SHIFT²,   by Fisher scoring
    curves   p'' = isotonic_s(p'), where a segment has ENOUGH positives; else p'' = p'

p' is what the task's own calibration tells, so that 1 and 0, and a curve's own prior, are the task's own: a segment of
few examples stays there. m is the mean logit, around which slopes turn; as in `Platt`, what all examples tell together
(`kept`) keeps its size, and slopes are fitted by weights that are less uneven.

Sources: those of `calibration.py` and `isotonic.py`; U. Hébert-Johnson et al., "Multicalibration", ICML 2018,
arXiv:1711.08513 (why by segment). Deviation: one pass, each item in one segment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from paretail.rank.isotonic import EDGE, Isotonic, logit
from paretail.rank.tables import sigmoid

Floats = NDArray[np.float64]

#: How far a segment's slope and level may go without much evidence.
SLOPE, SHIFT = 0.1, 0.15
STEPS: Final = 8
#: A segment has a curve from so many positives on.
ENOUGH: Final = 100


@dataclass(frozen=True)
class Lines:
    """Slope and level of each segment's logit, around a `middle`."""

    a: tuple[float, ...] = ()
    b: tuple[float, ...] = ()
    middle: float = 0.0

    def __call__(self, p: Floats, segment: NDArray[Any], kept: Floats | float = 0.0) -> Floats:
        """Return the probabilities; segments that were not there stay as they are."""
        at, held = np.where(segment < len(self.a), segment, -1), kept + self.middle
        return sigmoid(np.append(self.a, 1.0)[at] * (logit(p) - held) + held + np.append(self.b, 0.0)[at])

    @classmethod
    def fit(cls, p: Floats, label: Floats, weight: Floats, seen: Floats, segment: NDArray[Any],
            kept: Floats | float = 0.0, slopes: tuple[float, ...] | None = None) -> Self:  # fmt: skip
        """Fit to predictions and what happened, as `Platt.fit`; where `slopes` are given, levels alone."""
        there = segment >= 0
        eta, y, w, s, code = logit(p[there]), label[there], weight[there], seen[there], segment[there]
        held = np.broadcast_to(np.asarray(kept, np.float64), p.shape)[there]
        size, middle = int(code.max(initial=-1)) + 1, float((eta - held).mean()) if len(eta) else 0.0
        x, rest = eta - held - middle, held + middle
        a: Floats = np.ones(size) if slopes is None else np.array(slopes, np.float64)
        b: Floats = np.zeros(size)
        for _ in range(STEPS):
            q = sigmoid(a[code] * x + rest + b[code])
            off = np.maximum(1 - s * q, EDGE)
            pull, curve = w * (y - s * q) * (1 - q) / off, w * s * q * (1 - q) ** 2 / off
            first = [np.bincount(code, pull * x**power, size).astype(np.float64) for power in (1, 0)]
            second = [np.bincount(code, curve * x**power, size).astype(np.float64) for power in (2, 1, 0)]
            a, b = _stepped(a, b, first, second, slopes is None)
        return cls(tuple(a.tolist()), tuple(b.tolist()), middle)


def _stepped(a: Floats, b: Floats, first: list[Floats], second: list[Floats], turns: bool) -> tuple[Floats, Floats]:
    """Take one step of Fisher scoring, of slopes and levels, or of levels alone."""
    slope, level = first[0] - (a - 1) / SLOPE**2, first[1] - b / SHIFT**2
    aa, ab, bb = second[0] + 1 / SLOPE**2, second[1], second[2] + 1 / SHIFT**2
    turn = (bb * slope - ab * level) / (aa * bb - ab**2) if turns else np.zeros(len(a))
    return a + turn, b + (level - ab * turn) / bb


@dataclass(frozen=True)
class Curves:
    """The curves of the segments that have one."""

    of: Mapping[int, Isotonic]

    def __call__(self, p: Floats, segment: NDArray[Any], kept: Floats | float = 0.0) -> Floats:
        """Return the probabilities; segments without a curve stay as they are."""
        found = p.copy()
        for code in np.unique(segment).tolist():
            if code in self.of:
                found[segment == code] = self.of[code](p[segment == code])
        return found

    @classmethod
    def fit(cls, p: Floats, label: Floats, weight: Floats, seen: Floats, segment: NDArray[Any]) -> Self:
        """Fit a curve to each segment that has enough positives."""
        positives = np.bincount(segment[segment >= 0], (weight * label)[segment >= 0])
        rows = {code: segment == code for code in np.flatnonzero(positives >= ENOUGH).tolist()}
        return cls({code: Isotonic.fit(p[at], label[at], weight[at], seen[at]) for code, at in rows.items()})
