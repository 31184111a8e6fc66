"""ShopGraph: the shop as typed nodes and typed, weighted, optionally timed edges.

User-item events stay whole, with kind and time, in `history`; every other relation is an `EdgeSet`. A view of
the events as one weighted matrix is made on demand, so that models may weigh kinds and age as they like.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl
from scipy import sparse

from paretail.core.ids import Vocabulary
from paretail.data.types import History, Shop
from paretail.graph import build, growth, store
from paretail.graph.edges import EdgeSet, Relation
from paretail.graph.interactions import interactions


@dataclass(frozen=True, eq=False)
class ShopGraph:
    """Nodes, events and edges of one shop.

    `nodes` maps a node type (`user`, `item`, `category`, `brand`, `parent` and the categorical columns of catalogue
    and users) to its ids in row order. `edges` maps (source type, relation, target type) to its edges; a type or
    relation of which the shop says nothing is absent. `tables` has what the shop tells of users and items, a row a
    node, null where it tells nothing; the column of ids comes first. `history.about` is the users' own edges.
    """

    nodes: Mapping[str, Vocabulary]
    history: History
    edges: Mapping[Relation, EdgeSet]
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    @classmethod
    def build(
        cls, shop: Shop, users: Vocabulary, items: Vocabulary, known: Mapping[str, Vocabulary] | None = None
    ) -> "ShopGraph":
        """Build from the shop's tables; rows of users and items outside the vocabularies are left out.

        Nodes of other types that are `known` keep their rows.
        """
        nodes, edges = build.relations(shop, users, items, known)
        history = replace(History.of(shop.events, users, items), about=build.about_users(edges))
        tables = {"user": build.table(shop.users.frame, users), "item": build.table(shop.catalogue.frame, items)}
        return cls(nodes, history, edges, tables)

    @property
    def users(self) -> int:
        """How many users there are, with or without events."""
        return len(self.nodes["user"])

    @property
    def items(self) -> int:
        """How many items there are, with or without events."""
        return len(self.nodes["item"])

    def interactions(
        self,
        weights: Mapping[str, float],
        half_life_days: float | None = None,
        now_ms: int | None = None,
        distinct: bool = True,
    ) -> sparse.csr_array:
        """Return the events as float32 [users, items]; see `graph.interactions.interactions`."""
        return interactions(self.history, self.items, weights, half_life_days, now_ms, distinct)

    def reverse(self, relation: Relation) -> EdgeSet:
        """Return the edges of `relation` seen from their targets, for example the items of each brand."""
        return self.edges[relation].reverse()

    def with_history(self, history: History) -> "ShopGraph":
        """Return the same graph with other events, for example the training part of a split."""
        return replace(self, history=history)

    def appended(self, shop: Shop) -> "ShopGraph":
        """Return the graph with what is new: events, and the rows of items, users and links that are new or changed.

        Every node keeps its row, new ones stand behind; the events are merged, not sorted anew (`graph/growth.py`).
        """
        nodes, history, edges, tables = growth.appended(self.nodes, self.history, self.edges, self.tables, shop)
        return ShopGraph(nodes, history, edges, tables)

    def save(self, folder: Path) -> None:
        """Write the graph to the new folder `folder`, whole or not at all."""
        store.write(folder, self.nodes, self.history, self.edges, self.tables)

    @classmethod
    def load(cls, folder: Path, mmap: bool = True) -> "ShopGraph":
        """Read a graph that `save` wrote; with `mmap` the arrays stay on disk until they are touched.

        Raises DataError (GRAPH-01) where the folder is not a graph that this program can read.
        """
        nodes, history, edges, tables = store.read(folder, mmap)
        return cls(nodes, replace(history, about=build.about_users(edges)), edges, tables)
