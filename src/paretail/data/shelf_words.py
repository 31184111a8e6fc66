"""Words: distinct texts with a code each, and columns of one text an item."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.data.conditions import Kind, Mask
from paretail.data.shelf_columns import FieldCells

#: Up to this many words are looked up in a dictionary; more take too much memory and are searched by halves.
MOST_IN_DICT: Final = 100_000
#: A column is made anew when more values than this, and than it has items, were added since it was made.
MOST_ADDED: Final = 10_000
#: Up to so many codes are compared one by one, which is faster than to look each item's code up.
FEW: Final = 4


class Words(Sequence[str]):
    """Distinct texts by their code: those of the beginning sorted, then those added since."""

    def __init__(self, sorted_words: pl.Series | None = None) -> None:
        self.first = pl.Series(dtype=pl.String) if sorted_words is None else sorted_words
        self.added: list[str] = []
        self._code_of_added: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.first) + len(self.added)

    def __getitem__(self, code: int) -> str:  # type: ignore[override]  # no slices
        place, start = int(code), len(self.first)
        if place < 0:
            raise IndexError("no word has a code below 0")
        word: str = self.added[place - start] if place >= start else self.first[place]
        return word

    def __iter__(self) -> Iterator[str]:
        return chain(self.first.to_list(), self.added)

    def code(self, word: str) -> int:
        """Return the code of a word, -1 where there is none."""
        if (found := self._code_of_added.get(word)) is not None:
            return found
        if len(self.first) <= MOST_IN_DICT:
            return self._code_of_first.get(word, -1)
        at = bisect_left(self.first, word)  # polars sorts UTF-8, whose order is that of code points
        return at if at < len(self.first) and self.first[at] == word else -1

    def codes(self, words: Iterable[str]) -> NDArray[np.int32]:
        """Return the distinct codes of those of `words` that there are."""
        found = {self.code(word) for word in words} - {-1}
        return np.fromiter(found, np.int32, len(found))

    def coded(self, word: str) -> int:
        """Return the code of a word, a new one where there is none."""
        if (found := self.code(word)) >= 0:
            return found
        self.added.append(word)
        self._code_of_added[word] = len(self) - 1
        return len(self) - 1

    def texts(self, codes: NDArray[np.integer]) -> pl.Series:
        """Return the words of many codes, null for -1."""
        words = pl.concat([self.first, pl.Series(self.added, dtype=pl.String)])
        return words.gather(pl.Series(codes).cast(pl.Int64).replace(-1, None))

    @cached_property
    def _code_of_first(self) -> dict[str, int]:
        return {word: code for code, word in enumerate(self.first.to_list())}


class Texts(FieldCells):
    """One text an item, as a code."""

    kind: Kind = "text"

    def __init__(self, codes: Rows, words: Words) -> None:
        super().__init__(codes, -1)
        self.words = words

    @classmethod
    def of(cls, column: pl.Series) -> "Texts":
        """Take the texts of a catalogue's column."""
        column = column.cast(pl.String).alias("value")
        words = column.drop_nulls().unique().sort()
        return cls(codes_in(column, words), Words(words))

    def put(self, row: int, value: str | None) -> None:
        """Set one value."""
        self.values[row] = -1 if value is None else self.words.coded(value)

    def get(self, row: int) -> str | None:
        """Return one value."""
        code = int(self.values[row])
        return None if code < 0 else self.words[code]

    def among(self, values: Sequence[str], rows: int) -> Mask:
        """See `conditions.Column`."""
        return has_code(self.values[:rows], self.words.codes(values), len(self.words))

    def crowded(self) -> bool:
        """Return whether most words may be of no use any more."""
        return len(self.words.added) > max(MOST_ADDED, len(self.values))

    def renewed(self) -> "Texts":
        """Return the same column with the words in use alone."""
        return Texts.of(self.words.texts(self.values))


def codes_in(column: pl.Series, distinct: pl.Series) -> Rows:
    """Return the place of each value in `distinct`, which has the column's name; -1 for null."""
    places = distinct.to_frame().with_row_index("place")
    joined = column.to_frame().join(places, on=column.name, how="left", maintain_order="left")
    return joined["place"].cast(pl.Int32).fill_null(-1).to_numpy(writable=True)


def has_code(codes: NDArray[np.integer], wanted: NDArray[np.integer], size: int) -> Mask:
    """Return where one of `codes` (-1 or below `size`) is wanted."""
    if len(wanted) <= FEW:
        mask = np.zeros(len(codes), np.bool_)
        for code in wanted.tolist():
            mask |= codes == code
        return mask
    table = np.zeros(size + 1, np.bool_)  # its last place answers for -1
    table[wanted] = True
    found: Mask = table[codes]
    return found
