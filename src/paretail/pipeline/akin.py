"""Akin: the label (a category, a brand, another attribute) that best says what a listed item has of the user's items.

    z = (count - e) / sqrt(e + 1),   e = out_of x (share of all items that carry the label)

Of the labels that both the listed item and the item that speaks for it carry, the one with the largest z above 0 is
told: `count` of the `out_of` items that the user had carry it. The same measure orders the ways of `graph/paths.py`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.ids import Vocabulary
from paretail.data.types import EVENT_COLUMNS, Catalogue, Events, Shop
from paretail.graph.build import attributes, relations

#: What a person calls a column, where not by its own name.
CALLED: Final = {"parent_id": "product"}


@dataclass(frozen=True)
class Shared:
    """A label that two items share: `count` of the `out_of` items that the user had carry it."""

    node_type: str
    node_idx: int
    count: int
    out_of: int


@dataclass(frozen=True, eq=False)
class Labels:
    """What the catalogue says of each item: `carried[items, labels]`, labels of one type side by side.

    `types[name]` is the column that a type of node came from, its values in row order and its first label.
    """

    carried: sparse.csr_array
    types: dict[str, tuple[str, Vocabulary, int]]
    share: NDArray[np.float64]  # of all items that carry each label

    @classmethod
    def of(cls, catalogue: pl.DataFrame, items: Vocabulary) -> Self:
        """Read the categorical columns of a catalogue, the same that the graph makes nodes of."""
        nothing = Events(pl.DataFrame(schema=EVENT_COLUMNS))
        nodes, edges = relations(Shop(nothing, Catalogue(catalogue)), Vocabulary(pl.Series([], dtype=pl.String)), items)
        columns = {name: column for column, (name, _) in attributes(catalogue).items()}
        of_items = {name: those.matrix() for (source, _, name), those in edges.items() if source == "item"}
        ends = np.cumsum([0, *(matrix.shape[1] for matrix in of_items.values())]).tolist()
        types = {name: (columns[name], nodes[name], start) for name, start in zip(of_items, ends, strict=False)}
        nobody = sparse.csr_array((len(items), 0), dtype=np.float32)
        carried = sparse.csr_array(sparse.hstack([nobody, *of_items.values()], format="csr"))
        carriers = np.bincount(carried.indices, minlength=carried.shape[1])
        return cls(carried, types, carriers / max(len(items), 1))

    def shared(self, had: Collection[int], pairs: Collection[tuple[int, int]]) -> list[Shared | None]:
        """Return for each (listed item, item had) the label they share that `had` says most of, None without one."""
        said = _Said.of(self, had)
        return [said.best(np.intersect1d(self._of(item), self._of(cause))) for item, cause in pairs]

    def newest(self, had: Collection[int], items: Collection[int]) -> list[tuple[int, Shared] | None]:
        """Return for each listed item the label that `had` says most of, and the first of `had` that carries it."""
        said = _Said.of(self, had)
        found = [said.best(self._of(item)) for item in items]
        return [None if label is None else (said.first(label), label) for label in found]

    def narrowest(self, item: int) -> tuple[str, int] | None:
        """Return the type and row of the rarest category that an item carries, None without one."""
        starts = {name: start for name, (column, _, start) in self.types.items() if column == "category"}
        for name, start in starts.items():
            end = start + len(self.types[name][1])
            labels = [label for label in self._of(item).tolist() if start <= label < end]
            if labels:
                return name, min(labels, key=lambda label: float(self.share[label])) - start
        return None

    def named(self, node_type: str, node_idx: int) -> tuple[str, str]:
        """Return what a person calls the column of a label, and its value."""
        return self.called(node_type), self.types[node_type][1].name(node_idx)

    def called(self, node_type: str) -> str:
        """Return what a person calls the column that a type of node came from."""
        column = self.types[node_type][0]
        return CALLED.get(column, column)

    def _of(self, item: int) -> NDArray[np.int32]:
        found: NDArray[np.int32] = self.carried.indices[self.carried.indptr[item] : self.carried.indptr[item + 1]]
        return found


@dataclass(frozen=True, eq=False)
class _Said:
    """What items had say of each label: how many carry it, and z."""

    labels: Labels
    had: NDArray[np.int64]
    counts: NDArray[np.int64]
    z: NDArray[np.float64]

    @classmethod
    def of(cls, labels: Labels, had: Collection[int]) -> Self:
        rows = np.fromiter(had, np.int64, len(had))
        counts = np.bincount(labels.carried[rows].indices, minlength=labels.carried.shape[1])
        z = (counts - len(had) * labels.share) / np.sqrt(len(had) * labels.share + 1)
        return cls(labels, rows, counts, z)

    def best(self, among: NDArray[np.integer]) -> Shared | None:
        """Return the label of some that is most above chance, None where none is."""
        some = among[self.counts[among] > 0]
        if not len(some) or self.z[some].max() <= 0:
            return None
        label, types = int(some[self.z[some].argmax()]), self.labels.types
        name = next(name for name, (_, _, start) in reversed(types.items()) if start <= label)
        return Shared(name, label - types[name][2], int(self.counts[label]), len(self.had))

    def first(self, label: Shared) -> int:
        """Return the first of the items had that carries a label."""
        carried, number = self.labels.carried[self.had], self.labels.types[label.node_type][2] + label.node_idx
        return int(self.had[np.searchsorted(carried.indptr, np.flatnonzero(carried.indices == number)[0], "right") - 1])
