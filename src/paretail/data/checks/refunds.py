"""Refunds of what was never bought."""

import polars as pl

from paretail.core.errors import Problem
from paretail.data.checks.base import Check, place, share
from paretail.data.tables import Tables
from paretail.data.value import totals

TOLERATED = 0.2


def check(tables: Tables) -> list[Problem]:
    """Warn where over a fifth of the refunds have no purchase of that user and item, or more is returned than sold."""
    refunds = tables.events.lazy().filter(pl.col("kind") == "refund").collect()
    if not refunds.height:
        return []
    bought = tables.events.lazy().filter(pl.col("kind") == "purchase").select("user_id", "item_id").unique()
    orphans = refunds.lazy().join(bought, on=["user_id", "item_id"], how="anti", maintain_order="left").collect()
    found = []
    if orphans.height > TOLERATED * refunds.height:
        text = f"events: {share(orphans.height, refunds.height)} refunds have no purchase ({place(orphans)})"
        do = "Import the sales of the time before as well, or use the same item ids in both"
        found.append(Problem("CHECK-08", text, "A refund takes back a purchase of that user and item", do, "warn"))
    value = totals(tables.events)
    if value["net_minor"] < 0:
        text = f"events: refunds are worth {-value['net_minor']:,} minor units more than all purchases"
        found.append(
            Problem("CHECK-08", text, "Expected more sold than returned", "Check the kinds and prices", "warn")
        )
    return found


CHECK = Check(
    check, "A refund without its sale cannot reduce the value of that sale, so items that come back look good."
)
