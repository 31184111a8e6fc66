"""Which slots of its last slate were clicked: found in the observation, once, by playing random slates.

An agent is told no names: an observation is numbers, and at work it brings no reward. So ways of reading are tried on a
probe of random slates, and the one is kept whose number of clicks goes best with the reward of the step:

    columns   `slots` columns of 0s and 1s, evenly spaced                       the bits of the last slate
    by item   a column for each item, grown or above 0 for those that were clicked
    rows      columns that hold the rows of the clicked items, others -1 or none shown
    vector    one slot only: what a block of columns gained, along the vector of the item, goes with the reward

Where none goes with the reward (correlation under `LEAST`), as in an environment without clicks, there is no feedback.
A part of the observation that has a bit for each of several slots and nothing else tells of the slate by its shape: it
is taken where nothing goes better, if only it does not go against the reward (by `CHANCE` standard errors). For few
clicks bring money, so that a reward of money alone hardly goes with clicks.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from paretail.policy.agents.spaces import Leaf

Values = NDArray[np.float32]
LEAST: Final = 0.3
CHANCE: Final = 2.0
#: Another reading is preferred where it goes better by this much; the first are the plainest.
_MARGIN: Final = 0.01
_LEAST_GAIN: Final = 1e-6


@dataclass(frozen=True, eq=False)
class Probe:
    """Steps of random slates: observations before and after, rows `[steps, slots]`, rewards."""

    before: Values
    after: Values
    rows: NDArray[np.int64]
    reward: NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """A way to read clicks; `first`, `stride` are columns of the raw observation."""

    kind: str
    first: int = 0
    stride: int = 1
    width: int = 0
    gains: bool = False
    together: bool = False

    def __call__(self, before: Values, after: Values, rows: NDArray[np.int64], vectors: Values) -> Values:
        """Return `[lanes, slots]`: 1 where the slot was clicked, or how well it did."""
        if self.kind == "columns":
            return after[:, self.first + self.stride * np.arange(rows.shape[1])]
        if self.kind == "by item":
            at = self.first + self.stride * rows
            found = np.take_along_axis(after, at, 1)
            found = found - np.take_along_axis(before, at, 1) if self.gains else found
            return np.asarray(found > _LEAST_GAIN, np.float32)
        block = after[:, self.first : self.first + self.width]
        if self.kind == "rows":
            return np.asarray((rows[:, :, None] == block[:, None, :]).any(2), np.float32)
        gained = block - before[:, self.first : self.first + self.width] if self.gains else block
        along = (gained * vectors[rows[:, 0]]).sum(1)
        return np.asarray(along > _LEAST_GAIN, np.float32)[:, None]

    def to_json(self) -> dict[str, Any]:
        """Return the reading as plain values."""
        return asdict(self)


def find(probe: Probe, leaves: list[Leaf], vectors: Values) -> tuple[Reading | None, float]:
    """Return the reading that goes best with the reward, and how well; None where none does, or rewards are all one."""
    best, top, slots = None, -1.0, probe.rows.shape[1]
    own, chance = _bits_of_slots(leaves, slots), CHANCE / max(1, len(probe.reward)) ** 0.5
    if len(probe.reward) < 20 or np.ptp(probe.reward) == 0:
        return None, 0.0
    for reading in _candidates(probe, leaves, vectors):
        found = reading(probe.before, probe.after, probe.rows, vectors)
        if not ((found == 0) | (found == 1)).all() or found.min() == found.max():
            continue
        goes = _correlation(found.sum(1), probe.reward)
        shaped = reading.kind == "columns" and reading.stride == 1 and reading.first in own
        if goes > max(-chance if shaped else LEAST, top + _MARGIN):
            best, top = reading, goes
    return best, 0.0 if best is None else top


def _bits_of_slots(leaves: list[Leaf], slots: int) -> set[int]:
    """Return where the parts begin that have one number for each of several slots."""
    starts = np.cumsum([0, *(leaf.size for leaf in leaves)])[:-1].tolist()
    return {start for start, leaf in zip(starts, leaves, strict=True) if leaf.size == slots > 1}


def _candidates(probe: Probe, leaves: list[Leaf], vectors: Values) -> Iterator[Reading]:
    slots, items, at = probe.rows.shape[1], len(vectors), 0
    width = probe.after.shape[1]
    bits = ((probe.after == 0) | (probe.after == 1)).all(0)
    strides = range(1, 1 if slots == 1 else max(1, width // slots) + 1)
    yield from (Reading("columns", first) for first in np.flatnonzero(bits).tolist() if slots == 1)
    for stride in strides:
        fits = np.ones(width, bool)
        for slot in range(slots):
            moved = np.zeros(width, bool)
            moved[: width - slot * stride] = bits[slot * stride :]
            fits &= moved
        yield from (Reading("columns", first, stride) for first in np.flatnonzero(fits)[:4000].tolist())
    for leaf in leaves:
        if leaf.form == "by item":
            planes = range(leaf.planes)
            for first, stride in ((at + p, leaf.planes) if leaf.together else (at + p * items, 1) for p in planes):
                yield from (Reading("by item", first, stride, gains=gains) for gains in (True, False))
        if leaf.form == "rows":
            yield Reading("rows", at, width=leaf.size)
        at += leaf.size
    if slots == 1:
        last = width - vectors.shape[1] + 1
        for first in range(max(0, min(last, 512))):
            yield from (Reading("vector", first, width=vectors.shape[1], gains=gains) for gains in (False, True))


def _correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    if np.ptp(one) == 0:
        return 0.0
    return float(np.corrcoef(one.astype(np.float64), other)[0, 1])
