"""Users who act faster or more than people can."""

import polars as pl

from paretail.core.errors import Problem
from paretail.data.checks.base import Check
from paretail.data.tables import Tables

#: Events that people make one at a time; the lines of an order and the items of a page share one moment.
BY_HAND_NOT = ("impression", "purchase", "refund")
A_MINUTE, A_DAY = 40, 2000
#: Without a clock: so many times the 99th percentile, and at least so many.
TIMES_USUAL, AT_LEAST = 20, 1000


def check(tables: Tables) -> list[Problem]:
    """Warn of users with over 40 moments a minute or 2,000 events a day; without a clock of extreme totals."""
    acts = tables.events.lazy().filter(~pl.col("kind").is_in(BY_HAND_NOT))
    suspects = _by_rate(acts) if tables.time == "clock" else _by_total(acts)
    if not suspects.height:
        return []
    events = int(suspects["events"].sum())
    listed = ", ".join(f"{user} ({n:,})" for user, n in suspects.head(5).select("user_id", "events").iter_rows())
    found = (
        f"events: {suspects.height:,} users act as no person can, with {100 * events / tables.events.height:.1f} % of "
        f"the events: {listed}"
    )
    expected = f"At most {A_MINUTE} actions a minute and {A_DAY:,} a day"
    do = 'Leave them out: a [[data.exclude]] with name = "bots", column = "user_id", matches = "^(...)$"'
    return [Problem("CHECK-14", found, expected, do, "warn")]


def _by_rate(acts: pl.LazyFrame) -> pl.DataFrame:
    counts = acts.group_by("user_id").agg(events=pl.len()).filter(pl.col("events") > A_MINUTE)
    busy = acts.join(counts, on="user_id").select("user_id", "events", "ts_ms")
    minutes = busy.unique().group_by("user_id", minute=pl.col("ts_ms") // 60_000).len().filter(pl.col("len") > A_MINUTE)
    days = busy.group_by("user_id", day=pl.col("ts_ms") // 86_400_000).len().filter(pl.col("len") > A_DAY)
    suspects = pl.concat([minutes.select("user_id"), days.select("user_id")]).unique()
    return counts.join(suspects, on="user_id").sort("events", "user_id", descending=[True, False]).collect()


def _by_total(acts: pl.LazyFrame) -> pl.DataFrame:
    counts = acts.group_by("user_id").agg(events=pl.len())
    usual = pl.col("events").quantile(0.99)
    extreme = (pl.col("events") > TIMES_USUAL * usual) & (pl.col("events") > AT_LEAST)
    return counts.filter(extreme).sort("events", "user_id", descending=[True, False]).collect()


CHECK = Check(check, "Scrapers touch everything: they make unrelated items look related, and drown real behaviour.")
