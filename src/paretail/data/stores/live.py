"""The live events: rows of the database that are not in history yet."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import msgspec
import polars as pl

from paretail.data.stores.base import StoredEvent
from paretail.data.types import EVENT_COLUMNS

COLUMNS = ", ".join(EVENT_COLUMNS)
_ROW = f"({', '.join('?' * len(EVENT_COLUMNS))})"
#: How many rows one statement adds: half the work of one by one.
_ROWS = (50, 5, 1)
_INSERTS = {rows: f"INSERT INTO event({COLUMNS}) VALUES {', '.join([_ROW] * rows)}" for rows in _ROWS}

#: How many rows one query reads: bounds the memory of a query's answer.
_WINDOW = 250_000


class Head(NamedTuple):
    """Where history ends: the number of its file (0: none), and the highest seq that it holds."""

    history: int
    covered: int


def head(connection: sqlite3.Connection) -> Head:
    """Return the head that `connection` sees."""
    state = read_state(connection)
    return Head(state["history"], state["covered"])


def read_state(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the store's own numbers by name."""
    return dict(connection.execute("SELECT name, value FROM state"))


def add_state(connection: sqlite3.Connection, **more: int) -> None:
    """Add to numbers of the store."""
    connection.executemany("UPDATE state SET value = value + ? WHERE name = ?", [(n, name) for name, n in more.items()])


def set_state(connection: sqlite3.Connection, **values: int) -> None:
    """Set numbers of the store."""
    connection.executemany("UPDATE state SET value = ? WHERE name = ?", [(n, name) for name, n in values.items()])


def present(connection: sqlite3.Connection, seqs: Iterable[int]) -> list[tuple[str, str]]:
    """Return event_id and item_id of the events with `seqs` that are there."""
    query = "SELECT event_id, item_id FROM event WHERE seq IN (SELECT value FROM json_each(?))"
    return connection.execute(query, (json.dumps(list(seqs)),)).fetchall()


def after(connection: sqlite3.Connection, seq: int) -> list[tuple[int, str, str]]:
    """Return seq, event_id and item_id of the events beyond `seq`."""
    return connection.execute("SELECT seq, event_id, item_id FROM event WHERE seq > ?", (seq,)).fetchall()


def newest_seq(connection: sqlite3.Connection) -> int:
    """Return the seq of the newest live event, 0 where there is none."""
    return connection.execute("SELECT max(seq) FROM event").fetchone()[0] or 0


def insert(connection: sqlite3.Connection, events: Sequence[StoredEvent]) -> int:
    """Add `events`, and return the seq of the last."""
    done = 0
    for rows in _ROWS:
        while len(events) - done >= rows:
            connection.execute(_INSERTS[rows], tuple(chain.from_iterable(events[done : done + rows])))
            done += rows
    return int(connection.execute("SELECT last_insert_rowid()").fetchone()[0])


def at(connection: sqlite3.Connection, seqs: Iterable[int], impressions: bool = False) -> list[StoredEvent]:
    """Return the events with `seqs` that are there, oldest first: without impressions, or these alone."""
    query = (
        f"SELECT {COLUMNS} FROM event WHERE seq IN (SELECT value FROM json_each(?)) "
        f"AND kind {'=' if impressions else '<>'} 'impression' ORDER BY ts_ms, seq"
    )
    return [StoredEvent._make(row) for row in connection.execute(query, (json.dumps(list(seqs)),))]


def read(
    connection: sqlite3.Connection, covered: int, columns: Sequence[str] = tuple(EVENT_COLUMNS), where: str = "true",
    values: Sequence[object] = (),
) -> pl.DataFrame:  # fmt: skip
    """Return the live events beyond `covered` in the order in which they came.

    SQLite makes one JSON text a column, which takes a third of the time of a million rows of Python's.
    """
    newest = newest_seq(connection)
    bounds = ((first, min(first + _WINDOW, newest)) for first in range(covered, newest, _WINDOW))
    windows = (_window(connection, first, last, columns, where, values) for first, last in bounds)
    empty = pl.DataFrame(schema={name: EVENT_COLUMNS[name] for name in columns})
    return pl.concat([empty, *windows], rechunk=True)


def _window(
    connection: sqlite3.Connection, after: int, last: int, columns: Sequence[str], where: str, values: Sequence[object]
) -> pl.DataFrame:
    rows = f"FROM event WHERE seq > {after} AND seq <= {last} AND {where}"  # a range of rowids: read in their order
    asked = [f"json_group_array({_exactly(name)}), {_count(name)}" for name in columns]
    found = connection.execute(f"SELECT {', '.join(asked)} {rows}", values).fetchone()
    series = []
    for name, text, losing in zip(columns, found[::2], found[1::2], strict=True):
        column = pl.Series(name, msgspec.json.decode(text), dtype=EVENT_COLUMNS[name])
        if losing:
            query = f"SELECT place, {name} FROM (SELECT row_number() OVER (ORDER BY seq) - 1 AS place, {name} {rows})"
            missing = connection.execute(f"{query} WHERE {_loses(name)}", values).fetchall()
            column = column.scatter([place for place, _ in missing], [number for _, number in missing])
        series.append(column)
    return pl.DataFrame(series)


def _exactly(name: str) -> str:
    """Return a column as JSON can tell it: a number that would lose digits is left out for now."""
    return f"CASE WHEN NOT ({_loses(name)}) THEN CAST({name} AS INTEGER) END" if _is_float(name) else name


def _count(name: str) -> str:
    """Return how many numbers of a column would lose digits."""
    return f"total({_loses(name)})" if _is_float(name) else "0"


def _loses(name: str) -> str:
    """Return the condition under which a number loses digits when SQLite writes it: it writes 15."""
    return f"abs({name}) >= 1e15 OR {name} <> CAST({name} AS INTEGER)"


def _is_float(name: str) -> bool:
    return EVENT_COLUMNS[name] == pl.Float64()


def frame(rows: Iterable[tuple[object, ...]], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """Make a table of `rows`, column by column: much faster than row by row."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pl.DataFrame(
        [pl.Series(name, column, dtype=kind) for (name, kind), column in zip(schema.items(), columns, strict=True)]
    )


def remove(connection: sqlite3.Connection, seqs: Iterable[int]) -> None:
    """Remove the events with `seqs`."""
    connection.execute("DELETE FROM event WHERE seq IN (SELECT value FROM json_each(?))", (json.dumps(list(seqs)),))


def erase(connection: sqlite3.Connection, seqs: Iterable[int], users: str) -> None:
    """Remove the events with `seqs` that are of the users whom the query `users` names."""
    query = f"DELETE FROM event WHERE seq IN (SELECT value FROM json_each(?)) AND user_id IN {users}"
    connection.execute(query, (json.dumps(list(seqs)),))
