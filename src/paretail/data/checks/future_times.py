"""Events that have not happened yet."""

import polars as pl

from paretail.core.errors import Problem
from paretail.data.checks.base import Check, quarantined
from paretail.data.tables import Tables

#: 9999-12-31, the last day that can be written.
LAST_MS = 253_402_300_799_000


def check(tables: Tables) -> list[Problem]:
    """Tell of times more than a day after now."""
    rows = tables.faulty("events", "future_time")
    if not rows.height:
        return []
    latest = rows.select(
        pl.col("ts_ms").max().clip(upper_bound=LAST_MS).cast(pl.Datetime("ms")).dt.strftime("%Y-%m-%d")
    ).item()
    return quarantined(
        tables, "events", "future_time", "CHECK-05", what=f"lie in the future, as far as {latest}",
        expected="Events lie before now", do="Correct the clock of that source, or [data] time and timezone",
    )  # fmt: skip


CHECK = Check(check, "An event from the future stays the newest of its user for ever and decides what is recommended.")
