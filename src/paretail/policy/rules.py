"""Hard rules of a slate: caps, needs and pins; which candidates may take a slot, and which rules a slate breaks.

Where no candidate keeps all rules, needs give way first, then caps: a slate is served, `broken` tells what it breaks.
Items that must not be shown at all are no candidates in the first place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.policy.exchange import Ruled, ahead, is_tried, keep_most, place, stands_for
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

    @property
    def may_clash(self) -> bool:
        """Whether there are several caps and needs: one alone is kept slot by slot wherever it can be."""
        return len(self.caps) + len(self.needs) > 1

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
        self._there = pool.valid
        self.barred = np.where(pool.valid, np.float32(0.0), NEVER)
        groups = max((int(cap.codes.max(initial=-1)) + 1 for cap in rules.caps), default=0)
        self.used = np.zeros((users, len(rules.caps), groups), np.int32)
        self.lack = np.tile([need.least for need in rules.needs], (users, 1)).astype(np.int64)
        self._codes = stacked([cap.codes for cap in rules.caps], pool, np.int32)
        self._most = np.array([cap.most for cap in rules.caps], int)
        self._those = stacked([need.those for need in rules.needs], pool, np.bool_)
        self.pinned = np.stack([rules.pinned(slot, users) for slot in range(k)])
        for pin in rules.pins:  # they wait for their slot
            self._mark(pin.place, NEVER)
        for places in self.pinned if rules.pins else ():
            self._count(places, 1)

    def at(self, slot: int, refill: bool = False) -> Floats:
        """Return 0 for who may take a slot and -inf for others; `refill`: all the other slots are filled."""
        if not self.rules.caps and not self.rules.needs:
            return self.barred
        if refill:
            return np.where(self._keeps_most(), np.float32(0.0), NEVER)
        free = self.barred == 0
        left = (self.pinned[slot:] < 0).sum(0)
        capped = free.copy()
        for number, cap in enumerate(self.rules.caps):
            full = np.take_along_axis(self.used[:, number], np.maximum(cap.codes, 0), 1) >= cap.most
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

    @property
    def _all(self) -> Ruled:
        return Ruled(self._codes, self._most, self.used, self._those, self.lack)

    def ruled(self, user: int) -> Ruled:
        """Return the rules of one user, and what the slate holds."""
        return Ruled(self._codes[user], self._most, self.used[user], self._those[user], self.lack[user])

    def is_tried(self, slots: int) -> Mask:
        """Return of whom pairs are exchanged."""
        least = np.array([need.least for need in self.rules.needs], np.int64)
        return np.array([is_tried(self.ruled(user), least, self._there[user], slots) for user in self.users.tolist()])

    def stand_for(self, places: Rows, one: int, two: int) -> Mask:
        """Return of whom a pair of slots of `places[users, slots]` is tried."""
        loose = (places >= 0) & (self.pinned.T < 0)
        return loose[:, one] & loose[:, two] & [
            stands_for(self.ruled(user), places[user], loose[user], one, two) for user in self.users.tolist()
        ]  # fmt: skip

    def _keeps_most(self) -> Mask:
        """Return which candidates leave as few rules broken, by as few items, as any free one does."""
        free, price = self.barred == 0, np.empty(self.barred.shape, np.int64)
        allowed: Mask = np.empty(free.shape, np.bool_)
        for user in self.users.tolist():
            keep_most(self.ruled(user), free[user], price[user], allowed[user])
        return allowed

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
        if not self.rules.caps and not self.rules.needs:
            return
        there = np.flatnonzero(places >= 0)
        for number, cap in enumerate(self.rules.caps):
            codes = cap.codes[there, places[there]]
            self.used[there[codes >= 0], number, codes[codes >= 0]] += by
        for number, need in enumerate(self.rules.needs):
            self.lack[there, number] -= by * need.those[there, places[there]]


class Ahead(Free):
    """The same for slates that are filled without going back, where rules may clash.

    `slates[users, slots]` keep what rules they can; what is taken is put into them in the place of what it costs least
    to leave out, so that each candidate that may take a slot leaves a slate to be filled that breaks no more.
    """

    def __init__(self, pool: Pool, rules: Rules, k: int, slates: Rows) -> None:
        super().__init__(pool, rules, k)
        self._slates = slates.copy()
        for slot in range(k):
            self._count(np.where(self.pinned[slot] < 0, slates[:, slot], -1), 1)

    def at(self, slot: int, refill: bool = False) -> Floats:
        """Return 0 for who may take a slot and -inf for others."""
        allowed = np.empty(self.barred.shape, np.bool_)
        ahead(self._all, self._slates, self._open(slot), self.barred == 0, allowed)
        return np.where(allowed, np.float32(0.0), NEVER)

    def add(self, places: Rows, slot: int) -> None:
        """Take each user's candidate `places[users]`, -1 for none."""
        self._mark(places, NEVER)
        place(self._all, self._slates, self._open(slot), slot, np.asarray(self._chosen(places, slot), np.int32))

    def _open(self, slot: int) -> Mask:
        """Return which slots are neither filled nor pinned, `[users, slots]`."""
        return np.ascontiguousarray((self.pinned < 0).T & (np.arange(len(self.pinned)) >= slot))


def stacked(parts: Sequence[NDArray[Any]], pool: Pool, kind: Any) -> NDArray[Any]:
    """Return what rules say of candidates, `[users, rules, cands]`."""
    if not parts:
        return np.zeros((len(pool.item_idx), 0, pool.shape[1]), kind)
    return np.ascontiguousarray(np.stack([np.broadcast_to(part, pool.shape) for part in parts], axis=1), kind)
