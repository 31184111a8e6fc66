"""Items, users and links: the shop's rows in our columns, with its own attributes."""

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from paretail.core.errors import Problem
from paretail.data.amounts import price_minor, without_rate
from paretail.data.attributes import as_attribute
from paretail.data.cells import as_flag, as_id, as_number, as_path, as_text, first_unreadable
from paretail.data.config import DataConfig, Source, Table
from paretail.data.exclude import excluded, rules_for
from paretail.data.map_events import Mapped
from paretail.data.resolve import Columns
from paretail.data.sources.raw import FILE, LINE
from paretail.data.times import as_ts_ms, unit_of

#: Beside the table's own columns.
EXTRA = ("currency", "_unreadable", "_excluded", FILE, LINE)
IDS: Mapping[Table, tuple[str, ...]] = {"items": ("item_id",), "users": ("user_id",), "links": ("user_id", "friend_id")}


def map_table(table: Table, raw: pl.DataFrame, source: Source[Any], config: DataConfig) -> Mapped:
    """Map one source of items, users or links."""
    columns = Columns(raw, table, source, config)
    missing = [field for field in IDS[table] if field not in columns and field not in columns.lacking]
    problems = [*columns.problems, *(_absent(field, table, columns) for field in missing)]
    cells = {field: as_id(column) for field in IDS[table] if (column := columns.get(field)) is not None}
    given: dict[str, pl.Series] = {}
    if table == "items":
        cells, given = _item_cells(cells, columns, source, config)
    cells |= {_free(name, cells): as_attribute(raw[name]) for name in columns.rest() if table != "links"}
    frame = pl.DataFrame([column.alias(name) for name, column in cells.items()])
    lost = first_unreadable(given, cells, raw.height)
    rules = excluded(raw, rules_for(table, columns, config), source.decimal)
    ids = [pl.lit(None, pl.String).alias(field) for field in IDS[table] if field not in cells]
    frame = frame.with_columns(lost, rules, raw[FILE], raw[LINE], *ids)
    return Mapped(frame if "currency" in frame.columns else frame.with_columns(currency=pl.lit(None, pl.String)),
                  tuple(problems), columns.lacking)  # fmt: skip


def _item_cells(
    cells: dict[str, pl.Series], columns: Columns, source: Source[Any], config: DataConfig
) -> tuple[dict[str, pl.Series], dict[str, pl.Series]]:
    """Return the mapped cells, and the raw ones of those that can be unreadable."""
    readers: Mapping[str, Callable[[pl.Series], pl.Series]] = {
        "parent_id": as_id, "title": as_text, "brand": as_text, "category": as_path, "in_stock": as_flag,
        "margin": lambda column: as_number(column, source.decimal),
        "created": lambda column: _created(column, source, config),
    }  # fmt: skip
    given = {field: column for field in readers if (column := columns.get(field)) is not None}
    cells |= {field: readers[field](column) for field, column in given.items()}
    if (price := columns.get("price")) is not None:
        cells["currency"], cells["price_minor"] = price_minor(price, columns.get("currency"), source, config)
        given["price_minor"] = price.set(without_rate(cells["currency"], config), None)
    if "created" in cells:
        cells["created_ts_ms"] = cells.pop("created")
        given["created_ts_ms"] = given.pop("created")
    readable = ("in_stock", "margin", "price_minor", "created_ts_ms")
    return cells, {field: column for field, column in given.items() if field in readable}


def _created(column: pl.Series, source: Source[Any], config: DataConfig) -> pl.Series:
    seen = unit_of(column.head(10_000)) or "datetime"
    ours = column.name == "created_ts_ms" and seen != "datetime"  # a column of our own says its unit
    unit = source.time or ("milliseconds" if ours else seen)
    return as_ts_ms(column, unit, config.timezone, source.time_format or config.time_format)


def _free(name: str, taken: Mapping[str, pl.Series]) -> str:
    """Return the name of an attribute; one that another column of the shop has taken gets `own_` before it."""
    return f"own_{name}" if name in taken else name


def _absent(field: str, table: Table, columns: Columns) -> Problem:
    there = ", ".join(columns.rest()[:12]) or "none"
    do = f'Name it: [data.columns.{table}] {field} = "..."'
    return Problem("DATA-09", f"{columns.where}: no column for {field}", f"Columns not used yet: {there}", do)
