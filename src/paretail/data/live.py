"""Live users: the newest events of each user in memory, packed, refilled from the store, visitors merged.

An event is 17 bytes (EVENT); a user costs some 300 bytes beside. Least recently used users leave memory when there are
too many, and come back from the store when they are asked for. Two events of a user with the same item, kind and
millisecond are one.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from struct import Struct
from threading import Lock, RLock
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.data.stores.base import Store, StoredEvent

#: A packed event; `item` and `kind` are numbers of `Names`, `ts_ms` is the wall clock. PACK writes one.
EVENT: Final = np.dtype([("ts_ms", "<i8"), ("item", "<u4"), ("quantity", "<f4"), ("kind", "u1")])
PACK: Final = Struct("<qIfB").pack
Packed = NDArray[Any]


class Names:
    """Words by number, in the order in which they were first met; numbers never change."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self.words = list(dict.fromkeys(words))
        self._numbers = {word: number for number, word in enumerate(self.words)}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self.words)

    def number(self, word: str) -> int:
        """Return the number of `word`, a new one where it is met for the first time."""
        found = self._numbers.get(word)
        if found is None:
            with self._lock:
                found = self._numbers.get(word, len(self.words))
                if found == len(self.words):
                    self.words.append(word)
                    self._numbers[word] = found
        return found

    def numbers(self, words: pl.Series) -> NDArray[np.uint32]:
        """Return the number of each word."""
        distinct = words.unique()
        known = pl.DataFrame({"word": distinct, "number": [self.number(word) for word in distinct.to_list()]})
        return pl.DataFrame({"word": words}).join(known, on="word", how="left", maintain_order="left")[
            "number"
        ].to_numpy().astype(np.uint32)  # fmt: skip


class LiveUsers:
    """The newest `most` events of up to `users` users in memory; safe to share by threads."""

    def __init__(self, store: Store, users: int, most: int) -> None:
        self.items, self.kinds = Names(), Names()
        self._store, self._bound, self._most = store, users, most
        self._packed: OrderedDict[str, bytearray] = OrderedDict()
        self._lock = RLock()
        self._missed: set[str] | None = None  # who did something while users are read from the store
        self.latest_ms = 0  # of all that was told
        self.reload()

    def __len__(self) -> int:
        return len(self._packed)

    def reload(self) -> None:
        """Read the newest users from the store: at the start, and when another process has written to it."""
        self.refresh()
        self._missed = set()
        newest = self._store.newest(self._bound, self._most)
        with self._lock:
            told, missed = dict(self._packed), self._missed or set()  # who was asked for meanwhile is whole
            self._missed = None
            self._packed.clear()
            self._fill(newest)
            self._packed.update(told)
            # whom memory lacks, the store lacks too, unless somebody came while it was read
            self._complete = not told and not missed and newest["user_id"].n_unique() < self._bound
            if not self._complete:  # of somebody with several ids some may be missing: the store is asked
                missed |= self._visitors.keys()
            for user_id in missed - told.keys():
                self._packed.pop(user_id, None)
            self._evict()

    def refresh(self) -> None:
        """Believe nothing that is in memory: another process has written to the store."""
        merges, forgotten = self._store.merges(), self._store.forgotten()
        with self._lock:
            self._users_of = {visitor: _end(merges, visitor) for visitor in merges}
            self._visitors: dict[str, list[str]] = {}
            for visitor, user_id in self._users_of.items():
                self._visitors.setdefault(user_id, []).append(visitor)
            self.forgotten = forgotten
            self._packed.clear()
            self._complete = False

    def user_of(self, user_id: str) -> str:
        """Return who a visitor is; somebody who was never merged is themself."""
        return self._users_of.get(user_id, user_id)

    def ids_of(self, user_id: str) -> list[str]:
        """Return the user's id, then those of all visitors who are this user."""
        user_id = self.user_of(user_id)
        return [user_id, *self._visitors.get(user_id, ())]

    def of(self, user_id: str) -> Packed:
        """Return the newest live events of a user as EVENT, oldest first; of nobody known an empty array."""
        user_id = self.user_of(user_id)
        with self._lock:
            packed = self._packed.get(user_id)
            if packed is None:
                if self._complete:
                    return np.empty(0, EVENT)
                packed = self._refilled(user_id)
            else:
                self._packed.move_to_end(user_id)
            events = np.frombuffer(bytes(packed), EVENT)
        return _in_order(events, self._most)

    def everything(self) -> Packed:
        """Return all events in memory, in no order."""
        with self._lock:
            return np.frombuffer(b"".join(self._packed.values()), EVENT)

    def of_everybody(self) -> tuple[list[str], NDArray[np.int64], Packed]:
        """Return the users in memory, all their events, and for each event the place of its user."""
        with self._lock:
            users, packed = list(self._packed), [bytes(events) for events in self._packed.values()]
        counts = [len(events) // EVENT.itemsize for events in packed]
        return users, np.repeat(np.arange(len(users)), counts), np.frombuffer(b"".join(packed), EVENT)

    def add(self, events: Sequence[StoredEvent]) -> None:
        """Take in events that the store has accepted; impressions are no wishes and are left out."""
        with self._lock:
            for event in events:
                self.latest_ms = max(self.latest_ms, event.ts_ms)
                if event.kind != "impression":
                    self._add(event)
            self._evict()

    def merge(self, visitor_id: str, user_id: str) -> int:
        """Give all of `visitor_id` to `user_id`, as the store was told; return the user's events in memory."""
        with self._lock:
            before, after = self.ids_of(visitor_id), self.user_of(user_id)
            self._visitors.pop(before[0], None)
            self._users_of.update(dict.fromkeys(before, after))
            self._visitors.setdefault(after, []).extend(before)
            theirs = self._packed.pop(before[0], None)
            if theirs is None or after not in self._packed:
                self._packed.pop(after, None)
                self._refilled(after)
            else:
                self._packed[after] += theirs
            self._evict()
            return len(self.of(after))

    def forget(self, user_ids: Sequence[str], now_ms: int) -> None:
        """Drop users and the visitors who are them, as the store was told."""
        with self._lock:
            for user_id in user_ids:
                self.forgotten[user_id] = now_ms
                self._packed.pop(user_id, None)
                for visitor_id in self._visitors.pop(user_id, ()):
                    self._users_of.pop(visitor_id, None)
                if (owner := self._users_of.pop(user_id, None)) in self._visitors:
                    self._visitors[owner].remove(user_id)

    def _add(self, event: StoredEvent) -> None:
        user_id = self.user_of(event.user_id)
        packed = self._packed.get(user_id)
        if packed is None:
            if not self._complete:
                if self._missed is not None:
                    self._missed.add(user_id)
                return  # comes from the store when the user is asked for
            packed = self._packed[user_id] = bytearray()
        else:
            self._packed.move_to_end(user_id)
        packed += self._row(event)  # a refill may have brought it already: `_in_order` leaves one
        if len(packed) > 2 * self._most * EVENT.itemsize:
            packed[:] = _in_order(np.frombuffer(bytes(packed), EVENT), self._most).tobytes()

    def _row(self, event: StoredEvent) -> bytes:
        quantity = 1.0 if event.quantity is None else event.quantity
        return PACK(event.ts_ms, self.items.number(event.item_id), quantity, self.kinds.number(event.kind))

    def _refilled(self, user_id: str) -> bytearray:
        """Read a user and the visitors who are them from the store into memory."""
        found = self._store.recent(self.ids_of(user_id), self._most)
        packed = bytearray().join(self._row(event) for events in found.values() for event in events)
        self._packed[user_id] = packed
        self._evict()
        return packed

    def _fill(self, newest: pl.DataFrame) -> None:
        """Pack many users' events, given user by user."""
        if not newest.height:
            return
        rows = np.empty(newest.height, EVENT)
        rows["ts_ms"] = newest["ts_ms"].to_numpy()
        rows["item"] = self.items.numbers(newest["item_id"])
        rows["kind"] = self.kinds.numbers(newest["kind"])
        rows["quantity"] = newest["quantity"].fill_null(1.0).to_numpy()
        self.latest_ms = max(self.latest_ms, int(rows["ts_ms"].max()))
        runs = newest["user_id"].rle().struct.unnest()
        content, ends = memoryview(rows.tobytes()), (runs["len"].cum_sum() * EVENT.itemsize).to_list()
        start = 0
        for user_id, end in zip(runs["value"].to_list(), ends, strict=True):
            known = self._users_of.get(user_id, user_id)
            if known in self._packed:
                self._packed[known] += content[start:end]
            else:
                self._packed[known] = bytearray(content[start:end])
            start = end

    def _evict(self) -> None:
        while len(self._packed) > self._bound:
            self._packed.popitem(last=False)
            self._complete = False


def _in_order(events: Packed, most: int) -> Packed:
    """Return the newest `most` events, oldest first, each once; equal times stay as they came."""
    ts_ms = events["ts_ms"]
    if len(events) > 1 and (ts_ms[1:] <= ts_ms[:-1]).any():
        events = events[np.argsort(ts_ms, kind="stable")]
        same = zip(events["ts_ms"].tolist(), events["item"].tolist(), events["kind"].tolist(), strict=True)
        events = events[list({event: place for place, event in enumerate(same)}.values())]
    return events[-most:]


def _end(merges: Mapping[str, str], visitor: str) -> str:
    """Follow a chain of merges to its end."""
    seen = {visitor}
    while (visitor := merges.get(visitor, visitor)) not in seen:
        seen.add(visitor)
    return visitor
