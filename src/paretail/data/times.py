"""Times: the shop's clock as milliseconds since 1970-01-01 UTC."""

import polars as pl

from paretail.data.cells import as_text
from paretail.data.config import Unit

#: Milliseconds in one unit, and units in one millisecond; larger counts are no time.
MS_OF = {"seconds": 1000, "milliseconds": 1}
PER_MS = {"microseconds": 1000, "nanoseconds": 1_000_000}
LARGEST = 9_000_000_000_000_000
ZONED = r"(?:Z|[+-]\d{2}:?\d{2}|UTC)$"
FORMATS = ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M")


def as_ts_ms(column: pl.Series, unit: Unit, timezone: str, time_format: str | None = None) -> pl.Series:
    """Return Int64 milliseconds; a cell that cannot be read is null.

    Dates and times that name no zone are in `timezone`; one that the zone skips in spring counts an hour later. With
    the unit `order` the numbers are kept as they are.
    """
    if column.dtype.is_temporal():
        return _of_datetime(column, timezone)
    if unit == "datetime":
        return _of_datetime(_parsed(as_text(column), time_format), timezone)
    if column.dtype.is_integer():
        whole = column.cast(pl.Int64, strict=False) // PER_MS.get(unit, 1)
        return whole.set(whole.abs() > LARGEST, None) * MS_OF.get(unit, 1)
    number = (column if column.dtype.is_numeric() else as_text(column)).cast(pl.Float64, strict=False).fill_nan(None)
    return (number * MS_OF.get(unit, 1) / PER_MS.get(unit, 1)).round().cast(pl.Int64, strict=False)


def unit_of(column: pl.Series) -> Unit | None:
    """Say what a column of times looks like; None where it cannot be told."""
    if column.dtype.is_temporal():
        return "datetime"
    number = as_text(column).cast(pl.Float64, strict=False).drop_nulls()
    if len(number) == 0:
        return "datetime" if _parsed(as_text(column), None).count() else None
    return _unit_of_size(float(number.median() or 0))  # type: ignore[arg-type]


def _unit_of_size(middle: float) -> Unit:
    """1990 is 6.3e8 in seconds, and a thousand times that in each finer unit."""
    for unit, start in (
        ("nanoseconds", 6.3e17),
        ("microseconds", 6.3e14),
        ("milliseconds", 6.3e11),
        ("seconds", 6.3e8),
    ):
        if start <= middle < 6.3 * start:
            return unit  # type: ignore[return-value]
    return "order"


def _of_datetime(column: pl.Series, timezone: str) -> pl.Series:
    moment = column.cast(pl.Datetime("ms")) if column.dtype == pl.Date else column.dt.cast_time_unit("ms")
    if getattr(moment.dtype, "time_zone", None) is None:
        moment = _in_zone(moment, timezone)
    return moment.dt.epoch("ms")


def _in_zone(moment: pl.Series, timezone: str) -> pl.Series:
    if timezone == "UTC":
        return moment.dt.replace_time_zone("UTC")
    zoned = moment.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
    if zoned.null_count() == moment.null_count():
        return zoned
    later = moment.dt.offset_by("1h").dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
    return zoned.zip_with(zoned.is_not_null(), later)


def _parsed(text: pl.Series, time_format: str | None) -> pl.Series:
    """Read ISO 8601 and its usual relatives; the form of the first cell decides for the column."""
    some = text.drop_nulls()
    if len(some) == 0 or time_format is not None:
        return text.str.to_datetime(time_format or "%F", strict=False, time_unit="ms")
    if some[0].endswith("UTC"):
        text = text.str.strip_suffix(" UTC") + "Z"
    if some.head(1).str.contains(ZONED)[0]:
        return _first_that_fits(text, (None, "%+", "%Y-%m-%d %H:%M:%S%.f%#z"), "UTC")
    return _first_that_fits(text, (None, *FORMATS), None)


def _first_that_fits(text: pl.Series, formats: tuple[str | None, ...], zone: str | None) -> pl.Series:
    best = pl.Series(text.name, [None] * len(text), pl.Datetime("ms", zone))
    for form in formats:
        try:
            tried = text.str.to_datetime(form, strict=False, time_unit="ms", time_zone=zone)
        except pl.exceptions.PolarsError:
            continue
        if tried.count() > best.count():
            best = tried
        if best.count() == text.count():
            break
    return best
