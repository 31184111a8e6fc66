"""A small shop with everything: a tree of categories, brands, a column of its own, titles, countries, friends."""

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl

from paretail.data.types import Catalogue, Links, Shop, Users
from paretail.graph.shopgraph import ShopGraph
from paretail.sim.planted import planted

USERS, ITEMS = 60, 40


@cache
def rich() -> Shop:
    """The last item has no events; the last user none either, but a country and a friend."""
    bare = planted(users=USERS, items=ITEMS, events_per_user=8, held=2).shop
    users = bare.user_vocabulary().ids.to_list()
    items = bare.item_vocabulary().ids.to_list()
    rng = np.random.default_rng(0)
    catalogue = pl.DataFrame(
        {
            "item_id": items,
            "title": [f"{('red', 'blue', 'green')[i % 3]} thing number {i % 7}" for i in range(ITEMS)],
            "category": [[f"c{i % 2}", f"c{i % 2}{i % 3}"] for i in range(ITEMS)],
            "brand": [f"b{i % 5}" for i in range(ITEMS)],
            "type": [f"t.{i % 4}" for i in range(ITEMS)],
        }
    )
    people = pl.DataFrame({"user_id": users, "country": [f"land {i % 3}" for i in range(USERS)]})
    ends = rng.integers(USERS, size=(2, 50))
    links = pl.DataFrame({"user_id": [users[i] for i in ends[0]], "friend_id": [users[i] for i in ends[1]]})
    events = bare.events.frame.filter((pl.col("item_id") != items[-1]) & (pl.col("user_id") != users[-1]))
    return Shop(replace(bare.events, frame=events), Catalogue(catalogue), Users(people), Links(links))


@cache
def graph() -> ShopGraph:
    return ShopGraph.build(rich(), rich().user_vocabulary(), rich().item_vocabulary())
