"""Likeness: which of some items reads or looks most like another one, where that is measured and clearly above chance.

    like(i, j) = max over columns of cos(f_i, f_j)

f are the words of a title or other free text, weighted by how rare they are (`data/features/text.py`), or a column of
vectors less its mean. Two items are alike from ALIKE on, and only where they are more so than item i and CHANCE of a
sample of the catalogue. An item without a text or a vector is like none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.data.features.content import cells, is_text, is_vector
from paretail.data.features.text import tf_idf, words_of

#: Half of what the words weigh is the same.
ALIKE: Final = 0.5
CHANCE: Final = 0.95
#: Chance, the rarity of words and the mean of vectors are those of so many items, evenly over the catalogue.
SAMPLE: Final = 1000


@dataclass(frozen=True, eq=False)
class Likeness:
    """The texts and vectors of a catalogue, read where they are asked for."""

    catalogue: pl.DataFrame

    def nearest(self, items: Sequence[int], among: Sequence[int]) -> list[int | None]:
        """Return for each item the one of `among` that it is most like (of equals the first), None without one.

        Costs about 10 ms, of any catalogue.
        """
        if not len(items) or not len(among) or not self._columns:
            return [None] * len(items)
        sample = np.unique(np.linspace(0, self.catalogue.height - 1, SAMPLE).astype(np.int64))
        rows = np.concatenate([np.asarray(items), np.asarray(among), sample])
        likes = np.max([_cosines(self.catalogue[name].gather(rows), len(items)) for name in self._columns], axis=0)
        ours, others = np.split(likes, [len(among)], axis=1)
        others[np.asarray(items)[:, None] == sample] = np.nan  # an item is always like itself
        usual = np.nanquantile(others, CHANCE, axis=1) if len(sample) > 1 else np.ones(len(items))
        best = ours.argmax(axis=1)
        value = ours[np.arange(len(items)), best]
        alike = (value >= ALIKE) & (value > usual)
        return [among[at] if yes else None for at, yes in zip(best.tolist(), alike.tolist(), strict=True)]

    @cached_property
    def _columns(self) -> list[str]:
        table = self.catalogue
        return [name for name in table.columns if is_vector(table.schema[name]) or is_text(name, table[name])]


def _cosines(column: pl.Series, first: int) -> NDArray[np.float32]:
    """Return `[first, others]` for the first rows of a column and the others, 0 where one of both is empty."""
    if is_vector(column.dtype):
        dense = cells(column)
        there = dense.any(axis=1)
        dense[there] -= dense[there].mean(axis=0)
        dense /= np.maximum(np.sqrt((dense**2).sum(axis=1, keepdims=True)), 1e-30)
        return np.asarray(dense[:first] @ dense[first:].T, np.float32)
    words = tf_idf(words_of(column))
    return np.asarray((words[:first] @ words[first:].T).toarray(), np.float32)
