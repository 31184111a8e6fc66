"""RecBole atomic files (.inter, .user, .item, .net, .link): tab-separated, with the type of a column in its header.

Source: Zhao et al., RecBole: Towards a Unified, Comprehensive and Efficient Framework for Recommendation Algorithms,
2021, arXiv:2011.01731, section 3.1. Types: token, token_seq, float, float_seq; sequences are separated by spaces.
Deviations: `timestamp`, `source_id` and `target_id` take our names; a column without a type is refused.
"""

from typing import Any

import polars as pl

from paretail.core.errors import DataError, Problem, nearest
from paretail.data.config import Source
from paretail.data.sources import csv
from paretail.data.sources.raw import FILE, LINE, Raw

TYPES = ("token", "token_seq", "float", "float_seq")
#: RecBole's customary names -> ours.
NAMES = {"timestamp": "ts", "source_id": "user_id", "target_id": "friend_id"}


def read(location: str, source: Source[Any], limit: int | None = None) -> Raw:
    """Read one atomic file; columns lose the type from their name and take it."""
    raw = csv.read(location, source.model_copy(update={"separator": source.separator or "\t"}), limit)
    columns = [column for column in raw.frame.columns if column not in (FILE, LINE)]
    return Raw(raw.frame.select(*(_typed(column, location) for column in columns), FILE, LINE), raw.broken)


def _typed(column: str, location: str) -> pl.Expr:
    name, _, kind = column.rpartition(":")
    if kind not in TYPES or not name:
        expected = f"Expected name:type, the type {nearest(kind, TYPES)}"
        found = f"{location}: the header cell {column!r} has no type"
        raise DataError(Problem("DATA-04", found, expected, "Correct the header"))
    cell = pl.col(column)
    if kind.endswith("_seq"):
        cell = cell.str.split(" ")
    if kind == "float":
        cell = cell.cast(pl.Float64, strict=False)
    elif kind == "float_seq":
        cell = cell.cast(pl.List(pl.Float32), strict=False)
    return cell.alias(NAMES.get(name, name))
