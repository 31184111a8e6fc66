"""Refunds reduce value."""

import polars as pl

from paretail.data.value import net_value, totals


def test_purchases_less_refunds_for_each_pair() -> None:
    rows = [
        ("u", "i", "purchase", 3.0, 100), ("u", "i", "refund", 1.0, 100), ("u", "j", "purchase", None, 250),
        ("v", "i", "refund", 2.0, 100), ("v", "j", "purchase", 2.0, None), ("v", "i", "view", 9.0, 100),
    ]  # fmt: skip
    events = pl.DataFrame(rows, ["user_id", "item_id", "kind", "quantity", "price_minor"], orient="row")
    assert net_value(events).rows() == [
        ("u", "i", 2.0, 200), ("u", "j", 1.0, 250), ("v", "i", -2.0, -200), ("v", "j", 2.0, 0),
    ]  # fmt: skip
    assert totals(events) == {"purchases_minor": 550, "refunds_minor": 300, "net_minor": 250}
    assert totals(events.head(0)) == {"purchases_minor": 0, "refunds_minor": 0, "net_minor": 0}
