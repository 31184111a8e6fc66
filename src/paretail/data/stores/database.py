"""What the parts of an embedded store share: how to read it as of one moment, and how to write to it."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.data.stores import live
from paretail.data.stores.base import StoredEvent
from paretail.data.stores.disk import Moved, damaged
from paretail.data.stores.history import History
from paretail.data.stores.index import LiveIndex, event_digests
from paretail.data.stores.live import Head
from paretail.data.stores.readers import Readers, connect
from paretail.data.stores.runs import Hashes, contains
from paretail.data.stores.writer import Writer

T = TypeVar("T")

#: How often to look again where a compaction has replaced what was read.
_TRIES = 20
_UNKNOWN = Head(-1, -1)
_MISSING = "the history that its database names is missing"
_NOTE = "INSERT INTO teller VALUES (?, 1) ON CONFLICT(process) DO UPDATE SET told = told + 1"
_VERSION = "SELECT coalesce(sum(told), 0) FROM teller WHERE process <> ?"
_HIDDEN = "SELECT user_id FROM forgotten WHERE history = ? AND history > 0"


class View(NamedTuple):
    """The store as of one moment; `hidden` are users whose rows in history are erased but still there."""

    connection: sqlite3.Connection
    head: Head
    history: History | None
    hidden: tuple[str, ...]

    def kept(self) -> pl.Expr:
        """Return the condition for rows of history that are not erased."""
        return ~pl.col("user_id").is_in(self.hidden) if self.hidden else pl.lit(True)

    def merges(self) -> dict[str, str]:
        """Return visitor -> user as they were told."""
        return dict(self.connection.execute("SELECT visitor_id, user_id FROM merge ORDER BY visitor_id"))

    def forgotten(self) -> dict[str, int]:
        """Return user -> the moment until which nothing of them counts."""
        return dict(self.connection.execute("SELECT user_id, until_ms FROM forgotten ORDER BY user_id"))


class Database:
    """The open files of one store."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.index, self._readers = folder, LiveIndex(), Readers(folder)
        #: As the running transaction sees them; for work that `write` runs.
        self.head, self.forgotten, self.hidden = _UNKNOWN, dict[str, int](), set[str]()
        self._open_history: History | None = None
        self._erased_digests: Hashes | None = None
        self._caught_up, self._process = -1, int.from_bytes(os.urandom(6), "little")
        self._writer = Writer(connect(folder, writes=True), folder, self._catch_up, self._undone)

    def read(self, look: Callable[[View], T]) -> T:
        """Return what `look` finds in the store as of one moment; it may be called again."""
        for _ in range(_TRIES):
            with suppress(Moved), self._readers.snapshot() as connection:
                head = live.head(connection)
                hidden = connection.execute(_HIDDEN, (head.history,)).fetchall()
                return look(View(connection, head, self._history(head.history), tuple(name for (name,) in hidden)))
        raise damaged(self.folder, _MISSING)

    def write(self, work: Callable[[sqlite3.Connection], T], *, apart: bool = False) -> T:
        """Run `work` in a transaction, or `apart` from all; returns once it is on the disk. It may be called again."""
        return self._writer.do(work, apart=apart)

    def tell(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do the same, and let the other processes know that the store was told something."""

        def telling(connection: sqlite3.Connection) -> T:
            self.note(connection)
            return work(connection)

        return self._writer.do(telling)

    def note(self, connection: sqlite3.Connection) -> None:
        """Let the other processes know; inside of a transaction."""
        connection.execute(_NOTE, (self._process,))

    def version(self) -> int:
        """Return a number that grows with each telling of another process."""
        with self._readers.snapshot() as connection:
            return int(connection.execute(_VERSION, (self._process,)).fetchone()[0])

    def known(self, connection: sqlite3.Connection, digests: Hashes) -> NDArray[np.bool_]:
        """Say which events are there already, live or in history; inside of a transaction."""
        known = np.zeros(len(digests), dtype=np.bool_)
        self.index.follow(connection, self.head.covered)
        try:
            old = self._history(self.head.history)
        except Moved:  # nobody removes it while we may write
            raise damaged(self.folder, _MISSING) from None
        if old is not None:
            known |= contains(old.digests, digests)
            if self.hidden and known.any():
                known &= ~contains(self._hidden_digests(old), digests)
        if (maybe := self.index.digests.contains(digests)).any():
            seqs = self.index.digests.find(digests[maybe]).tolist()
            known |= contains(np.sort(event_digests(live.present(connection, seqs))), digests)
        return known

    def _hidden_digests(self, old: History) -> Hashes:
        """Return the sorted digests of rows of history that are erased and still there: they may come again."""
        if self._erased_digests is None:
            rows = old.of_users(sorted(self.hidden), pl.lit(True)).select("event_id", "item_id")
            self._erased_digests = np.sort(event_digests(rows.iter_rows()))
        return self._erased_digests

    def erased(self, events: Sequence[StoredEvent]) -> NDArray[np.bool_]:
        """Say which events were erased before they came; inside of a transaction."""
        if not self.forgotten:
            return np.zeros(len(events), dtype=np.bool_)
        until = self.forgotten
        return np.array([event.ts_ms <= until.get(event.user_id, event.ts_ms - 1) for event in events], dtype=np.bool_)

    def moved(self, connection: sqlite3.Connection, head: Head) -> None:
        """Take the new head, inside of the transaction that sets it."""
        self.head, self._erased_digests = head, None
        rows = connection.execute("SELECT user_id, until_ms, history FROM forgotten").fetchall()
        self.forgotten = {user: until_ms for user, until_ms, _ in rows}
        self.hidden = {user for user, _, number in rows if number == head.history > 0}

    def checkpoint(self) -> bool:
        """Move the log into the database and empty it; False where somebody reads in it."""
        return self._writer.checkpoint()

    def close(self) -> None:
        """Close all files."""
        self._readers.close()
        self._writer.close()

    def _history(self, number: int) -> History | None:
        """Return the history of `number`, None for 0; raises Moved where it is there no more."""
        if number == 0:
            return None
        known = self._open_history
        if known is None or known.number != number:
            self._open_history = known = History(self.folder, number)
        return known

    def _catch_up(self, connection: sqlite3.Connection) -> None:
        """Learn what other processes did, at the start of a transaction."""
        if (seen := _data_version(connection)) != self._caught_up or self.head == _UNKNOWN:
            self._caught_up = seen
            self.moved(connection, live.head(connection))
        self.index.drop(self.head.covered)

    def _undone(self) -> None:
        self.index.reset()
        self.head = _UNKNOWN


def _data_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA data_version").fetchone()[0])
