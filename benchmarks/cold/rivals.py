"""What cold start must beat: popularity within the segment of a new user or a new item, of all time and of late.

A user's segment is the country; an item's is its category (brands order items within one). Of late are the last
DAYS days of the training events. A segment that tells nothing of an item leaves it to everybody's popularity.
"""

from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

DAY_S: Final = 86_400
#: Of a shop of a year, and of a planted world of a month.
DAYS: Final = {"shop": 30, "world": 7}
LENGTH: Final = 20
Dense = NDArray[np.floating[Any]]


def late(events: pl.DataFrame, days: int) -> pl.DataFrame:
    """Return the events of the last `days` days."""
    newest: int = events["ts"].max()  # type: ignore[assignment]  # polars types it widely
    return events.filter(pl.col("ts") > newest - days * DAY_S)


def by_country(events: pl.DataFrame, users: pl.DataFrame, asked: pl.DataFrame, had: pl.DataFrame) -> pl.DataFrame:
    """Return lists of what most people of a user's country bought, then most people of all, without what was had."""
    bought = events.join(users, on="user_id").unique(["user_id", "item_id"])
    of_all = bought.group_by("item_id").agg(everybody=pl.len())
    there = bought.group_by("country", "item_id").agg(here=pl.len())
    countries = asked.join(users, on="user_id").select("user_id", "country")
    pairs = countries.join(of_all, how="cross").join(there, on=["country", "item_id"], how="left")
    pairs = pairs.join(had.select("user_id", "item_id").unique(), on=["user_id", "item_id"], how="anti")
    best = pairs.sort(pl.col("here").fill_null(0), "everybody", "item_id", descending=[True, True, False])
    top = best.group_by("user_id", maintain_order=True).head(LENGTH)
    return top.with_columns(rank=pl.int_range(1, pl.len() + 1).over("user_id")).select("user_id", "rank", "item_id")


def by_category(events: pl.DataFrame, items: pl.DataFrame, users: int) -> Dense:
    """Return `scores[users, items]`: clicks an item of its category, then of its brand; the same for everybody."""
    clicks = events.filter(pl.col("event") == "click").group_by("item_id").agg(clicks=pl.len())
    told = items.join(clicks, on="item_id", how="left", maintain_order="left")
    sold = pl.when(pl.col("created_ts") == pl.col("created_ts").min()).then(pl.col("clicks").fill_null(0))
    told = told.with_columns(sold=sold)  # new items have no click and are no evidence that nobody wants them
    means = told.select(
        *(pl.col("sold").mean().over(label).fill_null(0).alias(label) for label in ("category", "brand"))
    )
    scores = means["category"].to_numpy() + 1e-6 * means["brand"].to_numpy()
    return np.tile(scores, (users, 1))
