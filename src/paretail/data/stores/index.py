"""What the process knows by heart of the live events: which are there already, and whose they are."""

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paretail.data.stores.base import StoredEvent
from paretail.data.stores.disk import Moved
from paretail.data.stores.runs import Hashes, Runs, Seqs

#: After how many new events their hashes are stored: what an opening hashes itself at most, about 15 ms.
BLOCK = 8_192


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

    It may know events that are not committed, moved or erased: whoever uses it looks at the rows. It knows all others
    beyond the seq `_after`. Each BLOCK events
    their hashes are stored beside them, so that a million are learnt in a tenth of a second when a store is opened.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._forget_all()

    def _forget_all(self) -> None:
        self.digests, self.users, self._after, self._last = Runs(), Runs(), 0, 0
        self._keep_unsaved([])

    def reset(self) -> None:
        """Forget everything: what was added was not committed."""
        with self._guard:
            self._forget_all()

    def follow(self, connection: sqlite3.Connection, covered: int) -> None:
        """Learn the events that `connection` sees and the index does not know; those up to `covered` are history."""
        with self._guard:
            self._follow(connection, covered)

    def seqs(self, connection: sqlite3.Connection, covered: int, users: Hashes) -> Seqs:
        """Return the seqs beyond `covered` of what users did; raises Moved where the index has moved on."""
        with self._guard:
            self._follow(connection, covered)
            known, after = self.users, self._after
        if after > covered:
            raise Moved
        seqs = known.find(users)
        return seqs[seqs > covered]

    def add(self, connection: sqlite3.Connection, hashed: "Hashed", fresh: Seqs, last: int) -> None:
        """Add the events at `fresh` in `hashed`, written with the seqs up to `last`; inside of their transaction."""
        with self._guard:
            seqs = np.arange(last - len(fresh) + 1, last + 1, dtype=np.int64)
            self._add(Block(hashed.digests[fresh], hashed.users[fresh], seqs))
            if self._count >= BLOCK:
                self._save(connection)

    def drop(self, covered: int) -> None:
        """Forget the events up to `covered`, once everybody can see that they are history."""
        with self._guard:
            if covered > self._after:
                self.digests, self.users = self.digests.after(covered), self.users.after(covered)
                self._after = covered

    def _follow(self, connection: sqlite3.Connection, covered: int) -> None:
        newest = connection.execute("SELECT max(seq) FROM event").fetchone()[0] or 0
        if newest > self._last:
            if covered > self._last:  # of these the rows may be gone
                self._after = max(self._after, covered)
            self._follow_blocks(connection)
            self._follow_rows(connection)

    def _add(self, block: "Block", saved: bool = False) -> None:
        self.digests.add(block.digests, block.seqs)
        self.users.add(block.users, block.seqs)
        self._last = max(self._last, int(block.seqs[-1]))
        if not saved:
            self._unsaved.append(block)
            self._count += len(block.seqs)

    def _keep_unsaved(self, blocks: "list[Block]") -> None:
        self._unsaved, self._count = blocks, sum(len(block.seqs) for block in blocks)

    def _follow_blocks(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT hashes FROM block WHERE last_seq > ? ORDER BY last_seq", (self._last,))
        if blocks := [Block.of(hashes) for (hashes,) in rows]:
            whole = Block.join(blocks)
            self._add(whole.where(whole.seqs > self._last), saved=True)
            self._keep_unsaved([])

    def _follow_rows(self, connection: sqlite3.Connection) -> None:
        query = "SELECT seq, user_id, event_id, item_id FROM event WHERE seq > ? ORDER BY seq"
        if rows := connection.execute(query, (self._last,)).fetchall():
            seqs = np.array([row[0] for row in rows], dtype=np.int64)
            self._add(Block(event_digests(row[2:] for row in rows), user_hashes(row[1] for row in rows), seqs))

    def _save(self, connection: sqlite3.Connection) -> None:
        saved = connection.execute("SELECT max(last_seq) FROM block").fetchone()[0] or 0
        whole = Block.join(self._unsaved)
        whole = whole.where(whole.seqs > saved)  # another process may have been first
        if len(whole.seqs):
            connection.execute("INSERT INTO block VALUES (?, ?)", (int(whole.seqs[-1]), whole.packed()))
        self._keep_unsaved([])


class Block(NamedTuple):
    """The hashes of some live events."""

    digests: Hashes
    users: Hashes
    seqs: Seqs

    @classmethod
    def of(cls, packed: bytes) -> "Block":
        """Read what `packed` wrote."""
        digests, users, seqs = np.frombuffer(packed, dtype="<u8").reshape(3, -1)
        return cls(digests, users, seqs.astype(np.int64))

    @classmethod
    def join(cls, blocks: "Sequence[Block]") -> "Block":
        """Return all events of `blocks`."""
        return cls(*(np.concatenate(column) for column in zip(*blocks, strict=True)))

    def where(self, keep: NDArray[np.bool_]) -> "Block":
        """Return the events where `keep` holds."""
        return Block(self.digests[keep], self.users[keep], self.seqs[keep])

    def packed(self) -> bytes:
        """Return the bytes that `of` reads."""
        return np.stack([self.digests, self.users, self.seqs.astype(np.uint64)]).astype("<u8").tobytes()


class Hashed:
    """Events and their hashes, made before anybody waits for anybody."""

    def __init__(self, events: Iterable[StoredEvent]) -> None:
        self.events = list(events)
        self.digests = event_digests((event.event_id, event.item_id) for event in self.events)
        self.users = user_hashes(event.user_id for event in self.events)

    def fresh(self, *known: NDArray[np.bool_]) -> Seqs:
        """Return the places of events that none of the masks `known` marks, the first of equal ones alone."""
        first = np.zeros(len(self.events), dtype=np.bool_)
        first[np.unique(self.digests, return_index=True)[1]] = True
        for mask in known:
            first &= ~mask
        return np.flatnonzero(first)
