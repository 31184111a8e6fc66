"""Hard rules of a slate: caps, needs and pins; which candidates may take a slot, and which rules a slate breaks.

Where no candidate keeps all rules, needs give way first, then caps: a slate is served, `broken` tells what it breaks.
Items that must not be shown at all are no candidates in the first place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.policy.pool import Floats, Pool

Mask = NDArray[np.bool_]
NEVER: Final = np.float32(-np.inf)


@dataclass(frozen=True, eq=False)
class Cap:
    """At most `most` items of one group; `codes[users, cands]` number the groups, -1 is none of them."""

    name: str
    codes: Rows
    most: int


@dataclass(frozen=True, eq=False)
class Need:
    """At least `least` of `those[users, cands]`."""

    name: str
    those: Mask
    least: int


@dataclass(frozen=True, eq=False)
class Pin:
    """The candidate `place[users]` at `slot`, counted from 0; -1: it is no candidate."""

    name: str
    slot: int
    place: Rows


@dataclass(frozen=True, eq=False)
class Rules:
    """All rules of a composition; `factor[users, cands]` multiplies what a candidate is worth (boost and bury)."""

    caps: Sequence[Cap] = ()
    needs: Sequence[Need] = ()
    pins: Sequence[Pin] = ()
    factor: NDArray[np.float32] | None = None

    def pinned(self, slot: int, users: int) -> Rows:
        """Return the place pinned to `slot`, -1 for none, `[users]`."""
        found = [pin.place for pin in self.pins if pin.slot == slot]
        return found[0] if found else np.full(users, -1, np.int32)

    def broken(self, places: Rows) -> list[list[str]]:
        """Return the names of the rules that each slate `places[users, slots]` breaks."""
        users = np.arange(len(places))[:, None]
        held, there = np.maximum(places, 0), places >= 0
        told: list[tuple[str, Mask]] = []
        for cap in self.caps:
            codes = np.where(there, cap.codes[users, held], -1)
            most = [np.bincount(row[row >= 0], minlength=1).max() for row in codes]
            told.append((cap.name, np.array(most) > cap.most))
        told += [(need.name, (need.those[users, held] & there).sum(1) < need.least) for need in self.needs]
        for pin in self.pins:
            shown = places[:, pin.slot] if pin.slot < places.shape[1] else np.full(len(places), -1)
            told.append((pin.name, (pin.place < 0) | (shown != pin.place)))
        return [[name for name, broken in told if broken[user]] for user in range(len(places))]


class Free:
    """Which candidates may take the next of `k` slots, while slates are filled; pins count from the start."""

    def __init__(self, pool: Pool, rules: Rules, k: int) -> None:
        self.rules = rules
        users = pool.shape[0]
        self.users = np.arange(users)
        self.barred = np.where(pool.valid, np.float32(0.0), NEVER)
        self.used = [np.zeros((users, int(cap.codes.max(initial=-1)) + 1), np.int32) for cap in rules.caps]
        self.lack = np.tile([need.least for need in rules.needs], (users, 1)).astype(np.int32)
        self.pinned = np.stack([rules.pinned(slot, users) for slot in range(k)])
        for pin in rules.pins:  # they wait for their slot
            self._mark(pin.place, NEVER)
        for places in self.pinned if rules.pins else ():
            self._count(places, 1)

    def at(self, slot: int, refill: bool = False) -> Floats:
        """Return 0 for who may take a slot and -inf for others; `refill`: all the other slots are filled."""
        if not self.rules.caps and not self.rules.needs:
            return self.barred
        left = 1 if refill else (self.pinned[slot:] < 0).sum(0)
        free = self.barred == 0
        capped = free.copy()
        for cap, used in zip(self.rules.caps, self.used, strict=True):
            full = np.take_along_axis(used, np.maximum(cap.codes, 0), 1) >= cap.most
            capped &= ~full | (cap.codes < 0)
        allowed = np.where(capped.any(axis=1, keepdims=True), capped, free)
        lack = np.maximum(self.lack, 0)
        missing = lack.sum(1)
        must: Mask = np.greater_equal(missing, left) & np.greater(missing, 0)
        if must.any():
            wanted = np.zeros_like(allowed)
            for place, need in enumerate(self.rules.needs):
                wanted |= need.those & (lack[:, place] > 0)[:, None]
            wanted &= allowed
            allowed = np.where(must[:, None] & wanted.any(axis=1, keepdims=True), wanted, allowed)
        return np.where(allowed, np.float32(0.0), NEVER)

    def add(self, places: Rows, slot: int) -> None:
        """Take each user's candidate `places[users]`, -1 for none."""
        self._mark(places, NEVER)
        self._count(self._chosen(places, slot), 1)

    def drop(self, places: Rows, slot: int) -> None:
        """Give it back."""
        self._mark(places, np.float32(0.0))
        self._count(self._chosen(places, slot), -1)

    def _chosen(self, places: Rows, slot: int) -> Rows:
        return np.where(self.pinned[slot] < 0, places, -1) if self.rules.pins else places

    def _mark(self, places: Rows, as_what: np.float32) -> None:
        if places.min(initial=0) >= 0:
            self.barred[self.users, places] = as_what
        else:
            there = places >= 0
            self.barred[self.users[there], places[there]] = as_what

    def _count(self, places: Rows, by: int) -> None:
        if not self.used and not self.rules.needs:
            return
        there = np.flatnonzero(places >= 0)
        for cap, used in zip(self.rules.caps, self.used, strict=True):
            codes = cap.codes[there, places[there]]
            used[there[codes >= 0], codes[codes >= 0]] += by
        for number, need in enumerate(self.rules.needs):
            self.lack[there, number] -= by * need.those[there, places[there]]
