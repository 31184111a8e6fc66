"""The tables of the embedded store, version by version; a store is carried forward one transaction a version."""

import sqlite3

from paretail.core.errors import Problem
from paretail.data.stores.base import StoreError

#: "PRTL" in the header of the file: a database of ours.
APPLICATION = 0x5052544C

_BASE = """
-- No index but seq: a random key writes a page of 4 KiB an event (measured: 150,000 events/s without, 20,000 with two).
-- Who did what is looked up in memory instead, see index.py. AUTOINCREMENT: a seq is never used again. STRICT, and the
-- bounds of position: a value that cannot be read back into EVENT_COLUMNS is refused when it comes.
CREATE TABLE event(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, user_id TEXT NOT NULL, item_id TEXT NOT NULL, kind TEXT NOT NULL,
  ts_ms INTEGER NOT NULL, event_id TEXT NOT NULL, order_id TEXT, quantity REAL, price_minor INTEGER, request_id TEXT,
  position INTEGER CHECK (abs(position) < 2147483648), propensity REAL, dwell_ms INTEGER) STRICT;
CREATE TABLE shown(
  seq INTEGER PRIMARY KEY, request_id TEXT NOT NULL, ts_ms INTEGER NOT NULL, user_id TEXT, session_id TEXT,
  placement TEXT NOT NULL, model_version TEXT NOT NULL, policy TEXT NOT NULL, item_ids TEXT NOT NULL,
  propensities TEXT) STRICT;
CREATE UNIQUE INDEX shown_once ON shown(request_id, placement);
CREATE INDEX shown_when ON shown(ts_ms);
CREATE INDEX shown_to_user ON shown(user_id) WHERE user_id IS NOT NULL;
CREATE INDEX shown_in_session ON shown(session_id) WHERE session_id IS NOT NULL;
CREATE TABLE document(kind TEXT NOT NULL, id TEXT NOT NULL, body BLOB, PRIMARY KEY(kind, id)) STRICT;
CREATE TABLE merge(visitor_id TEXT PRIMARY KEY, user_id TEXT NOT NULL) WITHOUT ROWID, STRICT;
-- history: the number of the history file that still holds rows of the user, 0 when none does.
CREATE TABLE forgotten(
  serial INTEGER PRIMARY KEY AUTOINCREMENT, user_id TEXT NOT NULL UNIQUE, until_ms INTEGER NOT NULL,
  history INTEGER NOT NULL) STRICT;
CREATE INDEX forgotten_in_history ON forgotten(history) WHERE history > 0;
CREATE TABLE api_key(
  key_id TEXT PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL, scopes TEXT NOT NULL, rate REAL,
  created_ms INTEGER NOT NULL, revoked_ms INTEGER) STRICT;
-- history: number of the current history file, 0 for none; covered: it holds the events up to this seq;
-- history_events: its rows; written, lost: impressions, see promises.py.
CREATE TABLE state(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID, STRICT;
INSERT INTO state VALUES ('history', 0), ('covered', 0), ('history_events', 0), ('written', 0), ('lost', 0);
"""

# Hashes of live events, so that an opened store need not make them again, see index.py.
_BLOCKS = "CREATE TABLE block(last_seq INTEGER PRIMARY KEY, hashes BLOB NOT NULL) STRICT;"

# Who wrote how often, by process, so that each can tell whether another did. Documents that are laid aside, see
# documents.py; state laid: 1 while they count.
_TELLERS = """
CREATE TABLE teller(process INTEGER PRIMARY KEY, told INTEGER NOT NULL) STRICT;
CREATE TABLE document_next(kind TEXT NOT NULL, id TEXT NOT NULL, body BLOB, PRIMARY KEY(kind, id)) STRICT;
INSERT INTO state VALUES ('laid', 0);
"""

# Which experiment a list belongs to, and the arm of its user.
_EXPERIMENTS = "ALTER TABLE shown ADD COLUMN experiment TEXT; ALTER TABLE shown ADD COLUMN arm TEXT;"

# By whose id the arm was drawn, null: by that of user_id; whom somebody has become is asked at every such list.
_ENTRIES = """
ALTER TABLE shown ADD COLUMN drawn_by TEXT;
CREATE INDEX shown_drawn_by ON shown(drawn_by) WHERE drawn_by IS NOT NULL;
CREATE INDEX merged_into ON merge(user_id);
"""

#: `MIGRATIONS[n]` leads from version n to n + 1.
MIGRATIONS: tuple[str, ...] = (_BASE, _BLOCKS, _TELLERS, _EXPERIMENTS, _ENTRIES)
VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Carry a store of `version` forward to VERSION."""
    for number in range(version, VERSION):
        connection.executescript(
            f"BEGIN IMMEDIATE; {MIGRATIONS[number]} PRAGMA user_version = {number + 1}; "
            f"PRAGMA application_id = {APPLICATION}; COMMIT"
        )


def check(connection: sqlite3.Connection, place: str) -> int:
    """Return the version of the store, 0 for an empty one; raises StoreError where it is foreign or newer."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    ours = int(connection.execute("PRAGMA application_id").fetchone()[0]) == APPLICATION
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if not ours and (tables or version):
        raise foreign(place, "is a database of another program")
    check_version(version, place)
    return version


def check_version(version: int, place: str) -> None:
    """Raise StoreError where a store is newer than this program."""
    if version > VERSION:
        found, expected = f"{place} is a store of version {version}", f"This program knows up to version {VERSION}"
        do = "Use the newer program, or restore a backup of before; nothing was changed"
        raise StoreError(Problem("STOR-02", found, expected, do))


def foreign(place: str, what: str) -> StoreError:
    """Say that a folder is no store."""
    return StoreError(Problem("STOR-01", f"{place} {what}", "Expected a store or a new folder", "Name another folder"))
