"""The graph that a bundle was trained on, from what the bundle keeps: nodes in their rows, events, what tables tell."""

import numpy as np
import polars as pl
from scipy import sparse

from paretail.data.kinds import PRODUCT
from paretail.data.types import EVENT_COLUMNS, Catalogue, Events, Shop, Users
from paretail.graph.build import relations
from paretail.graph.edges import EdgeSet, Relation
from paretail.graph.shopgraph import ShopGraph
from paretail.pipeline.drafting import nodes_from
from paretail.pipeline.recommender import Recommender

#: Edges of users that no table of a bundle tells, by the type of node that they lead to.
KEPT: dict[str, Relation] = {"user": ("user", "friend", "user"), PRODUCT: ("user", "had", PRODUCT)}


def graph_in(bundle: Recommender) -> ShopGraph:
    """Return the graph, for models that are to be fitted on what the bundle's own model was fitted on."""
    known = {} if bundle.known_nodes is None else nodes_from(bundle.known_nodes)
    nothing = Events(pl.DataFrame(schema=EVENT_COLUMNS))
    shop = Shop(nothing, Catalogue(bundle.catalogue), Users(bundle.user_table))
    nodes, edges = relations(shop, bundle.users, bundle.items, known)
    if bundle.products is not None:
        nodes[PRODUCT] = bundle.products
    about = bundle.history.about
    edges |= {relation: _edges(about[name]) for name, relation in KEPT.items() if name in about}
    return ShopGraph(nodes, bundle.history, edges, {"user": bundle.user_table, "item": bundle.catalogue})


def _edges(known: sparse.csr_array) -> EdgeSet:
    rows, weight = known.indices.astype(np.int32), known.data.astype(np.float32)
    return EdgeSet(known.indptr.astype(np.int64), rows, weight, known.shape[1])
