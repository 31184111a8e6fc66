"""Calibration: predicted probabilities and values made to agree with what happened later.

    p' = σ(a (logit p - c) + c + b)
    (a, b) = argmin Σ w (log-loss of y under p' · P(seen)) + (a - 1)² / 2s_a² + b² / 2s_b²
    value' = value · Σ actual / Σ predicted

The prior keeps few examples from moving much: the two numbers are near 1 and 0 unless the later events say otherwise.
`a` takes back what was learned too eagerly of single users and items; c, the part of a logit that all examples tell
together (what the price does), was not, and stays. Where some examples stand for many others, `a` is fitted by weights
that are less uneven, and the uneven ones move the level alone: a few heavy rows tilt nothing.
What may follow a click is told given the click (`tables.probability`), so that each clicked example counts as it is.
Isotonic calibration: `isotonic.py` beside; by segment of items: `segmented.py`.

J. Platt, "Probabilistic outputs for support vector machines", 1999. Deviations: 1. The prior instead of smoothed
labels. 2. Positions: what is calibrated is the probability at position 1.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from paretail.rank.isotonic import EDGE, Isotonic, logit
from paretail.rank.segmented import Curves, Lines

Floats = NDArray[np.float64]

Way = Literal["platt", "isotonic"]

#: How far slope and shift may go without much evidence.
SLOPE, SHIFT = 0.25, 0.5
BINS: Final = 10


@dataclass(frozen=True)
class Platt:
    """Slope and shift of a logit."""

    a: float = 1.0
    b: float = 0.0

    def __call__(self, p: Floats, kept: Floats | float = 0.0) -> Floats:
        """Return the calibrated probabilities; `kept` is the part of each logit that keeps its size."""
        return np.asarray(1 / (1 + np.exp(-(self.a * (logit(p) - kept) + kept + self.b))))

    @classmethod
    def fit(cls, p: Floats, label: Floats, weight: Floats | None = None, seen: Floats | None = None,
            kept: Floats | float = 0.0, slope: float | None = None) -> Self:  # fmt: skip
        """Fit to predictions and what happened; `seen` is the probability that the position was looked at.

        Where a `slope` is given, only the shift is fitted.
        """
        weight, seen = np.ones(len(p)) if weight is None else weight, np.ones(len(p)) if seen is None else seen
        own = logit(p) - kept

        def loss(ab: Floats) -> float:
            a, b = (ab[0], ab[1]) if slope is None else (slope, ab[0])
            q = np.clip(seen / (1 + np.exp(-(a * own + kept + b))), EDGE, 1 - EDGE)
            told = -(weight * (label * np.log(q) + (1 - label) * np.log1p(-q))).sum()
            return float(told + 0.5 * ((a - 1) / SLOPE) ** 2 + 0.5 * (b / SHIFT) ** 2)

        from scipy.optimize import minimize  # 0.5 s to import, and most commands fit nothing

        start = np.array([1.0, 0.0] if slope is None else [0.0])
        found = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-6}).x.tolist()
        return cls(*found) if slope is None else cls(slope, *found)


@dataclass(frozen=True)
class Reliability:
    """Bins of equal mass: mean prediction, mean of what happened, and the mean distance of the two over bins."""

    predicted: tuple[float, ...]
    actual: tuple[float, ...]
    error: float
    ratio: float  # all predicted over all that happened

    @classmethod
    def of(cls, p: Floats, label: Floats, weight: Floats | None = None, bins_of: int = BINS) -> Self:
        """Compare predictions with what happened, in bins of equal numbers."""
        weight = np.ones(len(p)) if weight is None else weight
        bins = [part for part in np.array_split(np.argsort(p, kind="stable"), bins_of) if len(part)]
        predicted = [float(np.average(p[part], weights=weight[part])) for part in bins]
        actual = [float(np.average(label[part], weights=weight[part])) for part in bins]
        error = float(np.mean([abs(x - y) for x, y in zip(predicted, actual, strict=True)]))
        happened = float((weight * label).sum())
        return cls(tuple(predicted), tuple(actual), error, float((weight * p).sum()) / happened if happened else np.inf)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Calibration:
    """What calibrates a task: of all pairs, and after it of each segment of items."""

    base: Platt | Isotonic = Platt()
    within: Lines | Curves | None = None

    def __call__(self, p: Floats, segment: NDArray[Any] | None = None, kept: Floats | float = 0.0) -> Floats:
        """Return the calibrated probabilities; `segment[pairs]` is -1 for none, `kept[pairs]` as in `Platt`."""
        return self.rest(self.base(p, kept) if isinstance(self.base, Platt) else p, segment, kept)

    @property
    def line(self) -> tuple[float, float]:
        """Slope and level of all pairs' log-odds, NaN where there is a curve."""
        return (self.base.a, self.base.b) if isinstance(self.base, Platt) else (np.nan, np.nan)

    def rest(self, p: Floats, segment: NDArray[Any] | None, kept: Floats | float) -> Floats:
        """Return the calibrated probabilities of pairs whose log-odds were moved by `line` already."""
        p = p if isinstance(self.base, Platt) else self.base(p)
        return p if segment is None or self.within is None else self.within(p, segment, kept)

    @classmethod
    def fit(cls, way: Way, p: Floats, label: Floats, weight: Floats, seen: Floats, segment: NDArray[Any] | None = None,
            kept: Floats | float = 0.0, even: Floats | None = None) -> Self:  # fmt: skip
        """Fit to predictions and what happened, as `Platt.fit`; with segments, the same way for each after it.

        `even` are less uneven weights, by which slopes are fitted. Weights count as so many examples as would be
        as sure, (Σ w)² / Σ w² of them (L. Kish, 1965).
        """
        weight, even = _as_sure(weight), None if even is None else _as_sure(even)
        if way == "isotonic":
            curve = Isotonic.fit(p, label, weight, seen)
            return cls(curve, None if segment is None else Curves.fit(curve(p), label, weight, seen, segment))
        slope = None if even is None else Platt.fit(p, label, even, seen, kept).a
        base = Platt.fit(p, label, weight, seen, kept, slope)
        if segment is None:
            return cls(base)
        told = base(p, kept)
        slopes = None if even is None else Lines.fit(told, label, even, seen, segment, kept).a
        return cls(base, Lines.fit(told, label, weight, seen, segment, kept, slopes))

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        told: dict[str, Any] = {"platt" if isinstance(self.base, Platt) else "isotonic": asdict(self.base)}
        if self.within is not None:
            told["lines" if isinstance(self.within, Lines) else "curves"] = asdict(self.within)
        return told

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Self:
        """Return what `to_json` told; earlier versions told `shifts` of segments, whose slope was 1."""
        base = Platt(**told["platt"]) if "platt" in told else Isotonic(**told["isotonic"])
        if "curves" in told:
            return cls(base, Curves({int(code): Isotonic(**one) for code, one in told["curves"]["of"].items()}))
        if shifts := tuple(told.get("shifts", ())):
            return cls(base, Lines((1.0,) * len(shifts), shifts))
        return cls(base, Lines(**told["lines"]) if "lines" in told else None)


def _as_sure(weight: Floats) -> Floats:
    return weight * weight.sum() / (weight**2).sum() if len(weight) else weight


def calibrations(told: Mapping[str, Mapping[str, Any]]) -> dict[str, Calibration]:
    """Return the calibrations that a bundle keeps as plain values."""
    return {task: Calibration.of_json(values) for task, values in told.items()}
