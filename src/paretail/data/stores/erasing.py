"""Forgetting users: their live rows go at once, those in history are hidden until a compaction leaves them out."""

import json
import sqlite3
from collections.abc import Sequence

from paretail.data.stores import documents, live
from paretail.data.stores.database import Database
from paretail.data.stores.index import user_hashes
from paretail.data.stores.merging import belonging

#: What is erased beside events; `?1` is a JSON list of users.
_ERASE = (
    "DELETE FROM shown WHERE user_id IN (SELECT value FROM json_each(?1))",
    "DELETE FROM merge WHERE visitor_id IN (SELECT value FROM json_each(?1)) "
    "OR user_id IN (SELECT value FROM json_each(?1))",
)


def forget(connection: sqlite3.Connection, database: Database, user_ids: Sequence[str], now_ms: int) -> None:
    """Erase users and the visitors that count as them, inside of a transaction; the links between them go too."""
    gone = sorted(belonging(dict(connection.execute("SELECT visitor_id, user_id FROM merge")), user_ids))
    seqs = database.index.seqs(connection, database.head.covered, user_hashes(gone))
    live.erase(connection, seqs.tolist(), gone)
    names = json.dumps(gone)
    documents.erase(connection, "users", names)
    for query in _ERASE:
        connection.execute(query, (names,))
    rows = [(user, max(now_ms, database.forgotten.get(user, now_ms)), database.head.history) for user in gone]
    connection.executemany("INSERT OR REPLACE INTO forgotten(user_id, until_ms, history) VALUES (?, ?, ?)", rows)
    database.moved(connection, database.head)
