"""What SQLite and the disk refuse, in our words; locks between processes."""

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from paretail.core.errors import Problem
from paretail.data.stores.base import StoreError

#: SQLite's primary result codes, by what the user can do about them.
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_REFUSED = ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")


class Moved(Exception):  # noqa: N818 - no error: who reads looks again
    """What was to be read was replaced meanwhile."""


@contextmanager
def told(place: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the disk under `place` into StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        raise _store_error(place, error) from error
    except OSError as error:
        raise cannot(place, error.strerror or str(error)) from error
    except pl.exceptions.PolarsError as error:
        raise cannot(place, str(error)) from error
    except (OverflowError, UnicodeEncodeError) as error:
        raise unfit(str(error)) from error


def cannot(place: Path, why: str) -> StoreError:
    """Say that the disk refuses."""
    do = "Make room or correct the rights, then repeat; what was acknowledged before is kept"
    return StoreError(Problem("STOR-04", f"{place}: {why}", "Expected to read and write there", do))


def damaged(place: Path, why: str) -> StoreError:
    """Say that a file of the store is not what was written."""
    do = "Restore the newest backup: paretail store restore"
    return StoreError(Problem("STOR-03", f"{place} is damaged: {why}", "Expected what the store wrote", do))


def unfit(why: str) -> StoreError:
    """Say that a value cannot be stored."""
    expected = "Expected Unicode text without lone surrogates, whole numbers of 64 bits, of 32 bits for a position"
    return StoreError(Problem("STOR-08", f"a value cannot be stored: {why}", expected, "Correct it where it is made"))


def closed(place: Path) -> StoreError:
    """Say that the store was closed."""
    return StoreError(Problem("STOR-09", f"{place} was closed", "Expected an open store", "Open it again"))


def _store_error(place: Path, error: sqlite3.Error) -> StoreError:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(_DAMAGED):
        return damaged(place, str(error))
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return busy(place)
    if isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error):
        return closed(place)
    if isinstance(
        error, sqlite3.ProgrammingError | sqlite3.InterfaceError | sqlite3.DataError | sqlite3.IntegrityError
    ):
        return unfit(str(error))
    return cannot(place, f"{error} ({name})" if name.startswith(_REFUSED) else str(error))


def busy(place: Path, by: str = "another process") -> StoreError:
    """Say that another process does not let go."""
    do = "Wait for the other program or end it, then repeat"
    return StoreError(Problem("STOR-05", f"{place} is held by {by}", "Expected it free in time", do))


class FileLock:
    """A lock between processes that ends with its process; between threads only through separate objects."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def take(self, shared: bool = False) -> bool:
        """Take the lock if it is free; a lock held already changes its way."""
        try:
            fcntl.flock(self._handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def wait(self, seconds: float, shared: bool = False) -> None:
        """Take the lock within `seconds`; raises StoreError where it stays held."""
        if self.take(shared):
            return
        began = time.monotonic()
        while not self.take(shared):
            waited = time.monotonic() - began
            if waited > seconds:
                raise busy(self._path.parent)
            time.sleep(0.0005 if waited < 0.5 else 0.01)  # a compaction lets others in for 2 ms at a time

    @contextmanager
    def held(self, seconds: float) -> Iterator[None]:
        """Hold the lock for a while; raises StoreError where it is not free within `seconds`."""
        self.wait(seconds)
        try:
            yield
        finally:
            self.free()

    def free(self) -> None:
        """Let go of the lock."""
        fcntl.flock(self._handle, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the lock for good."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
