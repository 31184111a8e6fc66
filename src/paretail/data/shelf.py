"""Shelf: the catalogue as it is at this moment, in columns to filter by.

Row r is item r of the bundle; items that came since have the rows after it. One thread writes at a time, under a lock.
Readers take none: arrays are changed in place, and are never shorter than one that was read before, so read `rows`
first and cut what is read afterwards to it. A mask is that of one moment between two changes.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock, RLock
from typing import Any, Final, Self, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.errors import DataError, Problem
from paretail.core.ids import Rows, Vocabulary
from paretail.data.conditions import Column, Field, Kind, Mask
from paretail.data.documents import ItemDocument
from paretail.data.filters import Filter
from paretail.data.shelf_columns import Cells, FieldCells, Flags, Opaque
from paretail.data.shelf_fields import Ids, OwnColumns, attribute_columns, conflicts, empty_column, kind_of, own_columns
from paretail.data.shelf_groups import Groups
from paretail.data.shelf_words import Texts, Words

__all__ = ["ItemDocument", "Shelf"]

T = TypeVar("T")

#: Masks are kept for so many filters, and for fewer where they would take more than these bytes.
MOST_MASKS: Final = 256
MOST_BYTES: Final = 64 << 20
#: How often a reader tries again when a change overtook it; then it waits for the writer.
TRIES: Final = 3


class Shelf:
    """All items that can be listed or asked for; safe to share by threads."""

    def __init__(self, vocabulary: Vocabulary, own: OwnColumns, attributes: dict[str, FieldCells]) -> None:
        self.learned: Final = len(vocabulary)
        self.rows = self.learned
        self._first, self._added, self._row_of_added = vocabulary, list[str](), dict[str, int]()
        self._own, self._attributes = own, attributes
        self._kinds = {name: column.kind for name, column in attributes.items()}
        self._own_kinds: dict[str, Kind] = {
            "item_id": "text",
            **{name: column.kind for name, column in own.by_name().items()},
        }
        self._ids = Ids(self.row)
        self._hidden, self._deleted = (Flags(np.zeros(self.learned, np.int8)) for _ in range(2))
        self._groups = Groups(own.parent_id, vocabulary, self.row)
        self._ticks, self._writing = 0, RLock()
        self._masks: OrderedDict[str, tuple[int, Mask]] = OrderedDict()
        self._keeping = Lock()

    @classmethod
    def of(cls, catalogue: pl.DataFrame, vocabulary: Vocabulary, minor_per_major: int) -> Self:
        """Make the shelf of a bundle: row r of `catalogue` (see ITEM_COLUMNS) is item r of `vocabulary`."""
        if catalogue.height != len(vocabulary):
            raise ValueError("a catalogue must have one row for each item of its vocabulary")
        return cls(vocabulary, own_columns(catalogue, minor_per_major), attribute_columns(catalogue))

    # What is there

    def __len__(self) -> int:
        return self.rows

    @property
    def version(self) -> int:
        """How many changes there were."""
        return self._ticks // 2  # an odd number of ticks: a change is being made

    def row(self, item_id: str) -> int:
        """Return the row of an item, of a deleted one too; -1 where there never was one."""
        known = self._first.row(item_id)
        return known if known >= 0 else self._row_of_added.get(item_id, -1)

    def ids(self, rows: NDArray[np.integer] | Sequence[int]) -> list[str]:
        """Return the ids of `rows`."""
        first, added, learned = self._first.ids, self._added, self.learned
        return [first[row] if row < learned else added[row - learned] for row in np.asarray(rows).tolist()]

    def names(self, rows: NDArray[np.integer] | Sequence[int]) -> list[str]:
        """Return what a person calls the items of `rows`: their titles, else their ids."""
        titles = self._own.title
        return [titles.get(row) or self.ids([row])[0] for row in np.asarray(rows).tolist()]

    def get(self, item_id: str) -> ItemDocument | None:
        """Return all that is known of an item but its vectors; None where it is not there, or was deleted."""
        row = self.row(item_id)
        return None if row < 0 else self._steady(lambda: self._document(row))[1]

    # Which may be listed

    def listable(self, out_of_stock: bool = False) -> Mask:
        """Return which items may be listed: neither hidden nor deleted, and in stock or of unknown stock."""
        return self._kept("listable" if not out_of_stock else "there", lambda: self._listable(out_of_stock))

    def matching(self, wanted: Filter) -> Mask:
        """Return for which items a filter is true, listable or not; UsageError where it does not fit the fields."""
        return self._kept(f"filter {wanted}", lambda: wanted.mask(self, self.rows))

    def column(self, asked: Field) -> Column:
        """Return the column of a field that is there."""
        if asked.name in self._own_kinds and not asked.own:
            return self._ids if asked.name == "item_id" else self._own.by_name()[asked.name]
        return self._attributes[asked.name]

    def kinds(self) -> tuple[Mapping[str, Kind], Mapping[str, Kind]]:
        """Return the kinds of the items' own fields and of their attributes, by name."""
        return self._own_kinds, self._kinds

    # Columns for others

    @property
    def parents(self) -> Rows:
        """A group number for each item: equal ones are variants of one product, the product itself among them."""
        return self._now(self._groups)

    @property
    def price_minor(self) -> NDArray[np.int64]:
        """The price in minor units of each item, -1 where unknown."""
        return self._now(self._own.price)

    @property
    def created_ts_ms(self) -> NDArray[np.int64]:
        """Since when each item is sold, 0 where unknown."""
        return self._now(self._own.created)

    @property
    def brands(self) -> Texts:
        """Codes and words of brands, of one moment: `brand_codes` and `brand_words` may be of two."""
        return self._own.brand

    @property
    def brand_codes(self) -> Rows:
        """The brand of each item as its place in `brand_words`, -1 where unknown."""
        return self._now(self.brands)

    @property
    def brand_words(self) -> Words:
        """All brands."""
        return self.brands.words

    @property
    def category_codes(self) -> Rows:
        """`[items, depth]`: the category path of each item as places in `category_words`, -1 past its end."""
        return self._steady(lambda: self._own.category.by_item(self.rows))[1]

    @property
    def category_words(self) -> Words:
        """All categories, each word once, wherever in a path it stands."""
        return self._own.category.words

    def categories(self, row: int) -> list[str]:
        """Return the category path of an item, from the widest to the narrowest."""
        return self._own.category.get(row) or []

    def brand(self, row: int) -> str | None:
        """Return the brand of an item."""
        return self.brands.get(row)

    # Changes

    def put(self, item_id: str, document: ItemDocument) -> None:
        """Set all that is known of an item, new or not; DataError where an attribute changes its type."""
        with self._writing:
            if problems := conflicts(item_id, document.attributes, self._kinds):
                raise DataError(list(problems.values()))
            with self._change():
                self._set(item_id, document)

    def delete(self, item_id: str) -> None:
        """Take an item off; one that is not known is no matter."""
        with self._writing:
            if (row := self.row(item_id)) >= 0:
                with self._change():
                    self._fill(row, ItemDocument())
                    self._deleted.values[row] = 1

    def put_all(self, documents: Iterable[tuple[str, ItemDocument | None]]) -> list[Problem]:
        """Set many items, None deleting one; an attribute that does not fit stays unknown, and is told.

        For documents that are stored already: the type of an attribute may have changed since, with the catalogue.
        """
        told: list[Problem] = []
        for item_id, document in documents:
            if document is None:
                self.delete(item_id)
                continue
            with self._writing:
                problems = conflicts(item_id, document.attributes, self._kinds)
                with self._change():
                    self._set(item_id, document, leave=problems)
            told += problems.values()
        return told

    def refused(self, documents: Iterable[tuple[str, ItemDocument]]) -> dict[int, list[Problem]]:
        """Return which of a batch `put` would refuse, one after the other, by their place; nothing is changed."""
        kinds, found = dict(self._kinds), {}
        for place, (item_id, document) in enumerate(documents):
            if problems := conflicts(item_id, document.attributes, kinds):
                found[place] = list(problems.values())
            else:
                new = {name: value for name, value in document.attributes.items() if value is not None}
                kinds = {**{name: kind_of(value) for name, value in new.items()}, **kinds}
        return found

    def _set(self, item_id: str, document: ItemDocument, leave: Iterable[str] = ()) -> None:
        row = self.row(item_id)
        row = self._new_row(item_id) if row < 0 else row
        for name, value in document.attributes.items():
            if value is not None and name not in self._attributes:
                self._attributes = {**self._attributes, name: empty_column(kind_of(value), len(self._hidden.values))}
                self._kinds = {**self._kinds, name: kind_of(value)}
        self._fill(row, document, leave)

    def _fill(self, row: int, document: ItemDocument, leave: Iterable[str] = ()) -> None:
        """Write a document into the columns; what it does not tell becomes unknown."""
        own = self._own
        own.title.put(row, document.title)
        own.category.put(row, document.category)
        own.brand.put(row, document.brand)
        own.price.put(row, document.price_minor)
        own.margin.put(row, document.margin)
        own.in_stock.put(row, document.in_stock)
        own.created.put(row, document.created_ts_ms)
        own.parent_id.put(row, document.parent_id)
        self._hidden.values[row], self._deleted.values[row] = document.hidden, 0
        self._groups.put(row, self.ids([row])[0], document.parent_id)
        for name, column in self._attributes.items():
            if not isinstance(column, Opaque):
                column.put(row, None if name in leave else document.attributes.get(name))

    def _new_row(self, item_id: str) -> int:
        if self.rows == len(self._hidden.values):
            for cells in (
                *self._own.by_name().values(),
                *self._attributes.values(),
                self._hidden,
                self._deleted,
                self._groups,
            ):
                cells.grow(self.rows + max(1024, self.rows // 4))
        self._hidden.values[self.rows] = 0
        self._added.append(item_id)
        self._row_of_added[item_id] = self.rows
        self.rows += 1
        return self.rows - 1

    # What readers see

    @contextmanager
    def _change(self) -> Iterator[None]:
        self._ticks += 1
        try:
            yield
        finally:
            self._ticks += 1

    def _steady(self, read: Callable[[], T]) -> tuple[int, T]:
        """Return what `read` finds between two changes, and the version of that moment."""
        for _ in range(TRIES):
            ticks = self._ticks
            if ticks % 2 == 0:
                try:
                    found = read()
                except IndexError:  # a code that was new when its word's place had been asked for
                    if self._ticks == ticks:
                        raise
                    continue
                if self._ticks == ticks:
                    return ticks // 2, found
        with self._writing:
            return self.version, read()

    def _kept(self, key: str, read: Callable[[], Mask]) -> Mask:
        """Return the mask kept of this version, or make it."""
        kept = self._masks.get(key)
        if kept is not None and kept[0] == self.version:
            return kept[1]
        version, mask = self._steady(read)
        mask.flags.writeable = False
        with self._keeping:
            self._masks[key] = (version, mask)
            self._masks.move_to_end(key)
            while len(self._masks) > max(8, min(MOST_MASKS, MOST_BYTES // max(1, self.rows))):
                self._masks.popitem(last=False)
        return mask

    def _listable(self, out_of_stock: bool) -> Mask:
        rows = self.rows
        there = (self._hidden.values[:rows] == 0) & (self._deleted.values[:rows] == 0)
        listed: Mask = there if out_of_stock else there & (self._own.in_stock.values[:rows] != 0)
        return listed

    def _document(self, row: int) -> ItemDocument | None:
        if self._deleted.values[row] == 1:
            return None
        own = self._own
        attributes = {name: column.get(row) for name, column in self._attributes.items()}
        known = {name: value for name, value in attributes.items() if value is not None}
        return ItemDocument(
            title=own.title.get(row),
            category=own.category.get(row),
            brand=own.brand.get(row),
            price_minor=own.price.get(row),
            margin=own.margin.get(row),
            in_stock=own.in_stock.get(row),
            created_ts_ms=own.created.get(row),
            parent_id=own.parent_id.get(row),
            hidden=bool(self._hidden.values[row]),
            attributes=known,
        )

    def _now(self, cells: Cells) -> NDArray[Any]:
        rows = self.rows
        view = cells.values[:rows]
        view.flags.writeable = False
        return view
