"""Orders that belong to nobody or to several users."""

import polars as pl

from paretail.core.errors import Problem, Severity
from paretail.data.checks.base import Check, place, share
from paretail.data.tables import Tables

TOO_MANY = 0.1


def check(tables: Tables) -> list[Problem]:
    """Tell of orders with several users, and of purchases without an order where others have one."""
    if not tables.events["order_id"].count():
        return []
    bought = tables.events.lazy().filter(pl.col("kind") == "purchase")
    lines = bought.select("order_id", "user_id", "_file", "_line").collect()
    return [*_shared(lines), *_without(lines)]


def _shared(lines: pl.DataFrame) -> list[Problem]:
    orders = lines.filter(pl.col("order_id").is_not_null()).select("order_id", "user_id").unique()
    users = orders.group_by("order_id").len("users").sort("order_id")
    shared = users.filter(pl.col("users") > 1)
    if not shared.height:
        return []
    found = f"events: {share(shared.height, users.height)} orders have several users (first: order {shared.row(0)[0]})"
    severity: Severity = "fail" if shared.height > TOO_MANY * users.height else "warn"
    do = "Name the right column as order_id or user_id, or make order ids unique"
    return [Problem("CHECK-12", found, "An order belongs to one user", do, severity)]


def _without(lines: pl.DataFrame) -> list[Problem]:
    alone = lines.filter(pl.col("order_id").is_null())
    if not alone.height:
        return []
    found = f"events: {share(alone.height, lines.height)} purchases have no order, others have ({place(alone)})"
    do = "Complete the column order_id, or leave it out of [data.columns.events]"
    return [Problem("CHECK-12", found, "All purchases have an order, or none has", do, "warn")]


CHECK = Check(check, "What is bought together is counted by order: split or mixed orders give wrong pairs and values.")
