"""Connections to the database of a store: how they are opened, and a pool of those that read."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paretail.data.stores.disk import closed, told

DATABASE = "live.sqlite"
#: How long to wait for a program that is not ours and writes to the database; ours wait for their own lock before.
BUSY_MS = 5_000


def connect(folder: Path, *, writes: bool = False) -> sqlite3.Connection:
    """Open the database in `folder`, which is there; a thread may hand the connection on, not share it."""
    connection = sqlite3.connect(
        (folder / DATABASE).absolute().as_uri() + "?mode=rw", uri=True, timeout=BUSY_MS / 1000, isolation_level=None,
        check_same_thread=False, cached_statements=256,
    )  # fmt: skip
    try:
        connection.execute("PRAGMA synchronous = FULL")  # in WAL mode: each commit is flushed
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("PRAGMA temp_store = MEMORY")
        if writes:
            connection.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten
            connection.execute("PRAGMA cache_size = -16000")
            connection.execute("PRAGMA wal_autocheckpoint = 4000")  # 16 MB; by 4 MB costs a quarter of the speed
            connection.execute("PRAGMA journal_size_limit = 67108864")
        else:
            connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


class Readers:
    """Connections that read, as many as there are threads reading at once; they block nobody."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._idle: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self._closed = False

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection that sees the store as of one moment."""
        with told(self._folder):
            connection = self._borrow()
            whole = False
            try:
                connection.execute("BEGIN")
                yield connection
                whole = True
            finally:
                self._give_back(connection, whole)

    def close(self) -> None:
        """Close those that are idle now, the others when they come back."""
        with self._guard:
            self._closed, idle, self._idle = True, self._idle, []
        for connection in idle:
            connection.close()

    def _borrow(self) -> sqlite3.Connection:
        with self._guard:
            if self._closed:
                raise closed(self._folder)
            if self._idle:
                return self._idle.pop()
        return connect(self._folder)

    def _give_back(self, connection: sqlite3.Connection, whole: bool) -> None:
        if whole:
            connection.execute("COMMIT")
        with self._guard:
            if whole and not self._closed:
                self._idle.append(connection)
                return
        connection.close()
