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
        rows, out_of = np.fromiter(had, np.int64, len(had)), len(had)
        counts = np.bincount(self.carried[rows].indices, minlength=self.carried.shape[1])
        z = (counts - out_of * self.share) / np.sqrt(out_of * self.share + 1)
        return [self._best(item, cause, counts, z, out_of) for item, cause in pairs]

    def newest(self, had: Collection[int], item: int) -> tuple[int, Shared] | None:
        """Return the first of `had` that shares with a listed item the label that `had` says most of, and the label."""
        found = [(cause, label) for cause, label in zip(had, self.shared(had, [(item, other) for other in had]),
                                                        strict=True) if label is not None]  # fmt: skip
        return max(found, key=lambda one: self._z(one[1]), default=None)

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
        column, values, _ = self.types[node_type]
        return CALLED.get(column, column), values.name(node_idx)

    def _z(self, label: Shared) -> float:
        expected = label.out_of * float(self.share[self.types[label.node_type][2] + label.node_idx])
        return (label.count - expected) / float(np.sqrt(expected + 1))

    def _best(
        self, item: int, cause: int, counts: NDArray[np.int64], z: NDArray[np.float64], out_of: int
    ) -> Shared | None:
        both = np.intersect1d(self._of(item), self._of(cause))
        if not len(both) or z[both].max() <= 0:
            return None
        label = int(both[z[both].argmax()])
        name = next(name for name, (_, _, start) in reversed(self.types.items()) if start <= label)
        return Shared(name, label - self.types[name][2], int(counts[label]), out_of)

    def _of(self, item: int) -> NDArray[np.int32]:
        found: NDArray[np.int32] = self.carried.indices[self.carried.indptr[item] : self.carried.indptr[item + 1]]
        return found
