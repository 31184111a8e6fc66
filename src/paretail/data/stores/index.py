"""What the process knows by heart of the live events: which are there already, and whose they are."""

import sqlite3
import threading
from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

from paretail.data.stores.base import StoredEvent
from paretail.data.stores.runs import Hashes, Runs, Seqs


def event_digests(pairs: Iterable[tuple[str, str]]) -> Hashes:
    """Return 8 bytes a pair (event_id, item_id).

    Among n events, an unseen one is taken for a duplicate with probability n / 2**64: once in 180 billion at 100
    million events.
    """
    joined = b"".join([blake2b(f"{e}\0{i}".encode(), digest_size=8).digest() for e, i in pairs])
    return np.frombuffer(joined, dtype="<u8").astype(np.uint64, copy=False)


def user_hashes(user_ids: Iterable[str]) -> Hashes:
    """Return 8 bytes a user."""
    joined = b"".join([blake2b(user.encode(), digest_size=8).digest() for user in user_ids])
    return np.frombuffer(joined, dtype="<u8").astype(np.uint64, copy=False)


class LiveIndex:
    """The live events by digest and by user; it follows the table, whoever writes to it.

    It may know events that are not committed, moved or erased: whoever uses it looks at the rows.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._forget_all()

    def _forget_all(self) -> None:
        self.digests, self.users, self._last = Runs(), Runs(), 0

    def reset(self) -> None:
        """Forget everything: what was added was not committed."""
        with self._guard:
            self._forget_all()

    def follow(self, connection: sqlite3.Connection) -> None:
        """Learn the events that `connection` sees and the index does not know."""
        with self._guard:
            newest = connection.execute("SELECT max(seq) FROM event").fetchone()[0] or 0
            if newest <= self._last:
                return
            rows = connection.execute(
                "SELECT seq, user_id, event_id, item_id FROM event WHERE seq > ? AND seq <= ?", (self._last, newest)
            ).fetchall()
            seqs = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
            self._add(event_digests(row[2:] for row in rows), user_hashes(row[1] for row in rows), seqs)
            self._last = newest

    def add(self, events: "Hashed", fresh: Seqs, last: int) -> None:
        """Add the events at `fresh` in `events`, written with the seqs up to `last`."""
        with self._guard:
            seqs = np.arange(last - len(fresh) + 1, last + 1, dtype=np.int64)
            self._add(events.digests[fresh], events.users[fresh], seqs)
            self._last = last

    def drop(self, covered: int) -> None:
        """Forget the events up to `covered`: they are history."""
        with self._guard:
            self.digests, self.users = self.digests.after(covered), self.users.after(covered)

    def _add(self, digests: Hashes, users: Hashes, seqs: Seqs) -> None:
        self.digests.add(digests, seqs)
        self.users.add(users, seqs)


class Hashed:
    """Events and their hashes, made before anybody waits for anybody."""

    def __init__(self, events: "Iterable[StoredEvent]") -> None:
        self.events = list(events)
        self.digests = event_digests((event.event_id, event.item_id) for event in self.events)
        self.users = user_hashes(event.user_id for event in self.events)

    def fresh(self, *known: "np.ndarray") -> Seqs:
        """Return the places of events that none of the masks `known` marks, the first of equal ones alone."""
        first = np.zeros(len(self.events), dtype=np.bool_)
        first[np.unique(self.digests, return_index=True)[1]] = True
        for mask in known:
            first &= ~mask
        return np.flatnonzero(first)
