"""Group commit: whoever waits to write is written together, in one transaction with one flush to disk.

The first caller leads: it runs the work of all that wait, commits, and wakes them; whoever came in the meantime is led
by one of their own. No thread of ours is needed, and a lone caller pays nothing (the queue of LevelDB's `Write`).

Each transaction and each checkpoint runs under a lock between processes. It closes the race of a checkpoint with a
write that may corrupt a database in WAL mode before SQLite 3.51.3 (sqlite.org/wal.html, "The WAL-Reset Bug").
"""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from paretail.data.stores.disk import FileLock, closed, told
from paretail.data.stores.readers import BUSY_MS

T = TypeVar("T")

#: Held while the database is written to, by one process at a time.
LOCK = "write.lock"
#: How long to wait for another process that writes.
PATIENCE_SECONDS = 30.0


class Writer:
    """The one connection of this process that writes.

    `begin` runs first in each transaction (what did other processes do?), `undo` after one that was rolled back.
    """

    def __init__(
        self, connection: sqlite3.Connection, folder: Path, begin: Callable[[sqlite3.Connection], None],
        undo: Callable[[], None],
    ) -> None:  # fmt: skip
        self._connection, self._place, self._begin, self._undo = connection, folder, begin, undo
        self._between = FileLock(folder / LOCK)
        self._guard = threading.Lock()
        self._waiting: list[_Task] = []
        self._led = False
        self._closed = False

    def do(self, work: Callable[[sqlite3.Connection], T], *, apart: bool = False) -> T:
        """Run `work` in a transaction, perhaps with the work of others; returns once it is on the disk.

        If a transaction fails, its works run again one by one, so that each failure reaches its own caller. With
        `apart` the work runs outside of transactions.
        """
        task = _Task(work, apart)
        with self._guard:
            if self._closed:
                raise closed(self._place)
            self._waiting.append(task)
            leads, self._led = not self._led, True
        if not leads:
            task.awake.acquire()
        if not task.done:
            self._lead()
        if task.error is not None:
            raise task.error
        value: T = task.value
        return value

    def checkpoint(self) -> bool:
        """Move the log into the database and empty it; False where somebody reads in it."""
        return self.do(_checkpoint, apart=True)

    def close(self) -> None:
        """Let those finish who wait, move the log into the database, and close the connection."""
        if not self._closed:
            self.do(self._close, apart=True)
            self._between.close()

    def _close(self, connection: sqlite3.Connection) -> None:
        self._closed = True
        try:
            _checkpoint(connection)
        finally:
            connection.close()

    def _lead(self) -> None:
        with self._guard:
            tasks, self._waiting = self._waiting, []
        if together := [task for task in tasks if not task.apart]:
            self._write(together)
        for task in tasks:
            if task.apart:
                self._run(task)
        with self._guard:
            heir = self._waiting[0] if self._waiting else None
            self._led = heir is not None
        if heir is not None:
            heir.awake.release()
        for task in tasks:
            task.done = True
            task.awake.release()

    def _write(self, tasks: "list[_Task]") -> None:
        try:
            self._transaction(tasks)
        except BaseException as error:
            if len(tasks) == 1:
                tasks[0].error = error
                return
            for task in tasks:
                self._write([task])

    def _transaction(self, tasks: "list[_Task]") -> None:
        with told(self._place), self._between.held(PATIENCE_SECONDS):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._begin(self._connection)
                values = [task.work(self._connection) for task in tasks]
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                self._undo()
                raise
        for task, value in zip(tasks, values, strict=True):
            task.value = value

    def _run(self, task: "_Task") -> None:
        try:
            with told(self._place), self._between.held(PATIENCE_SECONDS):
                task.value = task.work(self._connection)
        except BaseException as error:
            task.error = error


def _checkpoint(connection: sqlite3.Connection) -> bool:
    connection.execute("PRAGMA busy_timeout = 0")  # it would wait for readers, and others for it
    try:
        return not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")


class _Task:
    """Work that waits, and what came of it."""

    __slots__ = ("apart", "awake", "done", "error", "value", "work")

    def __init__(self, work: Callable[[sqlite3.Connection], Any], apart: bool) -> None:
        self.work, self.apart = work, apart
        self.value: Any = None
        self.error: BaseException | None = None
        self.done = False
        self.awake = threading.Lock()
        self.awake.acquire()
