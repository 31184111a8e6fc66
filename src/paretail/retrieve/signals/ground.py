"""Ground: the events that matrices are fitted on, in the few forms that all of them need."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.clock import DAY_MS
from paretail.data.types import History
from paretail.retrieve.signals.profiles import Scene, of_kind, union

#: Of a user with more items only so many count in co-occurrence: they would fill the matrix and say little.
MOST_ITEMS_OF_A_USER = 200


@dataclass(frozen=True, eq=False)
class Ground:
    """A history, the kind to predict, each kind's weight in the union; the items' attributes and content if any."""

    history: History
    items: int
    target: str
    weights: Mapping[str, float]
    attributes: sparse.csr_array | None = None
    seed: int = 0
    content: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    created_ms: NDArray[np.int64] | None = None  # of items, as the catalogue tells; 0 where it does not

    @cached_property
    def scene(self) -> Scene:
        """The moment of the newest event, and the days of the log."""
        ts_ms = self.history.ts_ms
        if not self.timed or not len(ts_ms):
            return Scene(self.items, self.weights, int(ts_ms.max(initial=0)))
        now, first = int(ts_ms.max()), int(ts_ms.min()) // DAY_MS
        return Scene(self.items, self.weights, now, first, now // DAY_MS - first + 1)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that show a wish, the target first."""
        others = [kind for kind in self.history.kinds if self.weights.get(kind, 0) > 0 and kind != self.target]
        return (self.target, *others)

    @cached_property
    def union(self) -> sparse.csr_array:
        """[users, items]: the weights of the kinds that a user did with an item, summed."""
        return union(self.history, self.scene)

    def of_kind(self, kind: str) -> sparse.csr_array:
        """[users, items]: 1 where the user did this with the item."""
        return of_kind(kind)(self.history, self.scene)

    @cached_property
    def targets(self) -> sparse.csr_array:
        """[users, items]: 1 where the user did the target kind with the item."""
        return self.of_kind(self.target)

    @property
    def known(self) -> Mapping[str, sparse.csr_array]:
        """What is known of users apart from events, by type of node."""
        return self.history.about

    @property
    def timed(self) -> bool:
        """Whether events have a clock time."""
        return self.history.time == "clock"

    @property
    def ordered(self) -> bool:
        """Whether events have an order at least."""
        return self.history.time != "none"


def totals(matrix: sparse.csr_array, axis: int) -> NDArray[np.float32]:
    """Return the sums of columns (axis 0) or rows (axis 1)."""
    return np.asarray(matrix.sum(axis=axis), np.float32).ravel()


def powered(values: NDArray[np.floating], exponent: float) -> NDArray[np.float32]:
    """Return `values ** exponent`, 0 where a value is 0."""
    out = np.zeros(len(values), np.float64)
    np.power(values, exponent, out=out, where=values > 0)
    return out.astype(np.float32)


def scaled_rows(matrix: sparse.csr_array, scale: NDArray[np.float32]) -> sparse.csr_array:
    """Return the matrix with each row multiplied."""
    data = matrix.data * np.repeat(scale, np.diff(matrix.indptr))
    return sparse.csr_array((data.astype(np.float32), matrix.indices, matrix.indptr), matrix.shape)


def scaled_columns(matrix: sparse.csr_array, scale: NDArray[np.float32]) -> sparse.csr_array:
    """Return the matrix with each column multiplied."""
    return sparse.csr_array((matrix.data * scale[matrix.indices], matrix.indices, matrix.indptr), matrix.shape)


def capped(matrix: sparse.csr_array, rng: np.random.Generator, most: int = MOST_ITEMS_OF_A_USER) -> sparse.csr_array:
    """Keep the largest `most` entries of each row, equal ones drawn at random."""
    counts = np.diff(matrix.indptr)
    if counts.max(initial=0) <= most:
        return matrix
    row = np.repeat(np.arange(len(counts)), counts)
    chance = rng.random(len(row))
    long = np.flatnonzero((counts > most)[row])
    order = long[np.lexsort((chance[long], -matrix.data[long], row[long]))]  # entries of long rows, best first
    sizes = counts[counts > most]
    place = np.arange(len(long)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    keep = np.ones(len(row), bool)
    keep[order[place >= most]] = False
    indptr = np.concatenate([[0], np.cumsum(np.minimum(counts, most))])
    return sparse.csr_array((matrix.data[keep], matrix.indices[keep], indptr), matrix.shape)
