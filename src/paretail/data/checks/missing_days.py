"""Days on which the log is silent."""

from datetime import date, timedelta

import polars as pl

from paretail.core.errors import Problem
from paretail.data.checks.base import Check
from paretail.data.tables import Tables

#: Below so many events on a usual day, a day without one is chance.
USUAL = 20


def check(tables: Tables) -> list[Problem]:
    """Warn of days in the shop's zone without an event, but for weekdays on which the shop never has any."""
    if tables.time != "clock" or not tables.events.height:
        return []
    moment = pl.from_epoch("ts_ms", time_unit="ms").dt.replace_time_zone("UTC")
    local = moment.dt.convert_time_zone(tables.config.timezone).dt.date().alias("day")
    counts = tables.events.lazy().group_by(local).len().collect()
    days = dict(counts.iter_rows())
    if float(counts["len"].median() or 0) < USUAL:  # type: ignore[arg-type]
        return []
    silent = _silent(days)
    if not silent:
        return []
    listed = ", ".join(f"{day:%Y-%m-%d}" for day in silent[:5]) + (" and others" if len(silent) > 5 else "")
    found = f"events: {len(silent):,} of {len(days) + len(silent):,} days have no event: {listed}"
    do = "Export these days again; if the shop was closed, nothing need be done"
    return [Problem("CHECK-15", found, "Expected events on every day that the shop is open", do, "warn")]


def _silent(days: dict[date, int]) -> list[date]:
    start, end = min(days), max(days)
    every = [start + timedelta(days=n) for n in range((end - start).days + 1)]
    open_on = {day.weekday() for day in days}
    return [day for day in every if day not in days and day.weekday() in open_on]


CHECK = Check(check, "A gap looks like a fall of every trend, and cuts the histories of the users of that day.")
