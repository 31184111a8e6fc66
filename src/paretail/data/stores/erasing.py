"""Forgetting users: their live rows go at once, those in history are hidden until a compaction leaves them out."""

import sqlite3
from collections.abc import Sequence

from paretail.data.stores import live
from paretail.data.stores.database import Database
from paretail.data.stores.index import user_hashes
from paretail.data.stores.merging import belonging

#: Whose rows go. A table, because SQLite's JSON cuts a text at a NUL: another user would be erased.
_NAME = ("CREATE TEMP TABLE IF NOT EXISTS gone(id TEXT PRIMARY KEY) WITHOUT ROWID", "DELETE FROM temp.gone")
_GONE = "(SELECT id FROM temp.gone)"
_ERASE = (
    f"DELETE FROM shown WHERE user_id IN {_GONE}",
    f"DELETE FROM shown WHERE session_id IN {_GONE} AND user_id IS NULL",  # which count as the visitor's
    f"UPDATE shown SET drawn_by = NULL WHERE drawn_by IN {_GONE}",
    f"DELETE FROM merge WHERE visitor_id IN {_GONE} OR user_id IN {_GONE}",
    f"DELETE FROM document WHERE kind = 'users' AND id IN {_GONE}",
    f"DELETE FROM document_next WHERE kind = 'users' AND id IN {_GONE}",
)


def forget(connection: sqlite3.Connection, database: Database, user_ids: Sequence[str], now_ms: int) -> None:
    """Erase users and the visitors that count as them, inside of a transaction; the links between them go too."""
    gone = sorted(belonging(dict(connection.execute("SELECT visitor_id, user_id FROM merge")), user_ids))
    seqs = database.index.seqs(connection, database.head.covered, user_hashes(gone))
    for query in _NAME:
        connection.execute(query)
    connection.executemany("INSERT INTO temp.gone VALUES (?)", [(user,) for user in gone])
    live.erase(connection, seqs.tolist(), _GONE)
    for query in _ERASE:
        connection.execute(query)
    rows = [(user, max(now_ms, database.forgotten.get(user, now_ms)), database.head.history) for user in gone]
    connection.executemany("INSERT OR REPLACE INTO forgotten(user_id, until_ms, history) VALUES (?, ?, ?)", rows)
    database.moved(connection, database.head)
