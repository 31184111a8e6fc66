"""Value: what was bought less what was taken back."""

from collections.abc import Mapping

import polars as pl


def net_value(events: pl.DataFrame) -> pl.DataFrame:
    """Return `user_id`, `item_id`, `quantity`, `value_minor`: purchases less refunds, one row a pair that has either.

    A quantity that is not known counts as 1; a price that is not known adds no value. Net figures can be negative
    where the purchase lies before the log begins.
    """
    sign = pl.when(pl.col("kind") == "purchase").then(1).otherwise(-1)
    quantity = pl.col("quantity").fill_null(1.0) * sign
    return (
        events.filter(pl.col("kind").is_in(["purchase", "refund"]))
        .group_by("user_id", "item_id", maintain_order=True)
        .agg(quantity=quantity.sum(), value_minor=(quantity * pl.col("price_minor").fill_null(0)).round().sum())
        .cast({"value_minor": pl.Int64})
    )


def totals(events: pl.DataFrame) -> Mapping[str, int]:
    """Return the value of all purchases, of all refunds, and the rest, in minor units."""
    amount = pl.col("quantity").fill_null(1.0) * pl.col("price_minor").fill_null(0)
    bought, back = (
        int(events.filter(pl.col("kind") == kind).select(amount.round().sum()).item() or 0)
        for kind in ("purchase", "refund")
    )
    return {"purchases_minor": bought, "refunds_minor": back, "net_minor": bought - back}
