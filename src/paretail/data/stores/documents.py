"""Documents of items and users: set whole, however many, without keeping those waiting who write events.

A few are one transaction. Many are laid aside first, some at a time; then one transaction says that they count, and
from it on readers take them before the others; at last they are moved to the others, some at a time. Killed before that
transaction, nothing was set; killed after it, the next who sets many, or compacts, moves the rest.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial
from time import sleep

from paretail.data.stores import live
from paretail.data.stores.base import Kind
from paretail.data.stores.database import Database, View
from paretail.data.stores.disk import FileLock

Row = tuple[str, str, bytes | None]

#: Held by whoever lays documents aside.
LOCK = "documents.lock"
#: How many documents are a few, written in about 30 ms, and how many a reader takes at once.
FEW, _PAGE = 5_000, 10_000
#: How long others may write before the next few, and how long one who lays aside waits for another.
_PAUSE_SECONDS, _PATIENCE_SECONDS = 0.002, 600.0

_SET = "INSERT OR REPLACE INTO document VALUES (?, ?, ?)"
_LAY = "INSERT OR REPLACE INTO document_next VALUES (?, ?, ?)"
_TAKE = "DELETE FROM document_next WHERE rowid IN (SELECT rowid FROM document_next LIMIT ?) RETURNING kind, id, body"
_READ = "SELECT id, body FROM document WHERE kind = ?1 AND id > ?2"
_READ_BOTH = f"""
SELECT id, body FROM document_next WHERE kind = ?1 AND id > ?2
UNION ALL {_READ} AND NOT EXISTS (SELECT 1 FROM document_next n WHERE n.kind = document.kind AND n.id = document.id)"""


def put(database: Database, rows: Sequence[Row]) -> None:
    """Set documents, all or none."""
    if len(rows) <= FEW:
        database.tell(lambda connection: _set(connection, rows))
        return
    lock = FileLock(database.folder / LOCK)
    try:
        lock.wait(_PATIENCE_SECONDS)
        _settle(database)
        try:
            for first in range(0, len(rows), FEW):
                _lay(database, rows[first : first + FEW])
            database.tell(lambda connection: live.set_state(connection, laid=1))
        finally:
            _settle(database)
    finally:
        lock.close()


def tidy(database: Database) -> None:
    """Finish what was killed, unless somebody is at it."""
    lock = FileLock(database.folder / LOCK)
    try:
        if lock.take():
            _settle(database)
    finally:
        lock.close()


def pages(database: Database, kind: Kind) -> Iterator[list[tuple[str, bytes | None]]]:
    """Return all documents by id, some at a time."""
    page = database.read(partial(_page, kind=kind, after=""))
    while page:
        yield page
        page = database.read(partial(_page, kind=kind, after=page[-1][0]))


def one(view: View, kind: Kind, document_id: str) -> bytes | None:
    """Return one document; None where there is none or it was deleted."""
    for table in ("document_next", "document") if _laid(view.connection) else ("document",):
        query = f"SELECT body FROM {table} WHERE kind = ? AND id = ?"
        if (row := view.connection.execute(query, (kind, document_id)).fetchone()) is not None:
            body: bytes | None = row[0]
            return body
    return None


def count(connection: sqlite3.Connection, kind: Kind) -> int:
    """Return how many documents are not deleted."""
    query = _READ_BOTH if _laid(connection) else _READ
    found = connection.execute(f"SELECT count(body) FROM ({query})", (kind, ""))
    return int(found.fetchone()[0])


def _set(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    connection.executemany(_SET, rows)
    if _laid(connection):
        connection.executemany("DELETE FROM document_next WHERE kind = ? AND id = ?", [row[:2] for row in rows])


def _lay(database: Database, rows: Sequence[Row]) -> None:
    database.write(lambda connection: connection.executemany(_LAY, rows))
    sleep(_PAUSE_SECONDS)


def _settle(database: Database) -> None:
    """Move what was laid aside to its place, or away where it does not count."""
    while database.write(_settle_some):
        sleep(_PAUSE_SECONDS)


def _settle_some(connection: sqlite3.Connection) -> int:
    rows = connection.execute(_TAKE, (FEW,)).fetchall()
    if _laid(connection):
        connection.executemany(_SET, rows)
        live.set_state(connection, laid=int(len(rows) == FEW))
    return len(rows)


def _page(view: View, kind: Kind, after: str) -> list[tuple[str, bytes | None]]:
    query = _READ_BOTH if _laid(view.connection) else _READ
    return view.connection.execute(f"{query} ORDER BY id LIMIT ?3", (kind, after, _PAGE)).fetchall()


def _laid(connection: sqlite3.Connection) -> bool:
    return bool(live.read_state(connection)["laid"])
