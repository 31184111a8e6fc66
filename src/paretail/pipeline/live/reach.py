"""Reach: what an event on one of the shop's items is about where a bundle's lists hold something else.

In a bundle of items it is the item, in one of labels the item's labels, in one of people nobody: there items say whom a
user is like (`products`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.pipeline.recommender import Recommender

#: Bounds of each word's rows, and the rows of all words one after the other.
_Known = tuple[NDArray[np.int64], Rows]


class Reach:
    """Rows by item; safe to share by threads."""

    def __init__(self, recommender: Recommender) -> None:
        self._recommender = recommender
        self._labels: dict[str, list[int]] | None = None
        if recommender.labels is not None:
            rows = recommender.items.rows(recommender.labels["label"]).tolist()
            self._labels = {}
            for item_id, row in zip(recommender.labels["item_id"], rows, strict=True):
                self._labels.setdefault(item_id, []).append(row)
        self._known: _Known = (np.zeros(1, np.int64), np.zeros(0, np.int32))

    def rows(self, item_id: str) -> Sequence[int]:
        """Return the rows that an event on this item is about."""
        if self._labels is not None:
            return self._labels.get(item_id, ())
        row = -1 if self._recommender.products is not None else self._recommender.items.row(item_id)
        return (row,) if row >= 0 else ()

    def of(self, words: Sequence[str], items: NDArray[np.uint32]) -> tuple[Rows, Rows]:
        """Return (place in `items`, row) of each row that live items are about; `items` numbers `words`, which grow."""
        bounds, rows = self._known
        if len(bounds) <= len(words):
            new = [self.rows(word) for word in words[len(bounds) - 1 :]]
            ends = bounds[-1] + np.cumsum([len(found) for found in new])
            bounds = np.concatenate([bounds, ends]).astype(np.int64)
            rows = np.concatenate([rows, np.array([row for found in new for row in found], np.int32)])
            self._known = bounds, rows
        counts = bounds[items + 1] - bounds[items]
        place = np.repeat(np.arange(len(items), dtype=np.int32), counts)
        within = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
        return place, rows[np.repeat(bounds[items], counts) + within]
