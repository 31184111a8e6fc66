"""The embedded store: one folder with an SQLite database of what is new and a Parquet file of what is history."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.data.stores import lists, live
from paretail.data.stores.base import Key, Kind, Shown, StoredEvent
from paretail.data.stores.disk import FileLock, told
from paretail.data.stores.index import Hashed, LiveIndex, user_hashes
from paretail.data.stores.live import Head
from paretail.data.stores.merging import belonging, check_merge, followed
from paretail.data.stores.opening import open_folder
from paretail.data.stores.promises import Promises
from paretail.data.stores.readers import Readers, connect
from paretail.data.stores.writer import Writer

#: How many documents `documents` reads at once.
_PAGE = 10_000

_COUNTS = {
    "events_live": "SELECT count(*) FROM event WHERE seq > (SELECT value FROM state WHERE name = 'covered')",
    "lists": "SELECT count(*) FROM shown",
    "items": "SELECT count(*) FROM document WHERE kind = 'items' AND body IS NOT NULL",
    "users": "SELECT count(*) FROM document WHERE kind = 'users' AND body IS NOT NULL",
    "merges": "SELECT count(*) FROM merge",
}

#: What else of forgotten users is erased; `?` is a JSON list of their ids.
_FORGET = (
    "DELETE FROM shown WHERE user_id IN (SELECT value FROM json_each(?))",
    "DELETE FROM document WHERE kind = 'users' AND id IN (SELECT value FROM json_each(?))",
    "DELETE FROM merge WHERE visitor_id IN (SELECT value FROM json_each(?1)) "
    "OR user_id IN (SELECT value FROM json_each(?1))",
)


class EmbeddedStore:
    """A store in one folder of the local disk; several processes may have it open."""

    def __init__(self, folder: Path, presence: FileLock, promises: Promises) -> None:
        """Take over what `open` made ready."""
        self.folder = folder
        self._presence, self._promises = presence, promises
        self._index, self._readers = LiveIndex(), Readers(folder)
        self._connection = connect(folder, writes=True)
        self._head = Head(-1, -1)
        self._forgotten: dict[str, int] = {}
        self._others = -1
        self._writer = Writer(self._connection, folder, self._catch_up, self._undone)

    @classmethod
    def open(cls, folder: Path, *, create: bool = True) -> Self:
        """Open the store in `folder`; with `create`, make one where there is none.

        Raises StoreError where the folder is something else, damaged, newer than this program or not writable.
        """
        with told(folder):
            return cls(folder, *open_folder(folder, create=create))

    def close(self) -> None:
        """Let go of the store; what was told is kept."""
        self._readers.close()
        self._writer.close()
        self._promises.close()
        self._presence.close()

    def append(self, events: Sequence[StoredEvent]) -> list[bool]:
        """Add events, all or none; False for one that is there already or was forgotten with its user."""
        with told(self.folder):
            hashed = Hashed(events)
        return self._writer.do(lambda connection: self._append(connection, hashed)) if events else []

    def _append(self, connection: sqlite3.Connection, hashed: Hashed) -> list[bool]:
        fresh = hashed.fresh(self._index.digests.contains(hashed.digests), self._erased(hashed.events))
        if len(fresh):
            last = live.insert(connection, [hashed.events[place] for place in fresh])
            self._index.add(hashed, fresh, last)
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

        self._write(write)

    def put(self, kind: Kind, documents: Mapping[str, bytes | None]) -> None:
        """Set whole documents (JSON), all or none; None marks one as deleted."""
        rows = [(kind, name, body) for name, body in documents.items()]
        self._write(lambda c: c.executemany("INSERT OR REPLACE INTO document VALUES (?, ?, ?)", rows))

    def documents(self, kind: Kind) -> Iterator[tuple[str, bytes | None]]:
        """Return every document by id, in their order; None where it was deleted."""
        query = "SELECT id, body FROM document WHERE kind = ? AND id > ? ORDER BY id LIMIT ?"
        last: str = ""
        while True:
            with self._readers.snapshot() as connection:
                rows = connection.execute(
                    query.replace(">", ">=") if not last else query, (kind, last, _PAGE)
                ).fetchall()
            yield from rows
            if len(rows) < _PAGE:
                return
            last = rows[-1][0]

    def document(self, kind: Kind, document_id: str) -> bytes | None:
        """Return one document; None where there is none, or it was deleted."""
        with self._readers.snapshot() as connection:
            query = "SELECT body FROM document WHERE kind = ? AND id = ?"
            row = connection.execute(query, (kind, document_id)).fetchone()
        return None if row is None else row[0]

    def merge(self, visitor_id: str, user_id: str) -> None:
        """Say that all that `visitor_id` did and will do was done by `user_id`; the user told last counts."""

        def write(connection: sqlite3.Connection) -> None:
            check_merge(_merges(connection), visitor_id, user_id)
            connection.execute("INSERT OR REPLACE INTO merge VALUES (?, ?)", (visitor_id, user_id))

        self._write(write)

    def merges(self) -> dict[str, str]:
        """Return visitor -> user, both as they were told."""
        with self._readers.snapshot() as connection:
            return _merges(connection)

    def forget(self, user_ids: Sequence[str], now_ms: int) -> None:
        """Erase all of users and of the visitors that count as them; what they do afterwards is kept again."""
        self._write(lambda connection: self._forget(connection, user_ids, now_ms))

    def _forget(self, connection: sqlite3.Connection, user_ids: Sequence[str], now_ms: int) -> None:
        gone = sorted(belonging(_merges(connection), user_ids))
        live.erase(connection, self._index.users.find(user_hashes(gone)).tolist(), gone)
        connection.executemany(
            "INSERT OR REPLACE INTO forgotten VALUES (?, ?, ?)", [(user, now_ms, self._head.history) for user in gone]
        )
        names = json.dumps(gone)
        for query in _FORGET:
            connection.execute(query, (names,))
        self._forgotten |= dict.fromkeys(gone, now_ms)

    def forgotten(self) -> dict[str, int]:
        """Return user -> the moment until which nothing of them may be used."""
        with self._readers.snapshot() as connection:
            return _forgotten(connection)

    def recent(self, user_ids: Sequence[str], most: int) -> dict[str, list[StoredEvent]]:
        """Return the newest `most` events of each user, oldest first, merges not followed; impressions left out."""
        with told(self.folder):
            hashes = user_hashes(user_ids)
        with self._readers.snapshot() as connection:
            self._index.follow(connection)
            covered = live.head(connection).covered
            seqs = self._index.users.find(hashes)
            events = live.at(connection, seqs[seqs > covered].tolist())
        found: dict[str, list[StoredEvent]] = {user: [] for user in user_ids}
        for event in events:
            if event.user_id in found:
                found[event.user_id].append(event)
        return {user: of_user[-most:] if most else [] for user, of_user in found.items()}

    def newest(self, users: int, most: int) -> pl.DataFrame:
        """Return user_id, item_id, kind, ts_ms, quantity of the `users` seen last: their newest `most` events."""
        with self._readers.snapshot() as connection:
            covered = live.head(connection).covered
            columns = ("user_id", "item_id", "kind", "ts_ms", "quantity")
            events = live.read(connection, covered, columns, "kind <> 'impression'")
        return newest_of(events, users, most)

    def events(self, since_ms: int = 0, until_ms: int | None = None, impressions: bool = False) -> pl.DataFrame:
        """Return all events as EVENT_COLUMNS with since <= ts_ms < until, by time; merges followed."""
        until = 2**63 - 1 if until_ms is None else until_ms
        with self._readers.snapshot() as connection:
            covered = live.head(connection).covered
            found = [live.read(connection, covered, where="ts_ms >= ? AND ts_ms < ?", values=(since_ms, until))]
            if impressions:
                found.append(lists.impressions(lists.read(connection, since_ms, until_ms)))
            merges = _merges(connection)
        return followed(pl.concat(found).sort("ts_ms", maintain_order=True), merges)

    def answers(self, since_ms: int = 0, until_ms: int | None = None) -> pl.DataFrame:
        """Return the lists shown as ANSWER_COLUMNS with since <= ts_ms < until, by time; merges followed."""
        with self._readers.snapshot() as connection:
            return followed(lists.read(connection, since_ms, until_ms), _merges(connection))

    def shown_to_session(self, session_id: str) -> list[str]:
        """Return the distinct items that a session was shown."""
        with self._readers.snapshot() as connection:
            return lists.of_session(connection, session_id)

    def keys(self) -> list[Key]:
        """Return all keys, the revoked ones too, oldest first."""
        with self._readers.snapshot() as connection:
            rows = connection.execute("SELECT * FROM api_key ORDER BY created_ms, key_id").fetchall()
        return [Key(a, b, c, tuple(json.loads(scopes)), *rest) for a, b, c, scopes, *rest in rows]

    def put_key(self, key: Key) -> None:
        """Add a key, or replace the one with its `key_id`."""
        row = (key.key_id, key.name, key.digest, json.dumps(key.scopes), key.rate, key.created_ms, key.revoked_ms)
        self._write(lambda c: c.execute("INSERT OR REPLACE INTO api_key VALUES (?, ?, ?, ?, ?, ?, ?)", row))

    def version(self) -> int:
        """Return a number that changes whenever another process has written to the store; costs microseconds."""
        self._others = self._writer.glance(_data_version, self._others)
        return self._others

    def counts(self) -> dict[str, int]:
        """Return how many events_live, events_history, lists, items, users, merges, impressions_lost there are."""
        with self._readers.snapshot() as connection:
            state = live.read_state(connection)
            counts = {name: connection.execute(query).fetchone()[0] for name, query in _COUNTS.items()}
        return {**counts, "events_history": state["history_events"], "impressions_lost": state["lost"]}

    def _write(self, work: Callable[[sqlite3.Connection], object]) -> None:
        self._writer.do(work)

    def _catch_up(self, connection: sqlite3.Connection) -> None:
        """Learn what other processes did, at the start of a transaction."""
        if (seen := _data_version(connection)) != self._others or self._head.history < 0:
            self._others = seen
            self._forgotten = _forgotten(connection)
            if (now := live.head(connection)) != self._head:
                self._head = now
                self._index.drop(now.covered)
        self._index.follow(connection)

    def _undone(self) -> None:
        self._index.reset()
        self._head = Head(-1, -1)

    def _erased(self, events: Sequence[StoredEvent]) -> NDArray[np.bool_]:
        """Say which events were forgotten before they came."""
        if not self._forgotten:
            return np.zeros(len(events), dtype=np.bool_)
        until = self._forgotten
        return np.array([event.ts_ms <= until.get(event.user_id, event.ts_ms - 1) for event in events], dtype=np.bool_)


def newest_of(events: pl.DataFrame, users: int, most: int) -> pl.DataFrame:
    """Return the newest `most` events of the `users` seen last, user by user, the user seen last at the end."""
    ordered = events.sort("ts_ms", maintain_order=True)
    seen = ordered.group_by("user_id", maintain_order=True).agg(pl.col("ts_ms").max().alias("seen"))
    seen = seen.sort("seen", "user_id").tail(users).with_row_index("rank")
    kept = ordered.join(seen.select("user_id", "rank"), on="user_id", how="inner", maintain_order="left")
    back = pl.int_range(pl.len()).reverse().over("user_id")
    return kept.filter(back < most).sort("rank", maintain_order=True).drop("rank")


def _data_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def _merges(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT visitor_id, user_id FROM merge ORDER BY visitor_id"))


def _forgotten(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT user_id, until_ms FROM forgotten ORDER BY user_id"))
