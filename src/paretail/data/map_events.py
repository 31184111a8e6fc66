"""Events: the shop's rows in our columns, words and units; what cannot be read is marked, nothing is dropped."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from paretail.core.errors import Problem
from paretail.data.amounts import price_minor, without_rate
from paretail.data.cells import as_id, as_number, as_text, first_unreadable
from paretail.data.columns import EventColumns
from paretail.data.config import DataConfig, Source, Unit
from paretail.data.exclude import excluded, rules_for
from paretail.data.presets import preset_of
from paretail.data.resolve import Columns
from paretail.data.sources.raw import FILE, LINE
from paretail.data.times import as_ts_ms, unit_of
from paretail.data.types import EVENT_COLUMNS
from paretail.data.words import IGNORED, kind_of, unknown_meanings

#: Beside EVENT_COLUMNS: the shop's word, its currency, which cell could not be read, the rule that leaves the row out.
EXTRA: Mapping[str, pl.DataType] = {
    "word": pl.String(), "currency": pl.String(), "_unreadable": pl.String(), "_excluded": pl.String(),
    FILE: pl.Categorical(), LINE: pl.Int64(),
}  # fmt: skip
IDS = ("user_id", "item_id", "event_id", "order_id", "request_id")
NUMBERS: Mapping[str, pl.DataType] = {
    "quantity": pl.Float64(), "position": pl.Int32(), "propensity": pl.Float64(), "dwell_ms": pl.Int64(),
}  # fmt: skip


@dataclass(frozen=True)
class Mapped:
    """The mapped rows in the order of the raw ones, and what is wrong with the columns.

    `lacking`: see `Columns`.
    """

    frame: pl.DataFrame
    problems: tuple[Problem, ...] = ()
    lacking: Mapping[str, Problem] | None = None
    unit: Unit = "none"


def map_events(raw: pl.DataFrame, source: Source[EventColumns], config: DataConfig) -> Mapped:
    """Map one source; `raw` has one row an event and item already."""
    columns = Columns(raw, "events", source, config)
    unit, problems = _unit(columns, source, config)
    cells, given = _cells(columns, unit, source, config)
    cells["word"] = _words(columns, source, config)
    cells["kind"] = kind_of(cells["word"], source, config)
    cells["_unreadable"] = first_unreadable(given, cells, raw.height)
    frame = _whole(raw, cells)
    left_out = _left_out(frame, excluded(raw, rules_for("events", columns, config), source.decimal), config)
    problems += [*columns.problems, *_absent(columns, source, config), *unknown_meanings(source, config)]
    return Mapped(left_out, tuple(problems), columns.lacking, unit)


def _cells(
    columns: Columns, unit: Unit, source: Source[EventColumns], config: DataConfig
) -> tuple[dict[str, pl.Series], dict[str, pl.Series]]:
    """Return the mapped cells, and the raw ones of those that can be unreadable."""
    cells = {field: as_id(column) for field in IDS if (column := columns.get(field)) is not None}
    given = {field: column for field in NUMBERS if (column := columns.get(field)) is not None}
    cells |= {
        field: as_number(column, source.decimal).cast(NUMBERS[field], strict=False) for field, column in given.items()
    }
    if (price := columns.get("price")) is not None:
        cells["currency"], cells["price_minor"] = price_minor(price, columns.get("currency"), source, config)
        given["price_minor"] = price.set(without_rate(cells["currency"], config), None)
    if unit != "none" and (ts := columns.get("ts")) is not None:
        cells["ts_ms"] = as_ts_ms(ts, unit, config.timezone, source.time_format or config.time_format)
        given["ts_ms"] = ts
    elif unit == "order":
        cells["ts_ms"] = columns.frame[LINE]
    return cells, given


def _unit(columns: Columns, source: Source[EventColumns], config: DataConfig) -> tuple[Unit, list[Problem]]:
    unit = source.time or config.time
    ts = columns.get("ts")
    named = getattr(source.columns, "ts", None) or config.columns.events.ts
    if unit in ("none", "order") or (ts is None and unit is None and named is None):
        return unit or "none", []
    if ts is None:
        found = f"{columns.where}: no column {named or 'ts'!r} for the time, and time = {unit!r}"
        do = 'Name it in [data.columns.events] ts, or set [data] time = "none"'
        return "none", [Problem("DATA-08", found, "Expected a column of times", do)]
    unit = unit or preset_of(source, config).time
    if unit is None and (seen := unit_of(ts.head(10_000))) != "datetime":
        if ts.name == "ts_ms":
            return "milliseconds", []  # a column of our own says its unit
        found = f"{columns.where}: the times in {columns.of('ts')!r} are numbers (first: {ts.head(1).to_list()})"
        expected = f"They look like {seen or 'nothing known'}, but numbers must be told what they mean"
        return "none", [Problem("DATA-08", found, expected, f'Set [data] time = "{seen or "seconds"}"')]
    return unit or "datetime", []


def _absent(columns: Columns, source: Source[EventColumns], config: DataConfig) -> list[Problem]:
    needed = [
        field for field in ("user_id", "item_id", "event") if field not in columns and field not in columns.lacking
    ]
    if source.kind or config.kind:
        needed = [field for field in needed if field != "event"]
    there = ", ".join(columns.rest()[:12]) or "none"
    return [_missing(field, columns.where, there) for field in needed]


def _missing(field: str, where: str, there: str) -> Problem:
    do = f'Name it: [data.columns.events] {field} = "..."'
    if field == "event":
        do += ', or say what every row is: [data] kind = "purchase"'
    return Problem("DATA-09", f"{where}: no column for {field}", f"Columns not used yet: {there}", do)


def _words(columns: Columns, source: Source[EventColumns], config: DataConfig) -> pl.Series:
    found = columns.get("event")
    if found is not None:
        return as_text(found)
    return pl.Series([source.kind or config.kind], dtype=pl.String).new_from_index(0, columns.frame.height)


def _whole(raw: pl.DataFrame, cells: Mapping[str, pl.Series]) -> pl.DataFrame:
    schema = {**EVENT_COLUMNS, **EXTRA}
    cells = {**cells, FILE: raw[FILE], LINE: raw[LINE]}
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in cells]
    frame = pl.DataFrame([column.alias(name) for name, column in cells.items()]).with_columns(missing)
    if "ts_ms" not in cells:
        frame = frame.with_columns(ts_ms=pl.lit(0, pl.Int64))
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _left_out(frame: pl.DataFrame, by_rule: pl.Series, config: DataConfig) -> pl.DataFrame:
    """Apply the rules that have a switch of their own, after the named ones; refunds carry no sign."""
    frame = frame.with_columns(by_rule.alias("_excluded"))
    tests = {"kind = ignore": pl.col("kind") == IGNORED}
    if config.drop_negative_price:
        tests["drop_negative_price"] = pl.col("price_minor") < 0
    if config.drop_negative_quantity:
        tests["drop_negative_quantity"] = pl.col("quantity") < 0
    for name, test in tests.items():
        takes = pl.col("_excluded").is_null() & test.fill_null(False)
        frame = frame.with_columns(_excluded=pl.when(takes).then(pl.lit(name)).otherwise("_excluded"))
    back = pl.col("kind") == "refund"
    if config.negative_quantity_is_refund:
        back = back | (pl.col("quantity") < 0).fill_null(False)
    kind = pl.when(back).then(pl.lit("refund")).otherwise("kind")
    size = [pl.when(back).then(pl.col(name).abs()).otherwise(name).alias(name) for name in ("quantity", "price_minor")]
    return frame.with_columns(kind.alias("kind"), *size)
