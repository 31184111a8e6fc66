"""The lists that were shown, one row a list."""

import json
import sqlite3
from collections.abc import Sequence

import polars as pl

from paretail.data.stores.base import ANSWER_COLUMNS, Entry, Shown
from paretail.data.stores.live import frame
from paretail.data.types import EVENT_COLUMNS

COLUMNS = ", ".join(ANSWER_COLUMNS)
_INSERT = f"INSERT OR IGNORE INTO shown({COLUMNS}) VALUES ({', '.join('?' * len(ANSWER_COLUMNS))})"
#: Everybody who is the same person, by merges in either direction; who of them counts, and their first list.
_PERSON = """
WITH RECURSIVE person(id) AS (
  VALUES (?) UNION SELECT merge.visitor_id FROM merge JOIN person ON merge.user_id = person.id
  UNION SELECT merge.user_id FROM merge JOIN person ON merge.visitor_id = person.id)
"""
_FIRST = (
    f"{_PERSON} SELECT coalesce(drawn_by, user_id), arm FROM shown "
    "WHERE user_id IN (SELECT id FROM person) AND experiment = ? AND arm IS NOT NULL ORDER BY ts_ms, seq LIMIT 1"
)
_ROOT = f"{_PERSON} SELECT id FROM person WHERE id NOT IN (SELECT visitor_id FROM merge)"
#: The placement of an impression, which `impressions` keeps in its name; null where it has another name.
PLACEMENT = (
    pl.when(
        pl.col("event_id").str.starts_with(pl.col("request_id") + "/")
        & pl.col("event_id").str.ends_with(pl.format("/{}", "position"))
    )
    .then(
        pl.col("event_id").str.strip_prefix(pl.col("request_id") + "/").str.strip_suffix(pl.format("/{}", "position"))
    )
    .alias("placement")
)
_FLAT = {**ANSWER_COLUMNS, "item_ids": pl.String(), "propensities": pl.String()}


def packed(shown: Shown) -> tuple[object, ...]:
    """Return the row of a list, its items and propensities as JSON."""
    items = json.dumps(list(shown.item_ids), ensure_ascii=False)
    odds = None if shown.propensities is None else json.dumps(list(shown.propensities))
    return (*shown._replace(item_ids=items, propensities=odds),)  # type: ignore[arg-type]  # JSON in their places


def insert(connection: sqlite3.Connection, rows: Sequence[tuple[object, ...]]) -> None:
    """Add rows of `packed`; one whose request and placement are known is left out."""
    connection.executemany(_INSERT, rows)


def read(connection: sqlite3.Connection, since_ms: int, until_ms: int) -> pl.DataFrame:
    """Return the lists with since <= ts_ms < until as ANSWER_COLUMNS, by time."""
    query = f"SELECT {COLUMNS} FROM shown WHERE ts_ms >= ? AND ts_ms < ? ORDER BY ts_ms, seq"
    flat = frame(connection.execute(query, (since_ms, until_ms)), _FLAT)
    told = flat.with_columns(
        pl.col(name).str.json_decode(ANSWER_COLUMNS[name]) for name in ("item_ids", "propensities")
    )
    own = pl.when(pl.col("arm").is_not_null()).then(pl.coalesce("drawn_by", "user_id"))
    return told.with_columns(own.alias("drawn_by"))


def entry(connection: sqlite3.Connection, user_id: str, experiment: str) -> Entry:
    """Return how a user is in an experiment, see `Store.entry`."""
    first = connection.execute(_FIRST, (user_id, experiment)).fetchone()
    return Entry(*(first or connection.execute(_ROOT, (user_id,)).fetchone()))


def of_session(connection: sqlite3.Connection, session_id: str) -> list[str]:
    """Return the distinct items that a session was shown, in the order of their first showing."""
    rows = connection.execute("SELECT item_ids FROM shown WHERE session_id = ? ORDER BY seq", (session_id,))
    return list(dict.fromkeys(item for (items,) in rows for item in json.loads(items)))


def to_user(connection: sqlite3.Connection, user_id: str, most: int) -> list[tuple[int, str]]:
    """Return (ts_ms, item_id) of the newest lists of a user, or of a session without user, of `most` items or more."""
    found: list[tuple[int, str]] = []
    for whose in ("user_id = ?", "session_id = ? AND user_id IS NULL"):
        rows = connection.execute(f"SELECT ts_ms, item_ids FROM shown WHERE {whose} ORDER BY seq DESC", (user_id,))
        left = most
        while left > 0 and (row := rows.fetchone()) is not None:
            items = json.loads(row[1])
            found += [(row[0], item) for item in items]
            left -= len(items)
    return found


def impressions(answers: pl.DataFrame) -> pl.DataFrame:
    """Return lists as events of kind "impression", one an item; a list of neither user nor session is left out."""
    answers = answers.with_columns(
        pl.coalesce("user_id", "session_id").alias("user_id"),
        pl.int_ranges(1, pl.col("item_ids").list.len() + 1).alias("position"),
        pl.when(pl.col("propensities").is_null())
        .then(pl.lit(1.0).repeat_by(pl.col("item_ids").list.len()))
        .otherwise(pl.col("propensities"))
        .alias("propensity"),
    ).filter(pl.col("user_id").is_not_null() & (pl.col("item_ids").list.len() > 0))
    rows = answers.explode("item_ids", "position", "propensity").rename({"item_ids": "item_id"})
    event_id = pl.format("{}/{}/{}", "request_id", "placement", "position")
    rows = rows.with_columns(pl.lit("impression").alias("kind"), event_id.alias("event_id"))
    missing = [pl.lit(None, dtype=kind).alias(name) for name, kind in EVENT_COLUMNS.items() if name not in rows.columns]
    return rows.with_columns(missing).select(pl.col(name).cast(kind) for name, kind in EVENT_COLUMNS.items())
