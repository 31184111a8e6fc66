"""Groups: which items are variants of one product.

The group of an item is the row of its parent, or its own where it has none; a parent that is no item has a number below
-1. One level is followed: the parent of a parent is another product.
"""

from collections.abc import Callable

import numpy as np

from paretail.core.ids import Vocabulary
from paretail.data.shelf_columns import Cells
from paretail.data.shelf_words import Texts


class Groups(Cells):
    """A group number for each item; only whether two are equal means something."""

    def __init__(self, parents: Texts, vocabulary: Vocabulary, row: Callable[[str], int]) -> None:
        group_of = vocabulary.rows(parents.words.first)
        absent = np.flatnonzero(group_of < 0)
        group_of[absent] = -2 - np.arange(len(absent))
        own = np.arange(len(vocabulary), dtype=np.int32)
        super().__init__(np.where(parents.values < 0, own, np.append(group_of, np.int32(-1))[parents.values]), -1)
        self.row, self.numbers = row, len(absent)
        self.absent = {parents.words[code]: int(group_of[code]) for code in absent.tolist()}

    def put(self, row: int, item_id: str, parent_id: str | None) -> None:
        """Set the parent of an item, which may be new: items that named it as theirs join its group."""
        if (number := self.absent.pop(item_id, None)) is not None:
            self.values[self.values == number] = row
        self.values[row] = row if parent_id is None else self._group(parent_id)

    def _group(self, parent_id: str) -> int:
        if (row := self.row(parent_id)) >= 0:
            return row
        if parent_id not in self.absent:
            self.absent[parent_id] = -2 - self.numbers
            self.numbers += 1
        return self.absent[parent_id]
