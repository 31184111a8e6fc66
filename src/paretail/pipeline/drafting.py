"""Drafting: what a bundle keeps of a fitted model, the graph it was fitted on, and the shop."""

from hashlib import sha256
from typing import Any, Final

import numpy as np
import polars as pl

from paretail.core.ids import Vocabulary
from paretail.data.types import History
from paretail.graph.shopgraph import ShopGraph
from paretail.graph.targets import Target
from paretail.graph.traits import Traits
from paretail.pipeline.bundle import Draft
from paretail.pipeline.config import ShopConfig
from paretail.pipeline.recommender import about_arrays, history_arrays
from paretail.retrieve.associate import Associations
from paretail.retrieve.base import Retriever

#: Node types whose ids are those of tables of their own.
APART: Final = ("user", "item")
NODES: Final = {"type": pl.String, "id": pl.String}


def drafted(
    target: Target, graph: ShopGraph, config: ShopConfig, fitted: Retriever, metrics: dict[str, Any],
    facts: dict[str, Any],
) -> Draft:  # fmt: skip
    """Return the bundle in the making; counts associations on the way."""
    arrays = {
        "model": fitted.arrays(),
        "history": history_arrays(graph.history),
        "about": about_arrays(graph.history),
        "associations": Associations.build(target.shop, graph).arrays(),
    }
    known = {"items": graph.tables["item"], "users": graph.tables["user"], "traits": Traits.of(graph).frame()}
    told = fingerprint(graph.history, graph.nodes["user"].ids, graph.nodes["item"].ids)
    tables = {**known, "nodes": nodes_frame(graph), **target.tables()}
    return Draft(config.model_dump(mode="json"), told, metrics, facts, arrays, tables)


def fingerprint(history: History, user_ids: pl.Series, item_ids: pl.Series) -> str:
    """Return a SHA-256 (hex) of all events and ids; equal data give equal fingerprints."""
    digest = sha256()
    for array in history_arrays(history).values():
        digest.update(np.ascontiguousarray(array).tobytes())
    for ids in (user_ids, item_ids):
        digest.update("\n".join(ids.to_list()).encode())
    return digest.hexdigest()


def nodes_frame(graph: ShopGraph) -> pl.DataFrame:
    """Return `type, id`, one row a node in row order, of all nodes but users and items."""
    parts = [
        pl.DataFrame({"id": ids.ids}).select(type=pl.lit(name), id="id")
        for name, ids in graph.nodes.items() if name not in APART
    ]  # fmt: skip
    return pl.concat([pl.DataFrame(schema=NODES), *parts])


def nodes_from(frame: pl.DataFrame) -> dict[str, Vocabulary]:
    """Return the nodes of each type that `nodes_frame` told of."""
    parts = frame.partition_by("type", maintain_order=True)
    return {part["type"][0]: Vocabulary(part["id"]) for part in parts}
