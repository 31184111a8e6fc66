"""How a folder becomes an open store: found or made, checked, carried forward, and put in order."""

import sqlite3
from pathlib import Path

from paretail.core.errors import Problem
from paretail.core.files import flush
from paretail.data.stores import documents, history, live, schema
from paretail.data.stores.base import StoreError
from paretail.data.stores.disk import FileLock, busy, cannot, damaged
from paretail.data.stores.promises import Promises
from paretail.data.stores.readers import DATABASE, connect
from paretail.data.stores.writer import LOCK, PATIENCE_SECONDS

#: Held together by all processes that have the store open; alone by one that puts it in order.
PRESENCE = "open.lock"
COUNT = "shown.count"
_OURS = frozenset({DATABASE, PRESENCE, LOCK, COUNT, history.LOCK, documents.LOCK})


def open_folder(folder: Path, *, create: bool) -> tuple[FileLock, Promises]:
    """Make the store in `folder` ready; returns the lock that says we are there, and the count of promises."""
    if not (folder / DATABASE).exists():
        _make_folder(folder, create)
    _refuse_newer(folder / DATABASE)
    presence = FileLock(folder / PRESENCE)
    try:
        alone = presence.take()
        if not alone:
            presence.wait(PATIENCE_SECONDS, shared=True)
        _write_down(folder, alone)
        promises = Promises(folder / COUNT)
        presence.wait(PATIENCE_SECONDS, shared=True)  # from now on nobody else is alone
    except BaseException:
        presence.close()
        raise
    return presence, promises


def _make_folder(folder: Path, create: bool) -> None:
    if not create:
        do = "Name the folder of a store; `paretail serve` makes one"
        raise StoreError(Problem("STOR-07", f"{folder} holds no store", "Expected one", do))
    if folder.exists() and {file.name for file in folder.iterdir()} - _OURS:
        raise schema.foreign(str(folder), f"holds files and no {DATABASE}")
    folder.mkdir(parents=True, exist_ok=True)
    flush(folder.parent)


def _refuse_newer(database: Path) -> None:
    """Refuse a newer store by the header of its file, before anything of it is touched."""
    if not database.exists():
        return
    with database.open("rb") as file:
        header = file.read(100)
    if header[:16] == b"SQLite format 3\0" and int.from_bytes(header[68:72], "big") == schema.APPLICATION:
        schema.check_version(int.from_bytes(header[60:64], "big"), str(database.parent))


def _write_down(folder: Path, alone: bool) -> None:
    """Create or migrate the tables; alone, also put in order what a kill left."""
    writing = FileLock(folder / LOCK)
    try:
        writing.wait(PATIENCE_SECONDS)
        if not (folder / DATABASE).exists():
            (folder / DATABASE).touch()
            flush(folder)
        connection = connect(folder, writes=True)
        try:
            _prepare(connection, folder, alone)
            if alone:
                _settle_promises(connection, folder)
                _remove_rubbish(connection, folder)
                connection.execute("DELETE FROM teller")
        finally:
            connection.close()
    finally:
        writing.close()


def _prepare(connection: sqlite3.Connection, folder: Path, alone: bool) -> None:
    version = schema.check(connection, str(folder))
    if version == 0:
        if any(folder.glob("history-*")):
            raise damaged(folder / DATABASE, "it is empty, and there is history")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise cannot(folder, f"its file system cannot share memory between processes (journal mode {mode})")
    elif version < schema.VERSION and not alone:
        raise busy(folder, "an older version of this program")
    schema.migrate(connection, version)


def _settle_promises(connection: sqlite3.Connection, folder: Path) -> None:
    promises = Promises(folder / COUNT)
    try:
        written = live.read_state(connection)["written"]
        lost = promises.value - written
        if lost > 0:
            connection.execute("BEGIN IMMEDIATE")
            live.add_state(connection, lost=lost, written=lost)  # as if written: what is lost is counted once
            connection.execute("COMMIT")
        elif lost < 0:  # an older count after a power cut, or lists that nobody promised
            promises.set(written)
    finally:
        promises.close()


def _remove_rubbish(connection: sqlite3.Connection, folder: Path) -> None:
    """Remove history files that a killed compaction left."""
    lock = FileLock(folder / history.LOCK)
    try:
        if lock.take():
            history.remove_others(folder, live.head(connection).history)
    finally:
        lock.close()
