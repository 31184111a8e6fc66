"""Lists: columns of several texts an item, such as the path of its category.

Each distinct list is kept once and has a code. A filter looks at the words of the distinct lists, of which there are
few, and then at the items' codes.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.data.conditions import Kind, Mask
from paretail.data.shelf_columns import FieldCells
from paretail.data.shelf_words import MOST_ADDED, Texts, codes_in, has_code

#: What stands between the levels of a category path in a filter.
PATH: Final = ">"
#: Up to so many lists of the beginning are looked up for an item that changes; beyond, its list is added again.
MOST_IN_DICT: Final = 20_000


class Lists(FieldCells):
    """Several texts an item. With `path`, `Shoes > Men` asks for the lists that begin so."""

    kind: Kind = "list"

    def __init__(self, codes: Rows, distinct: pl.Series, path: bool) -> None:
        super().__init__(codes, -1)
        flat = Texts.of(distinct.explode() if len(distinct) else pl.Series(dtype=pl.String))
        counts = distinct.list.len().to_numpy().astype(np.int64)
        self.words, self.path = flat.words, path
        self.word = Growing(flat.values)  # the words of all lists, one list after the other
        self.owner = Growing(np.repeat(np.arange(len(counts), dtype=np.int32), counts))  # their lists
        self.end = Growing(np.cumsum(counts))  # where each list ends
        self.first, self._added = len(counts), dict[tuple[int, ...], int]()
        self._stamp, self._by_item = 0, (-1, -1, np.empty((0, 1), np.int32))

    @classmethod
    def of(cls, column: pl.Series, path: bool = False) -> "Lists":
        """Take the lists of a catalogue's column; an empty one is unknown."""
        lists = column.cast(pl.List(pl.String)).list.drop_nulls()
        lists = pl.select(pl.when(lists.list.len() > 0).then(lists)).to_series().alias("list")
        distinct = lists.drop_nulls().unique(maintain_order=True)
        return cls(codes_in(lists, distinct), distinct, path)

    def put(self, row: int, value: Sequence[str] | None) -> None:
        """Set one value; an empty list is unknown."""
        code = self._coded(tuple(map(self.words.coded, value))) if value else -1
        if code != self.values[row]:
            self.values[row] = code
            self._stamp += 1

    def get(self, row: int) -> list[str] | None:
        """Return one value."""
        code = int(self.values[row])
        return None if code < 0 else [self.words[word] for word in self._list(code)]

    def among(self, values: Sequence[str], rows: int) -> Mask:
        """See `conditions.Column`."""
        lists = np.zeros(self.end.count, np.bool_)
        wanted = self.words.codes(values)
        lists[self.owner.now()[has_code(self.word.now(), wanted, len(self.words))]] = True
        for value in values:
            if self.path and PATH in value:
                lists |= self._beginning(value)
        return has_code(self.values[:rows], np.flatnonzero(lists), len(lists))

    def by_item(self, rows: int) -> Rows:
        """Return `[rows, depth]`: the codes of the words of each item's list, -1 past its end; not to be written to."""
        stamp = self._stamp
        if self._by_item[:2] != (stamp, rows):
            codes = self._table()[self.values[:rows]]
            codes.flags.writeable = False
            self._by_item = (stamp, rows, codes)
        return self._by_item[2]

    def crowded(self) -> bool:
        """Return whether most lists, or words, may be of no use any more."""
        most = max(MOST_ADDED, len(self.values))
        return self.end.count - self.first > most or len(self.words.added) > most

    def renewed(self) -> "Lists":
        """Return the same column with the lists in use alone."""
        used, codes = np.unique(self.values, return_inverse=True)
        texts = [None if code < 0 else [self.words[word] for word in self._list(code)] for code in used.tolist()]
        return Lists.of(pl.Series(texts, dtype=pl.List(pl.String)).gather(pl.Series(codes)), self.path)

    def _list(self, code: int) -> list[int]:
        """Return the codes of a list's words."""
        start = int(self.end.values[code - 1]) if code else 0
        words: list[int] = self.word.values[start : self.end.values[code]].tolist()
        return words

    def _table(self) -> Rows:
        """Return the codes of the words of each list, -1 past its end; the last row is that of no list."""
        end, word, owner = self.end.now(), self.word.now(), self.owner.now()
        counts = np.diff(end, prepend=0)
        codes = np.full((len(end) + 1, max(1, int(counts.max(initial=0)))), -1, np.int32)
        codes[owner, np.arange(len(word)) - (end - counts)[owner]] = word
        return codes

    def _beginning(self, path: str) -> Mask:
        """Return which lists begin with the levels of a path."""
        end, word = self.end.now(), self.word.now()
        counts = np.diff(end, prepend=0)
        levels = [self.words.code(level.strip()) for level in path.split(PATH)]
        if -1 in levels:
            return np.zeros(len(end), np.bool_)
        found: Mask = counts >= len(levels)
        for level, code in enumerate(levels):
            long = np.flatnonzero(found)
            found[long] = word[(end - counts)[long] + level] == code
        return found

    def _coded(self, words: tuple[int, ...]) -> int:
        """Return the code of a list, a new one where there is none."""
        known = self._added.get(words)
        if known is None and self.first <= MOST_IN_DICT:
            known = self._code_of_first.get(words)
        if known is not None:
            return known
        code = self._added[words] = self.end.count
        self.word.add(words)
        self.owner.add([code] * len(words))
        self.end.add([self.word.count])
        return code

    @cached_property
    def _code_of_first(self) -> dict[tuple[int, ...], int]:
        return {tuple(self._list(code)): code for code in range(self.first)}


class Growing:
    """An array that grows at its end; what a reader took of it stays as it is."""

    def __init__(self, values: NDArray[np.integer]) -> None:
        self.values, self.count = values, len(values)

    def now(self) -> NDArray[np.integer]:
        """Return what is there."""
        return self.values[: self.count]

    def add(self, values: Sequence[int]) -> None:
        """Put values behind the last."""
        end = self.count + len(values)
        if end > len(self.values):
            wider = np.empty(max(end, 2 * len(self.values)), self.values.dtype)
            wider[: self.count] = self.now()
            self.values = wider
        self.values[self.count : end] = values
        self.count = end
