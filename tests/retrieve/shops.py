"""Small shops for the tests of models."""

import numpy as np
import polars as pl

from paretail.core.clock import DAY_MS
from paretail.core.ids import Vocabulary
from paretail.data.types import Events, Shop, Time
from paretail.graph.shopgraph import ShopGraph

#: (user, item, kind, day)
Event = tuple[str, str, str, int]


def shop(events: list[Event], time: Time = "clock", orders: list[str | None] | None = None) -> Shop:
    users, items, kinds, days = (list(column) for column in zip(*events, strict=True))
    frame = pl.DataFrame(
        {
            "user_id": users,
            "item_id": items,
            "kind": kinds,
            "ts_ms": [day * DAY_MS for day in days],
            "order_id": pl.Series(orders or [None] * len(events), dtype=pl.String),
            "quantity": np.ones(len(events)),
        }
    )
    return Shop(Events(frame, time))


def graph(told: Shop, items: str | None = None) -> ShopGraph:
    """Build the graph; `items` names its items, a letter each, where more are wanted than have events."""
    vocabulary = Vocabulary(pl.Series(list(items))) if items else told.item_vocabulary()
    return ShopGraph.build(told, told.user_vocabulary(), vocabulary)
