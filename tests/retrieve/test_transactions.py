"""Transactions: users, visits and orders, with the day of the shop's own zone."""

import numpy as np
import polars as pl

from paretail.core.ids import Vocabulary
from paretail.data.types import EVENT_COLUMNS, Events, History, Shop
from paretail.retrieve.transactions import Transactions, of_orders, of_users, of_visits, without_giants

MINUTE = 60_000
ITEMS = Vocabulary(pl.Series(["a", "b", "c", "d"]))
USERS = Vocabulary(pl.Series(["u", "v", "w"]))
HOUR = 60 * MINUTE


def shop(rows: list[tuple[str, str, str, int, str | None]], time: str = "clock", zone: str = "UTC") -> Shop:
    names = ("user_id", "item_id", "kind", "ts_ms", "order_id")
    frame = pl.DataFrame(rows, schema={name: EVENT_COLUMNS[name] for name in names}, orient="row")
    return Shop(Events(frame.with_columns(quantity=pl.lit(1.0)), time), timezone=zone)  # type: ignore[arg-type]


def sets(transactions: Transactions | None) -> list[str]:
    assert transactions is not None
    assert (transactions.data == 1).all()
    rows = np.split(transactions.indices, transactions.indptr[1:-1])
    return sorted("".join(ITEMS.names(row).to_list()) for row in rows)


def test_users() -> None:
    told = shop([("u", "a", "view", 0, None), ("u", "b", "purchase", 0, None), ("u", "b", "view", 9, None)])
    history = History.of(told.events, USERS, ITEMS)
    assert sets(of_users(history, 4, ["view", "purchase"])) == ["ab"]
    assert sets(of_users(history, 4, ["purchase"])) == ["b"]


def test_visits_end_after_half_an_hour_or_with_the_user() -> None:
    told = shop(
        [
            ("u", "a", "view", 0, None), ("u", "b", "view", 30 * MINUTE, None), ("u", "c", "view", 61 * MINUTE, None),
            ("v", "d", "view", 61 * MINUTE, None), ("v", "a", "purchase", 62 * MINUTE, None),
        ]
    )  # fmt: skip
    assert sets(of_visits(History.of(told.events, USERS, ITEMS), 4, ["view"])) == ["ab", "c", "d"]


def test_orders_are_a_users_own() -> None:
    told = shop(
        [
            ("u", "a", "purchase", 0, "1"), ("u", "b", "purchase", 99 * HOUR, "1"), ("u", "c", "purchase", 0, "2"),
            ("v", "d", "purchase", 0, "1"), ("u", "d", "view", 0, "1"), ("u", "zzz", "purchase", 0, "1"),
        ]
    )  # fmt: skip
    assert sets(of_orders(told, ITEMS, "purchase")) == ["ab", "c", "d"]


def test_without_orders_a_day_in_the_shops_zone() -> None:
    rows = [("u", "a", "purchase", 21 * HOUR, None), ("u", "b", "purchase", 23 * HOUR, None),
            ("u", "c", "purchase", 25 * HOUR, None), ("v", "d", "purchase", 23 * HOUR, None)]  # fmt: skip
    assert sets(of_orders(shop(rows), ITEMS, "purchase")) == ["ab", "c", "d"]
    assert sets(of_orders(shop(rows, zone="Europe/Berlin"), ITEMS, "purchase")) == ["a", "bc", "d"]


def test_orders_where_they_are_known_days_elsewhere() -> None:
    rows = [("u", "a", "purchase", 0, "1"), ("u", "b", "purchase", 0, None), ("u", "c", "purchase", 1, None)]
    assert sets(of_orders(shop(rows), ITEMS, "purchase")) == ["a", "bc"]
    assert sets(of_orders(shop(rows, time="none"), ITEMS, "purchase")) == ["a"]


def test_neither_orders_nor_time() -> None:
    rows = [("u", "a", "purchase", 0, None)]
    assert of_orders(shop(rows, time="none"), ITEMS, "purchase") is None
    assert of_orders(shop(rows, time="order"), ITEMS, "purchase") is None
    assert of_orders(shop(rows), ITEMS, "cart") is None


def test_robots_are_left_out() -> None:
    told = shop([("u", item, "view", 0, None) for item in "abc"] + [("v", "a", "view", 0, None)])
    users = of_users(History.of(told.events, USERS, ITEMS), 4, ["view"])
    assert sets(without_giants(users, 2)) == ["a"]
    assert sets(without_giants(users, 3)) == ["a", "abc"]
