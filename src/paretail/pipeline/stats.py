"""Stats: clicks, purchases and revenue of what was shown, by placement and model version, with intervals.

A row of the answer concerns the lists that were shown in the period; what followed is counted for the window after each
list, so the figures of adjacent periods add up. The store is read in slices: memory grows with the events and the
users, not with what was shown.
"""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final

import polars as pl

from paretail.core.clock import DAY_MS
from paretail.core.errors import Problem, UsageError
from paretail.core.money import minor_per_major
from paretail.data.attribution import SKEW_MS, concerned, following, impressions, outcomes, window_ms
from paretail.data.stores.base import ANSWER_COLUMNS, Store
from paretail.evaluate.rates import Interval, amount, share
from paretail.pipeline.live.bodies import Estimate, PlacementStats, StatsAnswer

LONGEST_DAYS: Final = 400
#: A slice of the store holds about so many lists or events, and is no longer than that. Lists are found by time;
#: for events the whole store is looked through each time.
LISTS, EVENTS = 200_000, 2_000_000
LONGEST_SLICE_MS: Final = 16 * DAY_MS
GROUP: Final = ["placement", "model_version"]
#: Whose impressions depend on each other: a user's; of somebody unknown a session's, or a list's.
CLUSTER: Final = pl.coalesce("user_id", "session_id", "request_id").hash().alias("cluster")
COUNTS: Final = ["clicks", "carts", "purchases", "bought_clicks", "revenue_minor"]


def stats(store: Store, since_ms: int, until_ms: int, window_hours: float, currency: str,
          placement: str | None = None) -> StatsAnswer:  # fmt: skip
    """Return the figures of the lists with since <= time < until, of one placement or of all.

    Raises UsageError where the period is empty or longer than LONGEST_DAYS.
    """
    _check(since_ms, until_ms)
    window = window_ms(window_hours)
    told = following(_slices(store.events, since_ms - SKEW_MS, until_ms + window, EVENTS, 4 * DAY_MS))
    shown, few = _read(store, told, since_ms, until_ms, window)
    chosen = pl.lit(True) if placement is None else pl.col("placement") == placement
    table = _joined(shown.filter(chosen), outcomes(few, told, window).join(few, on="impression"), since_ms, until_ms)
    unit = minor_per_major(currency)
    rows = [_row(name, part, unit) for name, part in table.partition_by(GROUP, as_dict=True).items()]
    return StatsAnswer(since_ms / 1000, until_ms / 1000, window_hours, currency, rows)


def _check(since_ms: int, until_ms: int) -> None:
    days = (until_ms - since_ms) / DAY_MS
    if 0 < days <= LONGEST_DAYS:
        return
    expected = f"since before until, by at most {LONGEST_DAYS} days"
    raise UsageError(Problem("EVAL-05", f"statistics of {days:,.1f} days", expected, "Ask for another period"))


def _slices(
    read: Callable[[int, int], pl.DataFrame], since_ms: int, until_ms: int, rows: int, length: int
) -> Iterator[pl.DataFrame]:
    """Yield what lies between, slice by slice; how long one is follows from how much the one before held."""
    start = max(since_ms, 0)
    while start < until_ms:
        part = read(start, min(start + length, until_ms))
        yield part
        start += length
        if part.height < rows // 2:
            length = min(2 * length, LONGEST_SLICE_MS)
        elif part.height > rows:
            length = max(length // 2, 1)


def _read(
    store: Store, told: pl.DataFrame, since_ms: int, until_ms: int, window: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return how much each cluster was shown in the period, and the impressions in reach of it that events concern."""
    slices = _slices(store.answers, since_ms - window - SKEW_MS, until_ms + window + SKEW_MS, LISTS, DAY_MS)
    counts, few = None, []
    for answers in chain([pl.DataFrame(schema=ANSWER_COLUMNS)], slices):
        inside = answers.filter(pl.col("ts_ms").is_between(since_ms, until_ms, closed="left"))
        sizes = {"lists": pl.lit(1, pl.Int64), "impressions": pl.col("item_ids").list.len().cast(pl.Int64)}
        size = inside.select(*GROUP, CLUSTER, **sizes)
        counts = (size if counts is None else pl.concat([counts, size])).group_by(*GROUP, "cluster").sum()
        few.append(concerned(impressions(answers).with_columns(CLUSTER), told))
    assert counts is not None
    return counts, pl.concat(few).drop("impression").with_row_index("impression")


def _joined(shown: pl.DataFrame, followed: pl.DataFrame, since_ms: int, until_ms: int) -> pl.DataFrame:
    """Return one row a placement, model version and cluster: what it was shown, and what followed."""
    inside = followed.filter(pl.col("ts_ms").is_between(since_ms, until_ms, closed="left"))
    counted = inside.group_by(*GROUP, "cluster").agg(
        clicks=pl.col("clicked").sum(), carts=pl.col("carted").sum(), purchases=pl.col("purchased").sum(),
        bought_clicks=(pl.col("clicked") & pl.col("purchased")).sum(), revenue_minor=pl.col("revenue_minor").sum(),
    )  # fmt: skip
    joined = shown.join(counted, on=[*GROUP, "cluster"], how="left")
    return joined.with_columns(pl.col(COUNTS).fill_null(0).cast(pl.Int64)).sort(*GROUP, "cluster")


def _row(name: tuple[object, ...], part: pl.DataFrame, unit: int) -> PlacementStats:
    placement, version = name
    total = {column: int(part[column].sum()) for column in ("lists", "impressions", *COUNTS)}
    by_cluster = {column: part[column].to_numpy() for column in ("impressions", *COUNTS)}
    earned = amount(by_cluster["revenue_minor"], by_cluster["impressions"])
    return PlacementStats(
        str(placement), str(version), total["lists"], total["impressions"], total["clicks"], total["carts"],
        total["purchases"], total["revenue_minor"] / unit,
        _estimate(share(by_cluster["clicks"], by_cluster["impressions"])),
        _estimate(share(by_cluster["bought_clicks"], by_cluster["clicks"])),
        _estimate(earned, 1000 / unit),
    )  # fmt: skip


def _estimate(interval: Interval | None, times: float = 1.0) -> Estimate | None:
    return None if interval is None else Estimate(*(part * times for part in interval))
