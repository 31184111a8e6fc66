"""Targets: what lists hold. A shop is turned into one whose "items" are the nodes that are to be recommended.

    target                          an item of the new shop is        an event of the new shop is
    item                            an item                           an event
    category, brand, an attribute   a label of items (a category:     an event on an item, once for each label that the
                                    its path, for each level)         item carries
    user                            a person                          a link, of the kind `friend`, in both directions;
                                                                      `self` ties each person to themself

What an event tells beside (time, quantity, order, price) stays. Every later station works on the new shop as on any.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl

from paretail.core.errors import ConfigError, DataError, Problem, nearest
from paretail.core.ids import Vocabulary
from paretail.data.attribution import in_order
from paretail.data.kinds import FRIEND, NOT_TARGETS, PRODUCT, SELF
from paretail.data.types import EVENT_COLUMNS, ITEM_COLUMNS, Catalogue, Events, Links, Shop
from paretail.graph.build import PATH_SEPARATOR, attributes, label_values
from paretail.graph.edges import EdgeSet
from paretail.graph.shopgraph import ShopGraph

#: The targets that are no attribute of items.
ITEM: Final = "item"
USER: Final = "user"


@dataclass(frozen=True, eq=False)
class Target:
    """A shop as it is for a target, and what leads there from the shop's own items.

    `labels` has a row an item and label (`item_id`, `label`). Where lists hold people, `bought` are the events on
    the shop's own items, which say who is like whom.
    """

    name: str
    shop: Shop
    labels: pl.DataFrame | None = None
    bought: Events | None = None

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return what a bundle keeps, to translate events on the shop's own items."""
        if self.labels is not None:
            return {"labels": self.labels.sort("item_id", maintain_order=True)}  # whatever the catalogue's order
        return {} if self.bought is None else {"products": self.products.ids.to_frame("item_id")}

    @cached_property
    def products(self) -> Vocabulary:
        """The shop's own items, where lists hold people."""
        return Vocabulary.of(pl.Series([], dtype=pl.String) if self.bought is None else self.bought.frame["item_id"])

    def graph(self, known: Mapping[str, Vocabulary] | None = None) -> ShopGraph:
        """Build the graph; where lists hold people, users are also linked to the products that they turned to.

        Nodes that are `known`, by type, keep their order; users and items of them that the shop no longer has are out.
        """
        known, shop = known or {}, self.shop
        users = _in_order(known.get("user"), shop.user_vocabulary())
        graph = ShopGraph.build(shop, users, _in_order(known.get("item"), shop.item_vocabulary()), known)
        if self.bought is None:
            return graph
        had = products_had(self.bought, graph.nodes["user"], self.products)
        history = replace(graph.history, about={**graph.history.about, PRODUCT: had.matrix()})
        edges = {**graph.edges, ("user", "had", PRODUCT): had}
        return replace(graph, nodes={**graph.nodes, PRODUCT: self.products}, edges=edges, history=history)


def _in_order(known: Vocabulary | None, there: Vocabulary) -> Vocabulary:
    """Return the ids that are `there`, those that are `known` first and in their order."""
    if known is None:
        return there
    return Vocabulary(known.ids.filter(pl.Series(there.rows(known.ids) >= 0))).extended(there.ids)


def turned(shop: Shop, target: str) -> Target:
    """Return `shop` for `target`, the answers of each list behind it (`data/attribution.in_order`).

    Raises ConfigError (TRGT-01) for a target that the shop does not have, DataError where there is too little to
    choose from: a single label (TRGT-02), no links (TRGT-03).
    """
    events = in_order(shop.events)
    shop = shop if events is shop.events else replace(shop, events=events)
    if target == ITEM:
        return Target(ITEM, shop)
    if target == USER:
        return _people(shop)
    labels = labels_of(shop.catalogue, target)
    names = labels["label"].unique().sort()
    if len(names) < 2:
        found = f"target {target!r}: all items together carry {len(names)} label{'' if len(names) else 's'}"
        do = "Take another target, or map the column that tells them apart"
        raise DataError(Problem("TRGT-02", found, "Two labels at least, to choose from", do))
    events = translated(shop.events, labels)
    return Target(target, replace(shop, events=events, catalogue=_label_table(names, target)), labels)


def labels_of(catalogue: Catalogue, target: str) -> pl.DataFrame:
    """Return which labels of the type `target` items carry: `item_id`, `label`; raises ConfigError (TRGT-01)."""
    columns = {name: column for column, (name, _) in attributes(catalogue.frame).items()}
    if target not in columns:
        expected = f"Expected {nearest(target, [ITEM, USER, *columns])}"
        do = "Name one of them; attributes are the categorical columns of the items' table"
        raise ConfigError(Problem("TRGT-01", f"this shop has no target {target!r}", expected, do))
    return label_values(catalogue.frame, columns[target])


def translated(events: Events, labels: pl.DataFrame) -> Events:
    """Return each event on an item as an event on each of its labels; one on an item without labels is left out.

    So is what was shown: its propensities are those of items.
    """
    wishes = events.frame.filter(pl.col("kind") != "impression")
    lines = wishes.join(labels, on="item_id", how="inner", maintain_order="left_right")
    return Events(lines.with_columns(item_id="label").select(*EVENT_COLUMNS), events.time)


def products_had(events: Events, users: Vocabulary, products: Vocabulary) -> EdgeSet:
    """Return which products users turned to, weighing log2(1 + all that they took of it): 1 for a single one."""
    wishes = events.frame.filter(~pl.col("kind").is_in(list(NOT_TARGETS)))
    rows = wishes.select(
        user=pl.Series(users.rows(wishes["user_id"])), product=pl.Series(products.rows(wishes["item_id"])),
        quantity=pl.col("quantity").fill_null(1.0),
    )  # fmt: skip
    known = rows.filter((pl.col("user") >= 0) & (pl.col("product") >= 0))
    sums = known.group_by("user", "product").agg(pl.col("quantity").sum()).sort("user", "product")
    weight = np.log2(1 + sums["quantity"].to_numpy())
    return EdgeSet.of(sums["user"].to_numpy(), sums["product"].to_numpy(), (len(users), len(products)), weight)


def _label_table(names: pl.Series, target: str) -> Catalogue:
    """Return the labels as a catalogue; a category lies within the one above it."""
    frame = pl.DataFrame({"item_id": names})
    if target == "category":
        path = pl.col("item_id").str.split(PATH_SEPARATOR)
        levels = path.list.len().cast(pl.Int64)
        frame = frame.with_columns(category=pl.when(levels > 1).then(path.list.head(levels - 1)))
    return Catalogue(frame)


def friendships(links: Links) -> Events:
    """Return links as events of the kind `friend`, each in both directions once."""
    there = links.frame.select("user_id", item_id="friend_id")
    back = links.frame.select(user_id="friend_id", item_id="user_id")
    return _events(pl.concat([there, back]).unique(maintain_order=True), FRIEND)


def _people(shop: Shop) -> Target:
    if shop.links.frame.is_empty():
        do = "Name the file of friendships in [data] links"
        raise DataError(Problem("TRGT-03", "target 'user': this shop has no links", "Who knows whom", do))
    everyone = shop.user_vocabulary().ids
    oneself = _events(pl.DataFrame({"user_id": everyone, "item_id": everyone}), SELF)
    events = Events(pl.concat([friendships(shop.links).frame, oneself.frame]), "none")
    people = shop.users.frame.rename({name: _apart(name) for name in shop.users.frame.columns})
    new = replace(shop, events=events, catalogue=Catalogue(people), links=Links(shop.links.frame.clear()))
    return Target(USER, new, bought=shop.events)


def _events(pairs: pl.DataFrame, kind: str) -> Events:
    told = {"kind": pl.lit(kind), "ts_ms": pl.lit(0, pl.Int64)}
    blank = {name: pl.lit(None, dtype) for name, dtype in EVENT_COLUMNS.items() if name not in (*told, *pairs.columns)}
    return Events(pairs.with_columns(**told, **blank).select(*EVENT_COLUMNS), "none")


def _apart(column: str) -> str:
    """Return the name of a users' column in a catalogue of people."""
    if column == "user_id":
        return "item_id"
    return f"{column}_of_user" if column in ITEM_COLUMNS or column in (ITEM, PRODUCT) else column
