"""Compaction: live events become history, what is too old goes, what was forgotten goes for good.

Each step is safe to die after: write the new history files; in one transaction say that they count; remove the live
rows that they hold, a few at a time; remove the old files. Until the transaction nothing has changed for anybody; after
it the rest is rubbish that the next compaction removes.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep
from typing import NamedTuple

import numpy as np
import polars as pl

from paretail.core.clock import DAY_MS
from paretail.core.errors import Problem
from paretail.data.stores import documents, history, live
from paretail.data.stores.base import Compacted, StoreError
from paretail.data.stores.database import Database, View
from paretail.data.stores.disk import FileLock, Moved, damaged
from paretail.data.stores.index import event_digests
from paretail.data.stores.live import Head
from paretail.data.stores.merged import Merged, with_digests
from paretail.data.stores.runs import contains

#: How long another that opens, tidies or ends is waited for.
_PATIENCE_SECONDS = 1.0
#: How many rows one transaction removes, of the large ones in `block`; how long others may write before the next.
_CHUNK, _BLOCKS, _PAUSE_SECONDS = 2_000, 2, 0.002
#: How often emptying the log is tried while somebody reads in it, ten times a second.
_TRIES = 20
#: How many free pages one transaction gives back to the disk.
_PAGES = 1_000
#: An earlier time is only an order (`types.Time`), so that the event has no age.
_FIRST_CLOCK_MS = 100_000_000_000


class Before(NamedTuple):
    """The store as it was before: the last serial of what was forgotten, and the live events if they are to move."""

    view: View
    forgets: int
    events: pl.DataFrame = pl.DataFrame()
    last: int = 0


@contextmanager
def alone(folder: Path, patience_seconds: float = 0.0) -> Iterator[None]:
    """Let nobody else write history meanwhile; raises StoreError where somebody does."""
    lock = FileLock(folder / history.LOCK)
    try:
        try:
            lock.wait(patience_seconds)
        except StoreError:
            found = f"{folder} is being compacted, imported into or copied already"
            problem = Problem("STOR-10", found, "Expected one at a time", "Wait until it is done, then repeat")
            raise StoreError(problem) from None
        yield
    except Moved:  # by none of us
        raise damaged(folder, "the history that its database names is missing") from None
    finally:
        lock.close()


def compact(database: Database, keep_days: Mapping[str, float], now_ms: int) -> Compacted:
    """Move the live events into history; see the module."""
    with alone(database.folder, _PATIENCE_SECONDS):
        tidy(database)
        before = database.read(_look_at_all)
        done = rewrite(database, before, with_digests(before.events), before.last, _young(keep_days, now_ms))
        tidy(database)
        documents.tidy(database)
        if "impression" in keep_days:
            _drop_lists(database, now_ms - round(keep_days["impression"] * DAY_MS))
        _give_back(database)
        return done


def look(view: View) -> Before:
    """Remember how the store is."""
    return Before(view, view.connection.execute("SELECT max(serial) FROM forgotten").fetchone()[0] or 0)


def _look_at_all(view: View) -> Before:
    last = max(live.newest_seq(view.connection), view.head.covered)
    return look(view)._replace(events=live.read(view.connection, view.head.covered), last=last)


def rewrite(
    database: Database, before: Before, more: pl.DataFrame, covered: int, keep: pl.Expr, since: int | None = None
) -> Compacted:
    """Write history anew: with `more` (which has digests), without what `keep` does not hold for.

    The live events up to `covered` are in it then; `since` is the seq after which live events may be in `more` as
    well. The caller holds the lock.
    """
    number = before.view.head.history + 1
    merged = Merged(before.view, more, keep)
    try:
        history.write_events(database.folder, number, merged.pieces())
        history.write_hashes(database.folder, number, merged.digests(), merged.users())
        database.write(lambda connection: _switch(connection, database, before, merged, Head(number, covered), since))
    finally:
        with suppress(StoreError):  # what does not count now is rubbish: the old files, or the new ones
            history.remove_others(database.folder, database.read(lambda view: view.head).history)
    return Compacted(moved=merged.added, dropped=merged.dropped, history=merged.rows)


def _switch(
    connection: sqlite3.Connection, database: Database, before: Before, merged: Merged, head: Head, since: int | None
) -> None:
    """Let the new files count; what came or was forgotten while they were written is put right."""
    if since is not None:
        database.note(connection)
        rows = live.after(connection, since)
        double = contains(np.sort(merged.new_digests), event_digests(row[1:] for row in rows))
        live.remove(connection, [row[0] for row, again in zip(rows, double, strict=True) if again])
    live.set_state(connection, history=head.history, covered=head.covered, history_events=merged.rows)
    connection.execute("UPDATE forgotten SET history = 0 WHERE serial <= ?", (before.forgets,))
    connection.execute("UPDATE forgotten SET history = ? WHERE serial > ?", (head.history, before.forgets))
    database.moved(connection, head)


def tidy(database: Database) -> None:
    """Remove what an earlier compaction left: live rows that history holds, files that do not count."""
    head = database.read(lambda view: view.head)
    history.remove_others(database.folder, head.history)
    _chunks(database, "DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE seq <= ? LIMIT ?)", head.covered)
    query = "DELETE FROM block WHERE last_seq IN (SELECT last_seq FROM block WHERE last_seq <= ? LIMIT ?)"
    _chunks(database, query, head.covered, _BLOCKS)


def _drop_lists(database: Database, before_ms: int) -> None:
    _chunks(database, "DELETE FROM shown WHERE seq IN (SELECT seq FROM shown WHERE ts_ms < ? LIMIT ?)", before_ms)


def _chunks(database: Database, query: str, bound: int, rows: int | None = None) -> None:
    while database.write(lambda connection: connection.execute(query, (bound, rows or _CHUNK)).rowcount):
        sleep(_PAUSE_SECONDS)


def _give_back(database: Database) -> None:
    """Return free pages to the disk and empty the log, so that what was erased is nowhere any more."""

    def some(connection: sqlite3.Connection) -> int:
        connection.executescript(f"PRAGMA incremental_vacuum({_PAGES})")  # execute() would free a single page
        return int(connection.execute("PRAGMA freelist_count").fetchone()[0])

    while database.write(some, apart=True):
        sleep(_PAUSE_SECONDS)
    for _ in range(_TRIES):
        if database.checkpoint():
            break
        sleep(0.1)


def _young(keep_days: Mapping[str, float], now_ms: int) -> pl.Expr:
    """Return the condition for events that are not too old for their kind."""
    if not keep_days:
        return pl.lit(True)
    oldest = {kind: now_ms - round(days * DAY_MS) for kind, days in keep_days.items()}
    bound = pl.col("kind").replace_strict(oldest, default=_FIRST_CLOCK_MS, return_dtype=pl.Int64)
    return (pl.col("ts_ms") >= bound) | (pl.col("ts_ms") < _FIRST_CLOCK_MS)
