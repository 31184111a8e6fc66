"""Prices, quantities and dwell times below 0."""

from paretail.core.errors import Problem
from paretail.data.checks.base import Check, quarantined
from paretail.data.tables import Tables


def check(tables: Tables) -> list[Problem]:
    """Tell of negative amounts in events and items."""
    return [
        *quarantined(
            tables, "events", "negative_price", "CHECK-07", what="have price < 0", column="price_minor",
            expected="Prices must be 0 or more (shown in minor units)",
            do='Map refunds to the event "refund", or set [data] drop_negative_price = true',
        ),
        *quarantined(
            tables, "events", "negative_quantity", "CHECK-07", what="have quantity < 0", column="quantity",
            expected="Quantities must be 0 or more",
            do="Set [data] negative_quantity_is_refund = true, or drop_negative_quantity = true",
        ),
        *quarantined(
            tables, "events", "negative_dwell", "CHECK-07", what="have dwell_ms < 0", column="dwell_ms",
            expected="Time spent must be 0 or more", do="Correct the column",
        ),
        *quarantined(
            tables, "items", "negative_price", "CHECK-07", what="have price < 0", column="price_minor",
            expected="Prices must be 0 or more (shown in minor units)", do="Correct the catalogue",
        ),
    ]  # fmt: skip


CHECK = Check(check, "Value per order, and every goal in money, would be too low; such rows are left aside.")
