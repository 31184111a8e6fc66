"""The embedded store: one folder with an SQLite database of what is new and a Parquet file of what is history."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import polars as pl

from paretail.data.stores import lists, live, reading
from paretail.data.stores.backup import backup
from paretail.data.stores.base import Compacted, Entry, Key, Kind, Shown, StoredEvent
from paretail.data.stores.compaction import compact
from paretail.data.stores.database import Database
from paretail.data.stores.disk import FileLock, told
from paretail.data.stores.documents import one, pages, put
from paretail.data.stores.erasing import forget
from paretail.data.stores.importing import import_events
from paretail.data.stores.index import Hashed, user_hashes
from paretail.data.stores.merging import check_merge, followed
from paretail.data.stores.opening import open_folder
from paretail.data.stores.promises import Promises

#: The merges on the way from one user to the end of its chain.
_CHAIN = """
WITH RECURSIVE chain(visitor_id, user_id) AS (
  SELECT visitor_id, user_id FROM merge WHERE visitor_id = ?
  UNION SELECT merge.visitor_id, merge.user_id FROM merge JOIN chain ON merge.visitor_id = chain.user_id)
SELECT visitor_id, user_id FROM chain"""


class EmbeddedStore:
    """A store in one folder of the local disk; several processes may have it open."""

    def __init__(self, folder: Path, presence: FileLock, promises: Promises) -> None:
        """Take over what `open` made ready."""
        self.folder = folder
        self._presence, self._promises = presence, promises
        self._database = Database(folder)

    @classmethod
    def open(cls, folder: Path, *, create: bool = True) -> Self:
        """Open the store in `folder`; with `create`, make one where there is none.

        Raises StoreError where the folder is something else, damaged, newer than this program or not writable.
        """
        folder = folder.absolute()
        with told(folder):
            return cls(folder, *open_folder(folder, create=create))

    def close(self) -> None:
        """Let go of the store; what was told is kept."""
        self._database.close()
        self._promises.close()
        self._presence.close()

    def append(self, events: Sequence[StoredEvent]) -> list[bool]:
        """Add events, all or none; False for one that is there already or was forgotten with its user."""
        with told(self.folder):
            hashed = Hashed(events)
        return self._database.tell(lambda connection: self._append(connection, hashed)) if events else []

    def _append(self, connection: sqlite3.Connection, hashed: Hashed) -> list[bool]:
        database = self._database
        fresh = hashed.fresh(database.known(connection, hashed.digests), database.erased(hashed.events))
        if len(fresh):
            last = live.insert(connection, [hashed.events[place] for place in fresh])
            database.index.add(connection, hashed, fresh, last)
        kept = set(fresh.tolist())
        return [place in kept for place in range(len(hashed.events))]

    def promise(self, impressions: int) -> None:
        """Count items of answers that leave now, whose lists `shown` will be told later."""
        self._promises.add(impressions)

    def shown(self, lists_shown: Sequence[Shown]) -> None:
        """Add lists that were shown."""
        rows = [lists.packed(shown) for shown in lists_shown]
        items = sum(len(shown.item_ids) for shown in lists_shown)

        def write(connection: sqlite3.Connection) -> None:
            lists.insert(connection, rows)
            live.add_state(connection, written=items)

        self._database.write(write)

    def put(self, kind: Kind, documents: Mapping[str, bytes | None]) -> None:
        """Set whole documents (JSON), all or none; None marks one as deleted."""
        put(self._database, [(kind, name, body) for name, body in documents.items()])

    def documents(self, kind: Kind) -> Iterator[tuple[str, bytes | None]]:
        """Return every document by id, in their order; None where it was deleted."""
        for page in pages(self._database, kind):
            yield from page

    def document(self, kind: Kind, document_id: str) -> bytes | None:
        """Return one document; None where there is none or it was deleted."""
        return self._database.read(lambda view: one(view, kind, document_id))

    def merge(self, visitor_id: str, user_id: str) -> None:
        """Say that all that `visitor_id` did and will do was done by `user_id`; the user told last counts."""

        def write(connection: sqlite3.Connection) -> None:
            check_merge(dict(connection.execute(_CHAIN, (user_id,))), visitor_id, user_id)
            connection.execute("INSERT OR REPLACE INTO merge VALUES (?, ?)", (visitor_id, user_id))

        self._database.tell(write)

    def merges(self) -> dict[str, str]:
        """Return visitor -> user, both as they were told."""
        return self._database.read(lambda view: view.merges())

    def forget(self, user_ids: Sequence[str], now_ms: int) -> None:
        """Erase all of users and of the visitors that count as them; what they do afterwards is kept again."""
        with told(self.folder):
            user_hashes(user_ids)
        self._database.tell(lambda connection: forget(connection, self._database, user_ids, now_ms))

    def forgotten(self) -> dict[str, int]:
        """Return user -> the moment until which nothing of them may be used."""
        return self._database.read(lambda view: view.forgotten())

    def recent(self, user_ids: Sequence[str], most: int) -> dict[str, list[StoredEvent]]:
        """Return the newest `most` events of each user, oldest first, merges not followed; impressions left out."""
        with told(self.folder):
            return self._database.read(lambda view: reading.recent(view, self._database.index, user_ids, most))

    def newest(self, users: int, most: int) -> pl.DataFrame:
        """Return user_id, item_id, kind, ts_ms, quantity of the `users` seen last: their newest `most` events."""
        return self._database.read(lambda view: reading.newest(view, users, most))

    def events(self, since_ms: int = 0, until_ms: int | None = None, impressions: bool = False) -> pl.DataFrame:
        """Return all events as EVENT_COLUMNS with since <= ts_ms < until, by time; merges followed."""
        until = 2**63 - 1 if until_ms is None else until_ms
        return self._database.read(lambda view: reading.events(view, since_ms, until, impressions))

    def answers(self, since_ms: int = 0, until_ms: int | None = None) -> pl.DataFrame:
        """Return the lists shown as ANSWER_COLUMNS with since <= ts_ms < until, by time; merges followed."""
        until = 2**63 - 1 if until_ms is None else until_ms
        return self._database.read(lambda view: followed(lists.read(view.connection, since_ms, until), view.merges()))

    def entry(self, user_id: str, experiment: str) -> Entry:
        """Return how a user is in an experiment: by their first list, or a visitor's who counts as them."""
        return self._database.read(lambda view: lists.entry(view.connection, user_id, experiment))

    def shown_to_session(self, session_id: str) -> list[str]:
        """Return the distinct items that a session was shown."""
        return self._database.read(lambda view: lists.of_session(view.connection, session_id))

    def shown_to(self, user_id: str, most: int) -> list[tuple[int, str]]:
        """Return (ts_ms, item_id) of the newest `most` impressions of a user, oldest first, merges not followed."""
        with told(self.folder):
            return self._database.read(lambda view: reading.shown_to(view, self._database.index, user_id, most))

    def import_events(self, events: pl.DataFrame) -> int:
        """Add many events (EVENT_COLUMNS) to history at once, all or none; return how many were new."""
        with told(self.folder):
            return import_events(self._database, events)

    def compact(self, keep_days: Mapping[str, float], now_ms: int) -> Compacted:
        """Move live events to history while the store is in use, dropping what is older than its kind may be.

        Raises StoreError where another compaction, import or backup is at work.
        """
        with told(self.folder):
            return compact(self._database, keep_days, now_ms)

    def backup(self, folder: Path) -> None:
        """Write a copy of the whole store, as of one moment, while it is in use; `folder` must not exist."""
        backup(self._database, folder)

    def keys(self) -> list[Key]:
        """Return all keys, the revoked ones too, oldest first."""
        query = "SELECT * FROM api_key ORDER BY created_ms, key_id"
        rows = self._database.read(lambda view: view.connection.execute(query).fetchall())
        return [Key(a, b, c, tuple(json.loads(scopes)), *rest) for a, b, c, scopes, *rest in rows]

    def put_key(self, key: Key) -> None:
        """Add a key, or replace the one with its `key_id`."""
        row = (key.key_id, key.name, key.digest, json.dumps(key.scopes), key.rate, key.created_ms, key.revoked_ms)
        query = "INSERT OR REPLACE INTO api_key VALUES (?, ?, ?, ?, ?, ?, ?)"
        self._database.tell(lambda connection: connection.execute(query, row))

    def version(self) -> int:
        """Return a number that changes whenever another process has written to the store; costs microseconds."""
        return self._database.version()

    def counts(self) -> dict[str, int]:
        """Return how many events_live, events_history, lists, items, users, merges, impressions_lost there are."""
        return self._database.read(reading.counts)
