"""Columns of text and of lists of text: each value once, and a code for each item.

A filter looks at the distinct values, of which there are few, and then at the codes, which are small numbers.
"""

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.data.conditions import Kind, Mask
from paretail.data.shelf_columns import FieldCells

#: Up to this many words are looked up in a dictionary; more take too much memory and are searched by halves.
MOST_IN_DICT: Final = 100_000
#: A column is written anew when more values than this, and than it has items, were added since it was made.
MOST_ADDED: Final = 10_000
#: Up to so many codes are compared one by one, which is faster than to look each item's code up.
FEW: Final = 4
#: What stands between the levels of a category path in a filter.
PATH: Final = ">"


class Words(Sequence[str]):
    """Distinct texts by their code: those of the beginning sorted, then those added since."""

    def __init__(self, sorted_words: pl.Series) -> None:
        self.first, self.added = sorted_words, list[str]()
        self.code_of_added: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.first) + len(self.added)

    def __getitem__(self, code: int) -> str:  # type: ignore[override]  # no slices
        start = len(self.first)
        return self.added[code - start] if code >= start else self.first[code]

    def code(self, word: str) -> int:
        """Return the code of a word, -1 where there is none."""
        if (found := self.code_of_added.get(word)) is not None:
            return found
        if len(self.first) <= MOST_IN_DICT:
            return self._code_of_first.get(word, -1)
        at = bisect_left(self.first, word)
        return at if at < len(self.first) and self.first[at] == word else -1

    def coded(self, word: str) -> int:
        """Return the code of a word, a new one where there is none."""
        if (found := self.code(word)) >= 0:
            return found
        self.added.append(word)
        self.code_of_added[word] = len(self) - 1
        return len(self) - 1

    @cached_property
    def _code_of_first(self) -> dict[str, int]:
        return {word: code for code, word in enumerate(self.first.to_list())}


class Texts(FieldCells):
    """One text an item."""

    kind: Kind = "text"

    def __init__(self, codes: Rows, words: Words) -> None:
        super().__init__(codes, -1)
        self.words = words

    @classmethod
    def of(cls, column: pl.Series) -> "Texts":
        """Take the texts of a catalogue's column."""
        column = column.cast(pl.String)
        codes = (column.rank("dense").cast(pl.Int32) - 1).fill_null(-1).to_numpy(writable=True)
        return cls(codes, Words(column.drop_nulls().unique().sort()))

    @staticmethod
    def no_words() -> Words:
        """Return the words of a column that has none."""
        return Words(pl.Series(dtype=pl.String))

    def put(self, row: int, value: str | None) -> None:
        """Set one value."""
        self.values[row] = -1 if value is None else self.words.coded(value)

    def get(self, row: int) -> str | None:
        """Return one value."""
        code = int(self.values[row])
        return None if code < 0 else self.words[code]

    def among(self, values: Sequence[str], rows: int) -> Mask:
        """See `conditions.Column`."""
        found = {self.words.code(value) for value in values} - {-1}
        return has_code(self.values[:rows], np.fromiter(found, np.int32, len(found)), len(self.words))


class Lists(FieldCells):
    """Several texts an item, such as a category's path: a code for each distinct list, and its words in their order.

    With `path` a text such as `Shoes > Men` asks for the lists that begin so.
    """

    kind: Kind = "list"

    def __init__(self, codes: Rows, distinct: pl.Series, path: bool) -> None:
        super().__init__(codes, -1)
        flat = Texts.of(distinct.explode() if len(distinct) else pl.Series(dtype=pl.String))
        counts = distinct.list.len().to_numpy().astype(np.int64)
        self.words, self.path = flat.words, path
        self.word = Growing(flat.values)  # of each place of each list
        self.owner = Growing(np.repeat(np.arange(len(counts), dtype=np.int32), counts))
        self.end = Growing(np.cumsum(counts))
        self.added: dict[tuple[str, ...], int] = {}

    @classmethod
    def of(cls, column: pl.Series, path: bool = False) -> "Lists":
        """Take the lists of a catalogue's column; an empty one is unknown."""
        lists = column.cast(pl.List(pl.String)).list.drop_nulls()
        lists = pl.select(pl.when(lists.list.len() > 0).then(lists)).to_series().alias("list")
        distinct = lists.drop_nulls().unique(maintain_order=True)
        numbered = distinct.to_frame().with_row_index("code")
        codes = lists.to_frame().join(numbered, on="list", how="left", maintain_order="left")["code"]
        return cls(codes.cast(pl.Int32).fill_null(-1).to_numpy(writable=True), distinct, path)

    def put(self, row: int, value: Sequence[str] | None) -> None:
        """Set one value; an empty list is unknown."""
        self.values[row] = self._coded(tuple(value)) if value else -1

    def get(self, row: int) -> list[str] | None:
        """Return one value."""
        code = int(self.values[row])
        if code < 0:
            return None
        start = int(self.end.values[code - 1]) if code else 0
        return [self.words[word] for word in self.word.values[start : self.end.values[code]].tolist()]

    def among(self, values: Sequence[str], rows: int) -> Mask:
        """See `conditions.Column`."""
        found = {self.words.code(value) for value in values} - {-1}
        wanted = np.fromiter(found, np.int32, len(found))
        lists = np.zeros(self.end.count, np.bool_)
        lists[self.owner.now()[has_code(self.word.now(), wanted, len(self.words))]] = True
        for value in values:
            if self.path and PATH in value:
                lists |= self._beginning(value)
        return has_code(self.values[:rows], np.flatnonzero(lists), len(lists))

    def table(self) -> Rows:
        """Return the codes of the words of each list, -1 past its end; the last row is that of no list."""
        end, word, owner = self.end.now(), self.word.now(), self.owner.now()
        counts = np.diff(end, prepend=0)
        codes = np.full((len(end) + 1, max(1, int(counts.max(initial=0)))), -1, np.int32)
        codes[owner, np.arange(len(word)) - (end - counts)[owner]] = word
        return codes

    def by_item(self, rows: int) -> Rows:
        """Return `[items, depth]`: the codes of the words of each item's list, -1 past its end."""
        return self.table()[self.values[:rows]]

    def _coded(self, value: tuple[str, ...]) -> int:
        if (found := self.added.get(value)) is not None:
            return found
        code = self.added[value] = self.end.count
        self.word.add([self.words.coded(word) for word in value])
        self.owner.add([code] * len(value))
        self.end.add([self.word.count])
        return code

    def _beginning(self, path: str) -> Mask:
        """Return which lists begin with the levels of a path."""
        levels = [self.words.code(level.strip()) for level in path.split(PATH)]
        table = self.table()[:-1]
        if -1 in levels or len(levels) > table.shape[1]:
            return np.zeros(len(table), np.bool_)
        found: Mask = (table[:, : len(levels)] == levels).all(axis=1)
        return found


class Growing:
    """An array that grows at its end; a reader's part stays as it is."""

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


def has_code(codes: NDArray[np.integer], wanted: NDArray[np.integer], size: int) -> Mask:
    """Return where one of `codes` (-1 or below `size`) is wanted."""
    if len(wanted) <= FEW:
        mask = np.zeros(len(codes), np.bool_)
        for code in wanted.tolist():
            mask |= codes == code
        return mask
    table: Mask = np.zeros(size + 1, np.bool_)  # its last place answers for -1
    table[wanted] = True
    return table[codes]
