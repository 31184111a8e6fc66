"""Shown: what users and sessions were shown, in memory for the next answer and in groups to the store.

A list counts as promised (`Store.promise`) before its answer leaves and is written within WRITE_SECONDS; a kill in
between loses it, and the difference of both counts says how many were lost. For a ranker, which learned from
impressions, what each user was shown is read from the store once, and from then on told as it happens.
"""

from array import array
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Sequence
from threading import Event, Lock, Thread
from typing import Final

import numpy as np
import structlog

from paretail.data.live import EVENT, PACK, LiveUsers, Packed
from paretail.data.stores.base import Shown, Store, StoredEvent
from paretail.pipeline.live.impressions import MOST_EACH, Impressions

#: How long lists that were shown wait for company.
WRITE_SECONDS: Final = 0.25
#: Users and sessions that are remembered in memory, and the newest items shown to each user.
MOST_REMEMBERED: Final = 100_000
MOST_ITEMS: Final = 200
#: Of a session all that it was shown counts, up to this.
MOST_OF_SESSION: Final = 10_000
#: Names of answers that are remembered, to know one that is asked for again.
MOST_NAMES: Final = 10_000
#: Lists that wait for a store that cannot be written to, at most; those beyond count as lost.
MOST_WAITING: Final = 100_000

log = structlog.get_logger()


class ShownLists:
    """See the module; safe to share by threads."""

    def __init__(self, store: Store, live: LiveUsers) -> None:
        self.fault: str | None = None
        self._store, self._live, self._items = store, live, live.items
        self._users: OrderedDict[str, array[int]] = OrderedDict()
        self._sessions: OrderedDict[str, array[int]] = OrderedDict()
        self._named: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._first_ms: OrderedDict[str, int] = OrderedDict()  # of the lists of a request
        self._impressions = Impressions()
        self._impression = live.kinds.number("impression")
        self._lock = Lock()
        self._waiting: deque[Shown] = deque()
        self._kept: list[Shown] = []  # taken from the queue, and not written yet
        self._writing = Lock()
        self._stop = Event()
        self._writer = Thread(target=self._write, name="paretail-shown", daemon=True)
        self._writer.start()

    @property
    def waiting(self) -> int:
        """How many lists are not written yet."""
        return len(self._waiting) + len(self._kept)

    def add(self, lists: Sequence[Shown]) -> None:
        """Take lists in; call it before the answer leaves."""
        self._store.promise(sum(len(shown.item_ids) for shown in lists))
        for shown in lists:
            numbers = [self._items.number(item_id) for item_id in shown.item_ids]
            with self._lock:
                if self._repeats(shown):
                    numbers = []
                if shown.user_id is not None:
                    _remember(self._users, shown.user_id, numbers)
                if shown.session_id is not None:
                    self._of_session(shown.session_id)
                    _remember(self._sessions, shown.session_id, numbers, MOST_OF_SESSION)
                if (who := _whose(shown)) is not None and who in self._impressions:
                    self._impressions.add(who, self._packed((shown.ts_ms, number) for number in numbers))
                if self.waiting < MOST_WAITING:
                    self._waiting.append(shown)

    def _repeats(self, shown: Shown) -> bool:
        """Say whether a list of that name was shown lately: a request whose answer was lost is asked again."""
        name = shown.request_id, shown.placement
        if name in self._named:
            return True
        self._named[name] = None
        self._first_ms.setdefault(shown.request_id, shown.ts_ms)
        for names in (self._named, self._first_ms):
            if len(names) > MOST_NAMES:
                names.popitem(last=False)
        return False

    def counts(self, user_id: str) -> Counter[str]:
        """Return how often each item was shown to the user since they last did something with it."""
        with self._lock:
            shown = Counter(self._users.get(user_id, ()))
        return Counter({self._items.words[number]: times for number, times in shown.items()})

    def of_session(self, session_id: str) -> list[str]:
        """Return the items that a session was shown."""
        with self._lock:
            return [self._items.words[number] for number in set(self._of_session(session_id))]

    def impressions(self, user_id: str, request_id: str | None = None) -> Packed:
        """Return the newest impressions of a user and of visitors who are them, oldest first.

        For a request that is asked again, those before its first list: it is answered as it was.
        """
        events = np.frombuffer(b"".join(map(self._impressions_of, self._live.ids_of(user_id))), EVENT)
        with self._lock:
            first_ms = None if request_id is None else self._first_ms.get(request_id)
        ts_ms, gone_ms = events["ts_ms"], self._live.forgotten.get(self._live.user_of(user_id))
        if (ts_ms[1:] < ts_ms[:-1]).any():
            events = events[np.argsort(ts_ms, kind="stable")]
        if first_ms is not None:
            events = events[events["ts_ms"] < first_ms]
        if gone_ms is not None:
            events = events[events["ts_ms"] > gone_ms]
        return events[-MOST_EACH:]

    def told(self, events: Iterable[StoredEvent]) -> None:
        """Take in impressions that the store was told as events."""
        with self._lock:
            for event in events:
                row = self._packed([(event.ts_ms, self._items.number(event.item_id))])
                self._impressions.add(event.user_id, row, once=True)  # it may have been read already

    def reload(self) -> None:
        """Believe no impressions that are in memory: another process has written to the store.

        Nothing tells of whom it wrote. Where several services write to one store all the time, each reads whom it is
        asked about from the store nearly every time (`docs/store.md`: `shown_to`).
        """
        with self._lock:
            self._impressions.clear()

    def followed(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Take note that users did something with items: these do not tire them."""
        with self._lock:
            for user_id, item_id in pairs:
                shown = self._users.get(user_id)
                if shown is not None and (number := self._items.number(item_id)) in shown:
                    self._users[user_id] = array("I", (other for other in shown if other != number))

    def forget(self, user_ids: Sequence[str]) -> None:
        """Drop users, and the lists of theirs that are not written yet; call it before the store forgets them."""
        gone = set(user_ids)
        with self._lock:
            for user_id in gone:
                self._users.pop(user_id, None)
                self._sessions.pop(user_id, None)  # of a visitor without id it is the session
                self._impressions.drop(user_id)
        with self._writing, self._lock:
            self._take()
            self._kept = [shown for shown in self._kept if _whose(shown) not in gone]

    def flush(self) -> None:
        """Write what waits; where the store cannot be written to, it goes on waiting."""
        with self._writing:
            with self._lock:
                lists = self._take()
            if lists and self._written(lists):
                self._kept = []

    def close(self) -> None:
        """Write what waits, and stop."""
        self._stop.set()
        self._writer.join()

    def _of_session(self, session_id: str) -> "array[int]":
        known = self._sessions.get(session_id)
        if known is None:
            numbers = [self._items.number(item_id) for item_id in self._store.shown_to_session(session_id)]
            known = _remember(self._sessions, session_id, numbers, MOST_OF_SESSION)
        return known

    def _impressions_of(self, one: str) -> bytes:
        """Return the impressions of an id; answers of others do not wait while the store is read."""
        with self._lock:
            known = self._impressions.of(one)
            if known is not None:
                return known
            lists = [shown for shown in (*self._kept, *self._waiting) if _whose(shown) == one]
            waiting = ((shown.ts_ms, self._items.number(item)) for shown in lists for item in shown.item_ids)
            meanwhile = self._impressions.begin(one, self._packed(waiting))
        try:
            told = self._store.shown_to(one, MOST_EACH)
        except BaseException:
            with self._lock:
                self._impressions.drop(one)
            raise
        stored = self._packed((at, self._items.number(item)) for at, item in told)
        with self._lock:
            return self._impressions.keep(one, stored, meanwhile)

    def _packed(self, impressions: Iterable[tuple[int, int]]) -> bytes:
        """Return (ts_ms, number of the item) as EVENT."""
        return b"".join(PACK(at, item, 1.0, self._impression) for at, item in impressions)

    def _take(self) -> list[Shown]:
        """Return all lists that are not written yet, kept until they are."""
        self._kept = [*self._kept, *self._waiting]
        self._waiting.clear()
        return self._kept

    def _write(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stop.wait(WRITE_SECONDS)
            self.flush()

    def _written(self, lists: Sequence[Shown]) -> bool:
        try:
            self._store.shown(lists)
        except Exception as error:  # a full disk must not end the service; the lists are tried again
            if self.fault is None:
                log.error("shown_not_written", lists=len(lists), exc_info=error)
            self.fault = f"what was shown cannot be written: {error}"
            return False
        self.fault = None
        return True


def _remember(
    known: "OrderedDict[str, array[int]]", key: str, numbers: Sequence[int], most: int = MOST_ITEMS
) -> "array[int]":
    """Add items to what `key` was shown; the key that was used longest ago makes room."""
    shown = known.pop(key, None)
    shown = array("I") if shown is None else shown
    shown.extend(numbers)
    del shown[:-most]
    known[key] = shown
    if len(known) > MOST_REMEMBERED:
        known.popitem(last=False)
    return shown


def _whose(shown: Shown) -> str | None:
    """Return whose impressions those of a list are, as `Store.events` tells them."""
    return shown.session_id if shown.user_id is None else shown.user_id
