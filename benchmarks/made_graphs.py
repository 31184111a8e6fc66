"""Made graphs of any size: users are drawn evenly, items by a power law, 20 events a user and 100 an item."""

import numpy as np
import polars as pl

from paretail.core.ids import Vocabulary
from paretail.core.rng import rng_for
from paretail.data.types import History
from paretail.graph.shopgraph import ShopGraph


def made(events: int) -> ShopGraph:
    """Return a made graph."""
    rng, users, items = rng_for(f"benchmarks/kernels/{events}", 0), events // 20, events // 100
    item = np.minimum(items * rng.random(events) ** 3, items - 1).astype(np.int32)
    return graph_of(rng.integers(users, size=events, dtype=np.int32), item, users, items)


def graph_of(user: np.ndarray, item: np.ndarray, users: int, items: int) -> ShopGraph:
    """Return the graph of events, each a view."""
    order, none = np.argsort(user, kind="stable"), np.zeros(len(user))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=users))]).astype(np.int64)
    kind, ts_ms, quantity = none.astype(np.uint8), none.astype(np.int64), (none + 1).astype(np.float32)
    history = History(indptr, item[order].astype(np.int32), kind, ts_ms, quantity, ("view",), "none")
    names = {"user": users, "item": items}
    return ShopGraph({name: Vocabulary(pl.Series(range(size))) for name, size in names.items()}, history, {})
