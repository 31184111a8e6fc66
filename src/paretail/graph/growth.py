"""Growth: what is new enters a graph whose nodes keep their rows; new nodes stand behind the old ones of their type.

Events, of which there are many, are merged into the rows of their users in one pass: the new ones alone are sorted, and
of the others only those of users whom an event that is older than their newest has reached late. What follows from the
tables of items and users is made from these: they are small beside the log.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.ids import Vocabulary
from paretail.data.types import Catalogue, History, Links, Shop, Users
from paretail.graph import build
from paretail.graph.edges import EdgeSet, Relation

#: The one relation whose edges follow from no table that a graph keeps.
FRIENDS: Relation = ("user", "friend", "user")


def appended(
    nodes: Mapping[str, Vocabulary],
    history: History,
    edges: Mapping[Relation, EdgeSet],
    tables: Mapping[str, pl.DataFrame],
    shop: Shop,
) -> tuple[build.Nodes, History, build.Edges, dict[str, pl.DataFrame]]:
    """Return the parts of a graph with what `shop` tells: new events, and rows of tables that are new or have changed.

    A row of a table counts whole: what it does not tell of a known item or user is unknown from then on.
    """
    events, links = shop.events.frame, shop.links.frame
    people = _replaced(tables.get("user"), shop.users.frame)
    catalogue = _replaced(tables.get("item"), shop.catalogue.frame)
    users = nodes["user"].extended(events["user_id"], people["user_id"], links["user_id"], links["friend_id"])
    items = nodes["item"].extended(events["item_id"], catalogue["item_id"])
    told = replace(shop, catalogue=Catalogue(catalogue), users=Users(people), links=_linked(nodes, edges, links))
    grown, new_edges = build.relations(told, users, items, nodes)
    kinds = (*history.kinds, *(kind for kind in shop.events.kinds if kind not in history.kinds))
    merged = merge(replace(history, kinds=kinds), History.of(shop.events, users, items, kinds))
    tables = {"user": build.table(people, users), "item": build.table(catalogue, items)}
    return {**nodes, **grown}, replace(merged, about=build.about_users(new_edges)), new_edges, tables


def merge(old: History, new: History) -> History:
    """Return the events of both, by the users of `new`, who begin with those of `old`; of equal times old ones first.

    Nothing is known of users but their events.
    """
    counts = np.zeros(new.users, np.int64)
    counts[: old.users] = np.diff(old.indptr)
    indptr = np.concatenate([[0], np.cumsum(counts + np.diff(new.indptr))]).astype(np.int64)
    behind = indptr[:-1] + counts  # where the new events of each user begin
    places = np.concatenate([
        np.repeat(indptr[: old.users] - old.indptr[:-1], np.diff(old.indptr)) + np.arange(len(old.item_idx)),
        np.repeat(behind - new.indptr[:-1], np.diff(new.indptr)) + np.arange(len(new.item_idx)),
    ])  # fmt: skip
    order = np.empty(len(places), np.int64)
    order[places] = np.arange(len(places))
    ts_ms = np.concatenate([old.ts_ms, new.ts_ms])[order]
    late = _late(ts_ms, indptr)
    if len(late):
        order = _sorted(order, ts_ms, indptr, late)
    return replace(
        new,
        indptr=indptr,
        item_idx=np.concatenate([old.item_idx, new.item_idx])[order],
        kind=np.concatenate([old.kind, new.kind])[order],
        ts_ms=np.concatenate([old.ts_ms, new.ts_ms])[order],
        quantity=np.concatenate([old.quantity, new.quantity])[order],
        about={},
    )


def _late(ts_ms: NDArray[np.int64], indptr: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the users whose events are not in the order of time."""
    falls = np.flatnonzero(np.diff(ts_ms) < 0) + 1
    user = np.searchsorted(indptr, falls, side="right") - 1
    return np.unique(user[falls > indptr[user]])


def _sorted(
    order: NDArray[np.int64], ts_ms: NDArray[np.int64], indptr: NDArray[np.int64], users: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return `order` with the events of `users` by time, those of equal times as they stand."""
    order = order.copy()
    for user in users:
        mine = slice(indptr[user], indptr[user + 1])
        order[mine] = order[mine][np.argsort(ts_ms[mine], kind="stable")]
    return order


def _replaced(old: pl.DataFrame | None, told: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of `old` whose ids are not `told`, and those that are."""
    if old is None:
        return told
    key = told.columns[0]
    return pl.concat([old.join(told, on=key, how="anti", maintain_order="left"), told], how="diagonal_relaxed")


def _linked(nodes: Mapping[str, Vocabulary], edges: Mapping[Relation, EdgeSet], told: pl.DataFrame) -> Links:
    """Return the friendships of a graph, and those that are told."""
    if FRIENDS not in edges:
        return Links(told)
    friends, names = edges[FRIENDS], nodes["user"]
    known = pl.DataFrame({"user_id": names.names(friends.sources), "friend_id": names.names(friends.indices)})
    return Links(pl.concat([known, told.select("user_id", "friend_id")]))
