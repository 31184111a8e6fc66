"""Times that are dates only."""

import polars as pl

from paretail.core.clock import DAY_MS
from paretail.core.errors import Problem
from paretail.data.checks.base import Check
from paretail.data.tables import Tables

ENOUGH = 100


def check(tables: Tables) -> list[Problem]:
    """Warn where all times of over 100 events are at one time of day."""
    events = tables.events
    if tables.time != "clock" or events.height < ENOUGH:
        return []
    if events.select((pl.col("ts_ms") % DAY_MS).n_unique()).item() > 2:  # two: a zone with summer time
        return []
    found = f"events: all {events.height:,} times are at the same hour of the day"
    do = "Import the time of day as well if the shop has it"
    return [Problem("CHECK-25", found, "Expected times of day", do, "warn")]


CHECK = Check(check, "Within a day the order of events is that of the file, so what follows what is partly guessed.")
