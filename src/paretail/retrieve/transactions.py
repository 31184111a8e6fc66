"""Transactions: sets of items that belong together because one user, one visit or one order holds them."""

from collections.abc import Iterable
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.ids import Rows, Vocabulary
from paretail.data.types import History, Shop
from paretail.graph.interactions import interactions

#: A pause longer than this ends a visit (the convention of web analytics).
PAUSE_MS: Final = 30 * 60 * 1000

#: [transactions, items], 1 where a transaction holds an item; columns ascending, no empty row.
Transactions = sparse.csr_array


def of_users(history: History, items: int, kinds: Iterable[str]) -> Transactions:
    """Return one transaction a user: all items of events of `kinds`."""
    return _not_empty(interactions(history, items, dict.fromkeys(kinds, 1.0)))


def of_visits(history: History, items: int, kinds: Iterable[str]) -> Transactions:
    """Return one transaction a visit: a user's events of `kinds` without a pause of half an hour; needs clock time."""
    numbers = [number for number, kind in enumerate(history.kinds) if kind in set(kinds)]
    looks = history.where(np.isin(history.kind, numbers))
    user = looks.user_idx
    starts = np.ones(len(user), bool)
    starts[1:] = (user[1:] != user[:-1]) | (np.diff(looks.ts_ms) > PAUSE_MS)
    return _of_groups(np.cumsum(starts) - 1, looks.item_idx, items)


def of_orders(shop: Shop, items: Vocabulary, target: str) -> Transactions | None:
    """Return one transaction an order of `target` events; where an order is unknown, a user's day in the shop's zone.

    None where neither orders nor clock time are known.
    """
    events = shop.events.frame.filter(pl.col("kind") == target)
    clock = shop.events.time == "clock"
    if not clock:
        events = events.filter(pl.col("order_id").is_not_null())
    if not len(events):
        return None
    day = pl.from_epoch("ts_ms", time_unit="ms").dt.replace_time_zone("UTC").dt.convert_time_zone(shop.timezone)
    keys = events.select(
        "user_id",
        "order_id",
        day=pl.when(pl.col("order_id").is_null()).then(day.dt.date()),
        item=pl.Series(items.rows(events["item_id"])),
    ).filter(pl.col("item") >= 0)
    order = keys.select(pl.struct("user_id", "order_id", "day").rank("dense") - 1).to_series()
    return _of_groups(order.to_numpy().astype(np.int64), keys["item"].to_numpy(), len(items))


def without_giants(transactions: Transactions, largest: int) -> Transactions:
    """Leave out transactions of more than `largest` items: robots, mostly, which cost the square of their size."""
    return transactions[np.diff(transactions.indptr) <= largest]


def _of_groups(group: NDArray[np.int64], item: Rows, items: int) -> Transactions:
    groups = int(group.max(initial=-1)) + 1
    matrix = sparse.csr_array(sparse.coo_array((np.ones(len(item), np.float32), (group, item)), shape=(groups, items)))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return _not_empty(matrix)


def _not_empty(transactions: Transactions) -> Transactions:
    return transactions[np.diff(transactions.indptr) > 0]
