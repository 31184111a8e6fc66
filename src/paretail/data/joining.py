"""Joining: several sources of one table as one, with id maps, and a precedence for what two of them hold."""

from pathlib import Path
from typing import Any

import polars as pl

from paretail.core.errors import DataError, Problem
from paretail.data.cells import as_id
from paretail.data.config import Source, Table
from paretail.data.sources import read
from paretail.data.types import EVENT_COLUMNS

TWICE = "duplicate of another source"
PAIR_TWICE = "pair given twice"
#: What makes two rows of different sources the same thing.
KEYS: dict[Table, list[list[str]]] = {
    "events": [["event_id", "item_id"], ["user_id", "item_id", "kind", "ts_ms"]],
    "items": [["item_id"]],
    "users": [["user_id"]],
}


def with_mapped_ids(frame: pl.DataFrame, source: Source[Any], base: Path) -> pl.DataFrame:
    """Replace the ids that the source's maps name; others stay."""
    for path, columns in ((source.user_ids, ("user_id", "friend_id")), (source.item_ids, ("item_id", "parent_id"))):
        for column in [name for name in columns if path is not None and name in frame.columns]:
            table = _id_map(str(path), base)
            frame = frame.with_columns(pl.col(column).replace(table["from"], table["to"]))
    return frame


def _id_map(path: str, base: Path) -> pl.DataFrame:
    raw = read(Source(path=path), base).frame
    if not {"from", "to"} <= set(raw.columns):
        found = f"{path} has the columns {', '.join(raw.columns[:5])}"
        raise DataError(Problem("DATA-11", found, "An id map has the columns `from` and `to`", "Correct its header"))
    table = raw.select(as_id(raw["from"]), as_id(raw["to"])).drop_nulls().unique()
    if twice := table.filter(pl.col("from").is_duplicated()).height:
        found = f"{path}: {twice} rows map an id to more than one other"
        raise DataError(Problem("DATA-11", found, "One id maps to one id", "Leave one row for each `from`"))
    return table


def mark_joined(table: Table, frame: pl.DataFrame, clock: bool) -> pl.DataFrame:
    """Mark as `excluded` what a source before this one holds already; `part` numbers the sources by precedence."""
    if table == "links":
        return _mark_pairs(frame)
    if frame["_part"].n_unique() < 2:
        return frame
    for key in KEYS[table]:
        if "ts_ms" in key and not clock:
            continue
        counts = pl.all_horizontal(pl.col(name).is_not_null() for name in key) & pl.col("_excluded").is_null()
        first = pl.when(counts).then(pl.col("_part")).min().over(key)
        again = counts & (pl.col("_part") > first)
        frame = frame.with_columns(_excluded=pl.when(again).then(pl.lit(TWICE)).otherwise("_excluded"))
    return frame


def mark_duplicates(frame: pl.DataFrame) -> pl.DataFrame:
    """Mark as `excluded` every event that equals an earlier one in all of our columns."""
    counts = pl.col("_excluded").is_null()
    again = counts & ~pl.struct(*EVENT_COLUMNS, "_excluded").is_first_distinct()
    return frame.with_columns(_excluded=pl.when(again).then(pl.lit("drop_duplicates")).otherwise("_excluded"))


def _mark_pairs(frame: pl.DataFrame) -> pl.DataFrame:
    """A link has no direction, so that (a, b) and (b, a) are one."""
    pair = pl.struct(pl.min_horizontal("user_id", "friend_id"), b=pl.max_horizontal("user_id", "friend_id"))
    whole = pl.col("user_id").is_not_null() & pl.col("friend_id").is_not_null() & pl.col("_excluded").is_null()
    again = whole & ~pl.when(whole).then(pair).is_first_distinct()
    return frame.with_columns(_excluded=pl.when(again).then(pl.lit(PAIR_TWICE)).otherwise("_excluded"))
