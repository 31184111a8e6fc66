"""Sides: what is known of users and items beside what they clicked, as columns that a ranker's vectors start from.

Of an item: its labels (categories, brand, other attributes), texts, vectors and price. Of a user: traits, the cells of
pairs of traits (country and age together say more than each alone), and of which categories things were shown to them,
which is what the shop's last recommender knew. A new user or item has the vectors that follow from these columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, Final, Self

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray
from scipy import sparse

from paretail.data.features import past
from paretail.data.features.content import content_of
from paretail.data.features.pairs import SHOWN, ItemFacts, says
from paretail.data.types import History
from paretail.graph.shopgraph import ShopGraph

Dense = NDArray[np.float32]

#: The most labels of items, and of cells of two traits, that have a column: the most frequent ones.
LABELS: Final = 256
CELLS: Final = 128
#: A label or cell is borne by so many at least.
BEARERS: Final = 5
#: Traits of more values make no cells.
VALUES: Final = 50
#: Types of nodes that `History.about` may hold and that are no traits.
NO_TRAITS: Final = ("user", "product")


def item_sides(graph: ShopGraph) -> Dense:
    """Return `[items, columns]`: labels as 0 or 1, then standardised texts, vectors and prices."""
    return named_item_sides(graph)[0]


def named_item_sides(graph: ShopGraph) -> tuple[Dense, list[str]]:
    """Return `item_sides`, and what each column is called, such as `category=Shoes` or `title[3]`."""
    labels, every = _labels(graph)
    chosen, places = _most_frequent(labels, LABELS)
    blocks, names = [chosen], [every[place] for place in places.tolist()]
    if "item" in graph.tables:
        table = graph.tables["item"]
        for name, block in content_of(table).items():
            blocks.append(block)
            names += [f"{name}[{at}]" for at in range(block.shape[1])]
        blocks.append(ItemFacts.of(table).price_ratio[:, None])
        names.append("price")
    return np.concatenate(blocks, axis=1).astype(np.float32), names


def crowded(graph: ShopGraph) -> tuple[str, ...]:
    """Say of what there is more than has columns of its own."""
    told = []
    often = int((np.diff(_labels(graph)[0].indptr) >= BEARERS).sum())
    if often > LABELS:
        told.append(f"the {LABELS} commonest of {often:,} labels of items have a column each, the others none")
    categories = int(ItemFacts.of(graph.tables["item"]).category.max(initial=-1)) + 1 if "item" in graph.tables else 0
    if categories > LABELS:
        told.append(f"what was shown to users is counted by the {LABELS - 1} largest of {categories:,} categories, "
                    "and by all others together")  # fmt: skip
    return tuple(told)


@dataclass(frozen=True, eq=False)
class UserSides:
    """How a user's columns are made from a History: which nodes and cells count, and the usual shares of categories.

    `nodes[type]` are the rows of nodes that have a column; `cells` maps (type, type) to pairs of such rows.
    """

    nodes: Mapping[str, NDArray[np.int64]]
    cells: Mapping[tuple[str, str], NDArray[np.int64]]
    shares: Dense  # of each category among what is shown; empty where nothing was
    category: NDArray[np.int32]  # of each item, as `_largest` has it
    usual: Dense = field(default_factory=lambda: np.zeros(0, np.float32))  # the mean of the log's users

    @classmethod
    def of(cls, history: History, facts: ItemFacts) -> Self:
        """Choose the columns from the users of a log."""
        about = {name: sparse.csc_array(known) for name, known in history.about.items() if name not in NO_TRAITS}
        nodes = {name: _most_frequent(known, LABELS)[1] for name, known in sorted(about.items())}
        few = [name for name, rows in nodes.items() if 0 < len(rows) <= VALUES]
        cells = {(a, b): _cells(about[a], about[b], nodes[a], nodes[b]) for a, b in combinations(few, 2)}
        category = _largest(facts.category)
        sides = cls(nodes, cells, _shares(history, category), category)
        return replace(sides, usual=sides.matrix(history).mean(axis=0))

    @property
    def size(self) -> int:
        """How many columns there are."""
        return sum(map(len, self.nodes.values())) + sum(map(len, self.cells.values())) + len(self.shares)

    def names(self, graph: ShopGraph) -> list[str]:
        """Return what each column is called, such as `country=DE`, in the order of `matrix`."""
        ids = {name: graph.nodes[name].ids for name in self.nodes}
        found = [f"{name}={ids[name][int(row)]}" for name, rows in self.nodes.items() for row in rows]
        found += [f"{a}={ids[a][int(one)]} {b}={ids[b][int(other)]}" for (a, b), pairs in self.cells.items()
                  for one, other in pairs]  # fmt: skip
        if len(self.shares):
            paths = graph.tables["item"]["category"].list.join(" > ").to_list()
            names = dict(zip(self.category.tolist(), paths, strict=True))
            if len(set(filter(None, paths))) > LABELS:
                names[LABELS - 1] = "others"
            found += [f"shown {names.get(code)}" for code in range(len(self.shares))]
        return found

    def matrix(self, history: History) -> Dense:
        """Return `[users, columns]`; nothing known is a row of zeros."""
        known = {name: self._known(history, name) for name in self.nodes}
        blocks = list(known.values())
        for (a, b), pairs in self.cells.items():
            first, second = (np.searchsorted(self.nodes[name], pairs[:, end]) for end, name in enumerate((a, b)))
            blocks.append(known[a][:, first] * known[b][:, second])
        return np.concatenate([*blocks, self._lifts(history)], axis=1).astype(np.float32)

    def _known(self, history: History, name: str) -> Dense:
        """Return `[users, nodes]` of the nodes of one type that have a column."""
        nodes, known = self.nodes[name], history.about.get(name)
        found = np.zeros((history.users, len(nodes)), np.float32)
        if known is not None:
            _fill_known(nodes, known.indptr, known.indices, known.data, found)
        return found

    def _lifts(self, history: History) -> Dense:
        """Return how much more of each category was shown to each user than to people, as logarithms."""
        ratios = np.empty((history.users, len(self.shares)))
        if not ratios.size:
            return ratios.astype(np.float32)
        _fill_ratios(history.indptr, self.category, history.item_idx, says(history), self.shares, ratios)
        return np.log(ratios).astype(np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what a bundle keeps beside the catalogue."""
        nodes = {f"nodes/{name}": rows for name, rows in self.nodes.items()}
        cells = {f"cells/{a}/{b}": pairs for (a, b), pairs in self.cells.items()}
        return nodes | cells | {"shares": self.shares, "usual": self.usual}

    @classmethod
    def from_arrays(cls, items: pl.DataFrame, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild from `arrays()` and the bundle's catalogue."""
        split = {key: tuple(key.split("/")) for key in arrays}
        nodes = {parts[1]: arrays[key] for key, parts in split.items() if parts[0] == "nodes"}
        cells = {(parts[1], parts[2]): arrays[key] for key, parts in split.items() if parts[0] == "cells"}
        return cls(nodes, cells, arrays["shares"], _largest(ItemFacts.of(items).category), arrays["usual"])


@njit(cache=True, nogil=True)
def _fill_known(nodes, indptr, indices, data, found):  # type: ignore[no-untyped-def]
    """Fill what users are known to be, among the nodes that have a column, which are in order."""
    for user in range(len(found)):
        for place in range(indptr[user], indptr[user + 1]):
            column = np.searchsorted(nodes, indices[place])
            if column < len(nodes) and nodes[column] == indices[place]:
                found[user, column] = data[place]


@njit(cache=True, nogil=True)
def _fill_ratios(indptr, category, item, told, shares, found):  # type: ignore[no-untyped-def]
    """Fill the share of each category among what was shown to users, drawn to the usual one, over that."""
    for user in range(len(found)):
        counts, total = np.zeros(len(shares)), 0
        for event in range(indptr[user], indptr[user + 1]):
            code = category[item[event]]
            if told[event] == past.SHOWN and code >= 0:
                counts[code] += 1
                total += 1
        for code in range(len(shares)):
            drawn = np.float32(SHOWN) * shares[code]
            found[user, code] = (counts[code] + drawn) / ((total + SHOWN) * shares[code])


def _labels(graph: ShopGraph) -> tuple[sparse.csc_array, list[str]]:
    """Return which labels items bear, `[items, labels]`, and what each is called."""
    parts = {target: edges.matrix() for (source, _, target), edges in sorted(graph.edges.items())
             if source == "item" and target not in ("user", "item")}  # fmt: skip
    labels = sparse.csc_array(sparse.hstack([*parts.values()])) if parts else sparse.csc_array((graph.items, 0))
    return labels, [f"{target}={name}" for target in parts for name in graph.nodes[target].ids]


def _largest(category: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return each item's category, -1 none: where there are more than LABELS those of most items, all others as one."""
    counts = np.bincount(category[category >= 0])
    if len(counts) <= LABELS:
        return category
    code = np.full(len(counts) + 1, LABELS - 1, np.int32)
    code[np.argsort(-counts, kind="stable")[: LABELS - 1]] = np.arange(LABELS - 1)
    code[-1] = -1  # of items without one
    return code[category]


def _most_frequent(labels: sparse.csc_array, most: int) -> tuple[Dense, NDArray[np.int64]]:
    """Return the columns of the labels that most bear, in their order, and which those are."""
    counts = np.diff(labels.indptr)
    chosen = np.argsort(-counts, kind="stable")[:most]
    chosen = np.sort(chosen[counts[chosen] >= min(BEARERS, max(1, labels.shape[0] // 10))]).astype(np.int64)
    return labels[:, chosen].toarray().astype(np.float32), chosen


def _cells(a: sparse.csc_array, b: sparse.csc_array, rows_a: NDArray[np.int64],
           rows_b: NDArray[np.int64]) -> NDArray[np.int64]:  # fmt: skip
    """Return the pairs of values of two traits that enough users have, the most frequent ones, `[cells, 2]`."""
    counts = (a[:, rows_a].T @ b[:, rows_b]).toarray()
    place = np.argsort(-counts, axis=None, kind="stable")[:CELLS]
    first, second = np.unravel_index(place, counts.shape)
    often = counts[first, second] >= BEARERS
    return np.stack([rows_a[first[often]], rows_b[second[often]]], axis=1).astype(np.int64)


def _shares(history: History, category: NDArray[np.int32]) -> Dense:
    codes = category[history.item_idx[says(history) == past.SHOWN]]
    codes = codes[codes >= 0]
    if not len(codes):
        return np.zeros(0, np.float32)
    counts = np.bincount(codes, minlength=int(category.max()) + 1) + 1.0
    return np.asarray(counts / counts.sum(), np.float32)
