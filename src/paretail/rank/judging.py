"""Judging and calibrating a ranker on impressions that came after those it learned from.

What a bundle serves is calibrated on all of them. What the report tells of calibrated predictions is cross-fitted:
users are split in two halves, and each half is told by what was fitted to the other. Revenue is judged over the entire
funnel, by segment, so that what is too much here and too little there does not pass for right:

    money expected of an impression = P(seen at its position) p_click p_purchase value,   against what it brought
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from paretail.rank.calibration import Calibration, Reliability
from paretail.rank.config import RankConfig
from paretail.rank.segments import Codes, Segments

Floats = NDArray[np.float64]
#: A task has a weight of clicks, that of what follows them rises where clicks are rare.
CLICK: Final = "click"
VALUE: Final = "value"
#: A segment's reliability is plotted from so many positives on, in so many bins.
PLOTTED: Final = 50
SEGMENT_BINS: Final = 5


@dataclass(frozen=True, eq=False)
class Later:
    """Impressions of the newest part: what is `told` of each, uncalibrated, and what happened (NaN where not known).

    `paid` is in minor units, as `told["value"]`; `segment` is that of the item by which is calibrated. `weight` says
    for how many pairs an impression stands, `even` is that of learning, less uneven; `kept` as in `calibration.Platt`.
    `known` are those of which it is known by the end of the log whether they are bought; without it all are.
    """

    told: Mapping[str, Floats]
    labels: Mapping[str, Floats]
    paid: Floats
    seen: Floats
    weight: Floats
    user: Codes
    segment: Codes | None
    even: Floats | None = None
    kept: Mapping[str, Floats] = field(default_factory=dict)
    known: NDArray[np.bool_] | None = None

    def of(self, task: str, click_power: float) -> tuple[NDArray[np.bool_], Floats, Floats]:
        """Return the rows that know a task's answer, their weights, and P(seen) of them."""
        there = np.isfinite(self.labels[task])
        power = 0.0 if task == CLICK else click_power
        seen = self.seen[there] if task == CLICK else np.ones(int(there.sum()))
        return there, self.weight[there] * self.told[CLICK][there] ** -power, seen


def judged(later: Later, config: RankConfig, divided: Sequence[Segments]) -> dict[str, Any]:
    """Return `calibration`, `value_ratio`, and how reliable predictions are before, and after it by cross-fitting."""
    tasks = [task for task in later.told if task != VALUE]
    every, half = np.ones(len(later.seen), bool), later.user % 2 == 0
    fits = {task: _fitted(task, later, config, every) for task in tasks}
    after = {task: _crossed(task, later, config, half) for task in tasks}
    before = {task: reliability(task, later, config, later.told[task]).to_json() for task in tasks}
    found: dict[str, Any] = {
        "calibration": {task: fit.to_json() for task, fit in fits.items()}, "reliability": before,
        "calibrated": {task: reliability(task, later, config, after[task]).to_json() for task in tasks},
        "segments": [row for segments in divided for task in tasks
                     for row in _by_segment(task, later, config, after[task], segments)],
        "value_ratio": value_ratio(later, every),
    }  # fmt: skip
    return found | (_money(later, after, half, divided) if VALUE in later.told else {})


def reliability(task: str, later: Later, config: RankConfig, p: Floats) -> Reliability:
    """Compare predictions of a task with what happened."""
    there, weight, seen = later.of(task, config.click_power)
    return Reliability.of(p[there] * seen, later.labels[task][there], weight)


def value_ratio(later: Later, rows: NDArray[np.bool_]) -> float:
    """Return what was paid over what was predicted of those purchases; one more purchase as predicted holds it."""
    if VALUE not in later.told:
        return 1.0
    bought = rows & np.isfinite(later.paid)
    paid, predicted = later.paid[bought], later.told[VALUE][bought]
    return float((paid.sum() + predicted.mean()) / (predicted.sum() + predicted.mean())) if bought.any() else 1.0


def _fitted(task: str, later: Later, config: RankConfig, rows: NDArray[np.bool_]) -> Calibration:
    there, weight, seen = later.of(task, config.click_power)
    if task != CLICK:
        weight = np.ones(len(weight))  # they were clicked, and what is told is what follows a click
    keep = rows[there]
    if not keep.any():
        return Calibration()
    segment = None if later.segment is None else later.segment[there][keep]
    p, label = later.told[task][there][keep], later.labels[task][there][keep]
    kept = later.kept[task][there][keep] if task in later.kept else 0.0
    even = later.even[there][keep] if task == CLICK and later.even is not None else None
    return Calibration.fit(config.calibration, p, label, weight[keep], seen[keep], segment, kept, even)


def _crossed(task: str, later: Later, config: RankConfig, half: NDArray[np.bool_]) -> Floats:
    """Return calibrated predictions, each by what was fitted to the other half of the users."""
    one, other = (_fitted(task, later, config, rows) for rows in (half, ~half))
    p, kept = later.told[task], later.kept.get(task, 0.0)
    return np.where(half, other(p, later.segment, kept), one(p, later.segment, kept))


def _by_segment(task: str, later: Later, config: RankConfig, p: Floats, segments: Segments) -> list[dict[str, Any]]:
    there, weight, seen = later.of(task, config.click_power)
    codes, size, label = segments.codes[there], len(segments.names), later.labels[task][there]

    def sums(values: Floats) -> Floats:
        return np.asarray(np.bincount(codes[codes >= 0], values[codes >= 0], size))

    rows, positives, mass = sums(np.ones(len(codes))), sums(label), np.maximum(sums(weight), 1e-12)
    before, q = later.told[task][there] * seen, p[there] * seen
    predicted, actual = sums(weight * q) / mass, sums(weight * label) / mass
    se = np.sqrt(sums(weight**2 * q * (1 - q))) / mass

    def curves(at: int) -> dict[str, Any]:
        if positives[at] < PLOTTED:
            return {}
        its = codes == at
        told = (Reliability.of(one[its], label[its], weight[its], SEGMENT_BINS).to_json() for one in (before, q))
        return dict(zip(("before", "after"), told, strict=True))

    return [
        {"task": task, "by": segments.by, "segment": name, "rows": int(rows[at]), "predicted": float(predicted[at]),
         "actual": float(actual[at]), "se": float(se[at]), **curves(at)}
        for at, name in enumerate(segments.names) if rows[at]
    ]  # fmt: skip


def _money(later: Later, p: Mapping[str, Floats], half: NDArray[np.bool_],
           divided: Sequence[Segments]) -> dict[str, Any]:  # fmt: skip
    """Return the revenue expected of the impressions and what they brought, in all and by segment."""
    ratio = np.where(half, value_ratio(later, ~half), value_ratio(later, half))
    bought = p.get("purchase", np.zeros(len(half)))
    known = np.ones(len(half), bool) if later.known is None else later.known
    expected = known * later.seen * p[CLICK] * bought * later.told[VALUE] * ratio
    paid = np.nan_to_num(later.paid)
    rows = [
        {"by": segments.by, "segment": name, "rows": int(inside.sum()), "purchases": int((paid[inside] > 0).sum()),
         "predicted": float(expected[inside].sum()), "paid": float(paid[inside].sum()),
         "se": float(np.sqrt((paid[inside] ** 2).sum()))}
        for segments in divided for at, name in enumerate(segments.names)
        if (inside := (segments.codes == at) & known).any()
    ]  # fmt: skip
    se = float(np.sqrt((paid**2).sum()))
    return {"values": {"paid": float(paid.sum()), "predicted": float(expected.sum()), "se": se, "segments": rows}}
