"""Events that equal an earlier one in everything."""

import polars as pl

from paretail.core.errors import Problem
from paretail.data.checks.base import Check, place, share
from paretail.data.tables import Tables
from paretail.data.types import EVENT_COLUMNS

TOLERATED = 0.001


def check(tables: Tables) -> list[Problem]:
    """Warn where over 0.1 % are the same user, item, kind, time and all the rest; needs a clock to tell."""
    events = tables.events
    used = [name for name in EVENT_COLUMNS if events[name].null_count() < events.height]
    if tables.time != "clock" or not events.height:
        return []
    again = ~events.select(used).hash_rows().is_first_distinct()
    if (n := int(again.sum())) <= TOLERATED * events.height:
        return []
    found = f"events: {share(n, events.height)} rows equal an earlier one ({place(_first(events, again))})"
    do = "If they are one event logged twice, set [data] drop_duplicates = true; if not, leave them"
    return [Problem("CHECK-04", found, "Two events differ in time at least", do, "warn")]


def _first(events: pl.DataFrame, again: pl.Series) -> pl.DataFrame:
    return events[[int(again.arg_true()[0])]]


CHECK = Check(check, "What was logged twice counts twice: such items and users weigh too much, and sales look higher.")
