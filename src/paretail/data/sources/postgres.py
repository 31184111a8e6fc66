"""PostgreSQL: the rows of a query, streamed through a server-side cursor."""

import json
import os
import re
from typing import Any

import polars as pl

from paretail.core.errors import DataError, Problem
from paretail.data.config import Source
from paretail.data.sources.raw import Raw, placed

BATCH = 50_000
#: Type oids of PostgreSQL (pg_type.h) -> ours; anything else arrives as text.
TYPES: dict[int, pl.DataType] = {
    16: pl.Boolean(), 20: pl.Int64(), 21: pl.Int64(), 23: pl.Int64(), 700: pl.Float64(), 701: pl.Float64(),
    1082: pl.Date(), 1114: pl.Datetime("us"), 1184: pl.Datetime("us", "UTC"),
    1000: pl.List(pl.Boolean()), 1005: pl.List(pl.Int64()), 1007: pl.List(pl.Int64()), 1016: pl.List(pl.Int64()),
    1021: pl.List(pl.Float32()), 1022: pl.List(pl.Float32()), 1009: pl.List(pl.String()), 1015: pl.List(pl.String()),
}  # fmt: skip


def read(location: str, source: Source[Any], limit: int | None = None) -> Raw:
    """Run the query of `source` at the URL `location`; needs the extra `postgres`."""
    try:
        import psycopg
    except ImportError:
        found = f"{source.label} needs a PostgreSQL driver"
        do = "Install it: pip install 'paretail[postgres]'"
        raise DataError(Problem("DATA-05", found, "The extra `postgres` is not installed", do)) from None
    try:
        with psycopg.connect(_with_secrets(location)) as connection, connection.cursor("paretail") as cursor:
            cursor.itersize = BATCH
            cursor.execute(_query(source, limit))
            return Raw(placed(_rows(cursor), source.label))
    except psycopg.Error as error:
        reason = re.sub(r"://[^@/\s]*@", "://", str(error)).splitlines()[0]
        found = f"{source.label} failed: {reason}"
        do = "Correct url or query in [data]"
        raise DataError(Problem("DATA-06", found, "Expected a query that runs and returns rows", do)) from None


def _query(source: Source[Any], limit: int | None) -> bytes:
    query = str(source.query).strip().rstrip(";")
    return (query if limit is None else f"select * from ({query}) as looked_at limit {limit}").encode()


def _rows(cursor: Any) -> pl.DataFrame:
    schema = {column.name: TYPES.get(column.type_code, pl.String()) for column in cursor.description}
    text = [n for n, dtype in enumerate(schema.values()) if dtype == pl.String()]
    parts = [pl.DataFrame(schema=schema)]
    while batch := cursor.fetchmany(BATCH):
        rows = [_as_text(list(row), text) for row in batch]
        parts.append(pl.DataFrame(rows, schema, orient="row"))
    return pl.concat(parts)


def _as_text(row: list[Any], text: list[int]) -> list[Any]:
    """Turn what polars has no type for (numeric, uuid, jsonb) into text."""
    for n in text:
        if row[n] is not None and not isinstance(row[n], str):
            row[n] = json.dumps(row[n], default=str) if isinstance(row[n], dict | list) else str(row[n])
    return row


def _with_secrets(url: str) -> str:
    """Replace `$NAME` by that environment variable, so that a password need not stand in a file."""
    missing = [name for name in re.findall(r"\$(\w+)", url) if name not in os.environ]
    if missing:
        found = f"the environment variable {missing[0]} is not set"
        raise DataError(Problem("DATA-06", found, "The url of a source names it", f"Set it: export {missing[0]}=..."))
    return re.sub(r"\$(\w+)", lambda match: os.environ[match[1]], url)
