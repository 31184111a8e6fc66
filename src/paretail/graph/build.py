"""From the shop's tables to nodes and edges.

A category is named by its whole path (`"Shoes > Men"`), so that two categories may share a word; an item is
linked to each level of its path, and each level to the one above it. A text column of which most values occur
once is free text and makes no nodes.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl
from scipy import sparse

from paretail.core.ids import Vocabulary
from paretail.data.attributes import is_categorical
from paretail.data.types import ITEM_COLUMNS, Shop
from paretail.graph.edges import EdgeSet, Relation

PATH_SEPARATOR = " > "

Nodes = dict[str, Vocabulary]
Edges = dict[Relation, EdgeSet]


def relations(
    shop: Shop, users: Vocabulary, items: Vocabulary, known: Mapping[str, Vocabulary] | None = None
) -> tuple[Nodes, Edges]:
    """Return all nodes, and all edges but the events; nodes that are `known`, by type, keep their rows."""
    known = known or {}
    nodes: Nodes = {"user": users, "item": items}
    edges: Edges = {}
    frame = _rows_of(shop.catalogue.frame, items)
    for column, (name, verb) in attributes(frame).items():
        values = _paths(frame) if column == "category" else _values(frame, column)
        if len(values):
            nodes[name] = _named(name, values, known)
            edges["item", verb, name] = _edges(values, nodes[name], len(items))
        if "above" in values.columns:
            edges |= _parents(values, nodes["category"])
    people = _rows_of(shop.users.frame, users)
    for column, name in traits(people, nodes).items():
        values = _values(people, column)
        nodes[name] = _named(name, values, known)
        edges["user", "has", name] = _edges(values, nodes[name], len(users))
    return nodes, edges | _friends(shop.links.frame, users)


def about_users(edges: Edges) -> dict[str, sparse.csr_array]:
    """Return the edges that leave users, by the type of node that they lead to."""
    return {target: edge_set.matrix() for (source, _, target), edge_set in edges.items() if source == "user"}


def table(frame: pl.DataFrame, nodes: Vocabulary) -> pl.DataFrame:
    """Return `frame`, whose first column has ids, with one row a node in the nodes' order; null where it has none."""
    column = frame.columns[0]
    return pl.DataFrame({column: nodes.ids}).join(frame, on=column, how="left", maintain_order="left")


def attributes(frame: pl.DataFrame) -> Mapping[str, tuple[str, str]]:
    """Return which columns of a catalogue become nodes: column -> (node type, relation)."""
    known = {"category": ("category", "in"), "brand": ("brand", "of"), "parent_id": ("parent", "variant-of")}
    found = {column: known[column] for column in known if column in frame.columns}
    taken = {"user", "item", *(name for name, _ in known.values())}
    for column in frame.columns:
        if column not in ITEM_COLUMNS and column != "item" and is_categorical(frame[column]):
            found[column] = (f"{column}_attribute" if column in taken else column, "has")
    return found


def traits(frame: pl.DataFrame, taken: Nodes) -> dict[str, str]:
    """Return which columns of the users' table become nodes: column -> node type, a name that no other type has."""
    columns = [name for name in frame.columns if name != "user_id" and is_categorical(frame[name])]
    return {column: f"{column}_of_user" if column in taken else column for column in columns if _any(frame, column)}


def label_values(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return one row a label that an item carries by `column`: `item_id`, `label`; of categories each level's path."""
    named = frame.with_columns(__row="item_id")
    values = _paths(named) if column == "category" else _values(named, column)
    return values.select(item_id=pl.col("node").cast(pl.String), label="value").unique(maintain_order=True)


def _named(name: str, values: pl.DataFrame, known: Mapping[str, Vocabulary]) -> Vocabulary:
    """Return the nodes of one type."""
    found = values["value"]
    return known[name].extended(found) if name in known else Vocabulary.of(found)


def _any(frame: pl.DataFrame, column: str) -> bool:
    return not _values(frame, column).is_empty()


def _rows_of(table: pl.DataFrame, nodes: Vocabulary) -> pl.DataFrame:
    """Return the table's rows of known nodes, with their row numbers in the column `__row`."""
    rows = pl.Series("__row", nodes.rows(table[table.columns[0]]))
    return table.with_columns(rows).filter(pl.col("__row") >= 0)


def _values(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return one row a value that a node has: node, value."""
    values = frame.select(node="__row", value=column)
    if isinstance(values.schema["value"], pl.List):
        values = values.explode("value")
    return values.with_columns(pl.col("value").cast(pl.String)).filter(
        pl.col("value").is_not_null() & (pl.col("value") != "")
    )


def _paths(frame: pl.DataFrame) -> pl.DataFrame:
    """Return one row a level of an item's category path: node, value (its path), above (its parent's)."""
    words = frame.select(node="__row", words=pl.col("category").list.drop_nulls())
    depth = int(words["words"].list.len().max() or 0)  # type: ignore[arg-type]  # polars types max as any literal
    levels = [
        words.filter(pl.col("words").list.len() >= level).select(
            "node", value=_path(level), above=_path(level - 1) if level > 1 else pl.lit(None, pl.String)
        )
        for level in range(1, depth + 1)
    ]
    return pl.concat(levels) if levels else pl.DataFrame(schema={"node": pl.Int32, "value": pl.String})


def _path(levels: int) -> pl.Expr:
    return pl.col("words").list.head(levels).list.join(PATH_SEPARATOR)


def _edges(values: pl.DataFrame, names: Vocabulary, sources: int) -> EdgeSet:
    return EdgeSet.of(values["node"].to_numpy(), names.rows(values["value"]), (sources, len(names)))


def _parents(values: pl.DataFrame, categories: Vocabulary) -> Edges:
    """Link each category to the one above it in its path."""
    pairs = values.select("value", "above").drop_nulls().unique()
    if not len(pairs):
        return {}
    shape = (len(categories), len(categories))
    child, parent = categories.rows(pairs["value"]), categories.rows(pairs["above"])
    return {("category", "within", "category"): EdgeSet.of(child, parent, shape)}


def _friends(links: pl.DataFrame, users: Vocabulary) -> Edges:
    """Link both ends of each friendship."""
    left, right = users.rows(links["user_id"]), users.rows(links["friend_id"])
    known = (left >= 0) & (right >= 0) & (left != right)
    if not known.any():
        return {}
    left, right = left[known], right[known]
    both = EdgeSet.of(np.concatenate([left, right]), np.concatenate([right, left]), (len(users), len(users)))
    return {("user", "friend", "user"): both}
