"""Many events at once: they go straight to history."""

import sqlite3
from hashlib import blake2b

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.errors import Problem
from paretail.data.stores import live
from paretail.data.stores.base import StoreError
from paretail.data.stores.compaction import alone, look, rewrite, tidy
from paretail.data.stores.database import Database
from paretail.data.stores.merged import with_digests
from paretail.data.types import EVENT_COLUMNS

#: How long an import waits for a compaction, a backup or another import.
PATIENCE_SECONDS = 600.0
_NEEDED = ("user_id", "item_id", "kind", "ts_ms")


def import_events(database: Database, events: pl.DataFrame) -> int:
    """Add events to history at once, all or none; return how many were new."""
    told = with_digests(identified(_checked(events)))
    with alone(database.folder, PATIENCE_SECONDS):
        tidy(database)
        before = database.read(look)
        known, since = database.write(lambda connection: _known(connection, database, told))
        fresh = told.filter(~pl.Series(known) & told["digest"].is_first_distinct())
        fresh = fresh.filter(~_erased(fresh, database.read(lambda view: view.forgotten())))
        if fresh.is_empty():
            return 0
        return rewrite(database, before, fresh, before.view.head.covered, pl.lit(True), since).moved


def _known(connection: sqlite3.Connection, database: Database, told: pl.DataFrame) -> tuple[NDArray[np.bool_], int]:
    """Say which events are there already, and up to which seq they were looked for."""
    return database.known(connection, told["digest"].to_numpy()), live.newest_seq(connection)


def identified(events: pl.DataFrame) -> pl.DataFrame:
    """Give each event without event_id one that follows from its content, and from how many equal ones came before.

    The same rows in any order, and the same file twice, make the same ids.
    """
    nameless = events.filter(pl.col("event_id").is_null())
    if nameless.is_empty():
        return events
    rows = nameless.drop("event_id").iter_rows()
    encode = msgspec.json.Encoder().encode
    names = pl.DataFrame({"name": [blake2b(encode(row), digest_size=16).hexdigest() for row in rows]})
    if names["name"].n_unique() < names.height:
        before = pl.int_range(pl.len()).over("name")
        later = pl.format("{}-{}", "name", before)
        names = names.select(pl.when(before == 0).then("name").otherwise(later).alias("name"))
    places = np.flatnonzero(events["event_id"].is_null())
    return events.with_columns(events["event_id"].scatter(places, names["name"]))


def _checked(events: pl.DataFrame) -> pl.DataFrame:
    """Return exactly EVENT_COLUMNS; raises StoreError where a column is of another type or one that is needed lacks."""
    missing = [name for name in EVENT_COLUMNS if name not in events.columns]
    whole = events.with_columns(pl.lit(None, dtype=EVENT_COLUMNS[name]).alias(name) for name in missing)
    try:
        whole = whole.select(pl.col(name).cast(kind) for name, kind in EVENT_COLUMNS.items())
    except pl.exceptions.PolarsError as error:
        raise _unfit(str(error).splitlines()[0]) from None
    if empty := {name: count for name in _NEEDED if (count := whole[name].null_count())}:
        told = ", ".join(f"{count:,} without {name}" for name, count in empty.items())
        raise _unfit(f"of {whole.height:,} events {told}")
    return whole


def _unfit(why: str) -> StoreError:
    expected = "Expected user_id, item_id, kind and ts_ms in each row, in the types of an imported file"
    return StoreError(
        Problem("STOR-11", f"events cannot be imported: {why}", expected, "paretail check names the rows")
    )


def _erased(events: pl.DataFrame, forgotten: dict[str, int]) -> pl.Series:
    until = events["user_id"].replace_strict(forgotten, default=None, return_dtype=pl.Int64)
    return (events["ts_ms"] <= until).fill_null(False)
