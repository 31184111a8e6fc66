"""Times that were read in the wrong unit."""

from datetime import UTC, datetime

import polars as pl

from paretail.core.clock import DAY_MS
from paretail.core.errors import Problem
from paretail.data.checks.base import Check
from paretail.data.tables import Tables

EARLIEST_MS = int(datetime(1995, 1, 1, tzinfo=UTC).timestamp() * 1000)

#: Milliseconds in one unit.
SCALES = {"seconds": 1000.0, "milliseconds": 1.0, "microseconds": 1e-3, "nanoseconds": 1e-6}


def check(tables: Tables) -> list[Problem]:
    """Fail where the middle of all times lies before 1995 or after next year."""
    late = tables.faulty("events", "future_time")["ts_ms"]
    times = pl.concat([tables.events["ts_ms"], late])
    if tables.time != "clock" or not len(times):
        return []
    middle = float(times.median() or 0)  # type: ignore[arg-type]
    if _plausible(middle, tables.now_ms):
        return []
    found = f'events: with time = "{tables.config.time or "datetime"}" half of the times lie beyond {_words(middle)}'
    return [Problem("CHECK-06", found, "Expected times between 1995 and now", _advice(middle, tables))]


def _advice(middle: float, tables: Tables) -> str:
    read = SCALES.get(tables.config.time or "", 1.0)
    if tables.config.time == "datetime":
        return 'Correct the column in the export, or set [data] time = "none"'
    fitting = [unit for unit, scale in SCALES.items() if _plausible(middle / read * scale, tables.now_ms)]
    return f'Set [data] time = "{fitting[0] if fitting else "order"}"'


def _plausible(ts_ms: float, now_ms: int) -> bool:
    return EARLIEST_MS <= ts_ms <= now_ms + 365 * DAY_MS


def _words(ts_ms: float) -> str:
    seconds = min(ts_ms / 1000, 253_402_300_799)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


CHECK = Check(check, "Recency, trends, splits by time and sessions would all be computed from wrong distances.")
