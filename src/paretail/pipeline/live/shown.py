"""Shown: what users and sessions were shown, in memory for the next answer and in groups to the store.

A list counts as promised (`Store.promise`) before its answer leaves and is written within WRITE_SECONDS; a kill in
between loses it, and the difference of both counts says how many were lost.
"""

from array import array
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Final

import structlog

from paretail.data.live import Names
from paretail.data.stores.base import Shown, Store

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

    def __init__(self, store: Store, items: Names) -> None:
        self.fault: str | None = None
        self._store, self._items = store, items
        self._users: OrderedDict[str, array[int]] = OrderedDict()
        self._sessions: OrderedDict[str, array[int]] = OrderedDict()
        self._named: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = Lock()
        self._waiting: SimpleQueue[Shown] = SimpleQueue()
        self._kept: list[Shown] = []  # taken from the queue, and not written yet
        self._writing = Lock()
        self._stop = Event()
        self._writer = Thread(target=self._write, name="paretail-shown", daemon=True)
        self._writer.start()

    @property
    def waiting(self) -> int:
        """How many lists are not written yet."""
        return self._waiting.qsize() + len(self._kept)

    def add(self, lists: Sequence[Shown]) -> None:
        """Take lists in; call it before the answer leaves."""
        self._store.promise(sum(len(shown.item_ids) for shown in lists))
        for shown in lists:
            numbers = [self._items.number(item_id) for item_id in shown.item_ids]
            with self._lock:
                if self._repeats((shown.request_id, shown.placement)):
                    numbers = []
                if shown.user_id is not None:
                    _remember(self._users, shown.user_id, numbers)
                if shown.session_id is not None:
                    self._of_session(shown.session_id)
                    _remember(self._sessions, shown.session_id, numbers, MOST_OF_SESSION)
            if self.waiting < MOST_WAITING:
                self._waiting.put(shown)

    def _repeats(self, name: tuple[str, str]) -> bool:
        """Say whether a list of that name was shown lately: a request whose answer was lost is asked again."""
        if name in self._named:
            return True
        self._named[name] = None
        if len(self._named) > MOST_NAMES:
            self._named.popitem(last=False)
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
        with self._writing:
            self._kept = [shown for shown in (*self._kept, *_drained(self._waiting)) if shown.user_id not in gone]

    def flush(self) -> None:
        """Write what waits; where the store cannot be written to, it goes on waiting."""
        with self._writing:
            lists = [*self._kept, *_drained(self._waiting)]
            self._kept = [] if not lists or self._written(lists) else lists

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


def _drained(waiting: "SimpleQueue[Shown]") -> list[Shown]:
    lists = []
    try:
        while True:
            lists.append(waiting.get_nowait())
    except Empty:
        return lists
