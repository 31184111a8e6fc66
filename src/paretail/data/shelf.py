"""Shelf: the catalogue as it is at this moment, in columns to filter by.

Row r is item r of the bundle; items that came since have the rows after it. One thread writes at a time, under a lock.
Readers take none. What they are given is never shorter than `rows` was when they read it before: read `rows` first and
cut to it. A mask is that of one moment between two changes; other arrays are the columns themselves, as they change.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.errors import DataError, Problem
from paretail.core.ids import Rows, Vocabulary
from paretail.data.conditions import Mask, leaves
from paretail.data.documents import ItemDocument
from paretail.data.filters import Filter
from paretail.data.shelf_columns import Cells, Numbers
from paretail.data.shelf_fields import attribute_columns, kind_of, own_columns
from paretail.data.shelf_table import Table
from paretail.data.shelf_turns import Masks, Turns
from paretail.data.shelf_words import Words

__all__ = ["ItemDocument", "Shelf"]

#: After so many changes it is looked whether columns hold words of no use.
TIDY_EVERY: Final = 1024


class Shelf:
    """All items that can be listed or asked for; safe to share by threads."""

    def __init__(self, table: Table) -> None:
        self.learned: Final = table.end
        self._table = table
        self._turns = Turns(self.learned)
        self._masks = Masks(self._turns)

    @classmethod
    def of(cls, catalogue: pl.DataFrame, vocabulary: Vocabulary, minor_per_major: int) -> Self:
        """Make the shelf of a bundle: row r of `catalogue` (see ITEM_COLUMNS) is item r of `vocabulary`."""
        if catalogue.height != len(vocabulary):
            raise ValueError("a catalogue must have one row for each item of its vocabulary")
        return cls(Table(vocabulary, own_columns(catalogue, minor_per_major), attribute_columns(catalogue)))

    # What is there

    @property
    def rows(self) -> int:
        """How many items there are or were, deleted ones too."""
        return self._turns.now.rows

    def __len__(self) -> int:
        return self.rows

    @property
    def version(self) -> int:
        """How many changes there were."""
        return self._turns.now.version

    def row(self, item_id: str) -> int:
        """Return the row of an item, of a deleted one too; -1 where there never was one."""
        return self._table.row(item_id)

    def ids(self, rows: NDArray[np.integer] | Sequence[int]) -> list[str]:
        """Return the ids of `rows`."""
        return [self._table.id(row) for row in np.asarray(rows).tolist()]

    def names(self, rows: NDArray[np.integer] | Sequence[int]) -> list[str]:
        """Return what a person calls the items of `rows`: their titles, else their ids."""
        titles = self._table.own.title
        return [titles.get(row) or self._table.id(row) for row in np.asarray(rows).tolist()]

    def get(self, item_id: str) -> ItemDocument | None:
        """Return all that is known of an item but its vectors; None where it is not there, or was deleted."""
        row = self.row(item_id)
        return None if row < 0 else self._turns.steady(lambda _: self._table.document(row))[1]

    # Which may be listed

    def listable(self, out_of_stock: bool = False) -> Mask:
        """Return which items may be listed: neither hidden nor deleted, and in stock or of unknown stock."""
        return self._masks.get(
            "there" if out_of_stock else "in stock", lambda rows: self._table.listable(out_of_stock, rows)
        )

    def matching(self, wanted: Filter) -> Mask:
        """Return for which items a filter is true, listable or not; UsageError where it does not fit the fields."""
        return self._masks.get(f"filter {wanted}", lambda rows: wanted.mask(self._table, rows))

    def untold(self, wanted: Filter) -> list[str]:
        """Return the fields of a filter that fits of which nothing is known of any item."""
        fields = dict.fromkeys(leaf.field for leaf in leaves(wanted.condition))
        rows = self.rows
        return [str(field) for field in fields if not self._table.column(field).known(rows).any()]

    # Columns for others

    @property
    def parents(self) -> Rows:
        """A group number for each item: equal ones are variants of one product, the product itself among them."""
        return self._now(self._table.groups)

    @property
    def price_minor(self) -> NDArray[np.int64]:
        """The price in minor units of each item, -1 where unknown."""
        return self._now(self._table.own.price)

    @property
    def margin(self) -> NDArray[np.float64]:
        """The share of the price that is profit of each item, NaN where unknown."""
        return self._now(self._table.own.margin)

    def numbers(self, name: str) -> NDArray[np.float64] | None:
        """Return an attribute of numbers of each item, NaN where unknown; None where it is no such attribute."""
        column = self._table.attributes.get(name)
        return self._now(column) if isinstance(column, Numbers) else None

    @property
    def created_ts_ms(self) -> NDArray[np.int64]:
        """Since when each item is sold, 0 where unknown."""
        return self._now(self._table.own.created)

    @property
    def brand_codes(self) -> Rows:
        """The brand of each item as its place in `brand_words`, -1 where unknown."""
        return self._now(self._table.own.brand)

    @property
    def brand_words(self) -> Words:
        """All brands."""
        return self._table.own.brand.words

    @property
    def category_codes(self) -> Rows:
        """`[items, depth]`: the category path of each item as places in `category_words`, -1 past its end."""
        return self._turns.steady(self._table.own.category.by_item)[1]

    @property
    def category_words(self) -> Words:
        """All categories, each word once, wherever in a path it stands."""
        return self._table.own.category.words

    def categories(self, row: int) -> list[str]:
        """Return the category path of an item, from the widest to the narrowest."""
        return self._table.own.category.get(row) or []

    def brand(self, row: int) -> str | None:
        """Return the brand of an item."""
        return self._table.own.brand.get(row)

    # Changes

    def check(self, item_id: str, document: ItemDocument) -> None:
        """Raise DataError where `put` would."""
        if problems := self._table.conflicts(item_id, document, self._table.attribute_kinds):
            raise DataError(list(problems.values()))

    def refused(self, documents: Iterable[tuple[str, ItemDocument]]) -> dict[int, list[Problem]]:
        """Return which documents of a batch, by their place, `put` would refuse after those before; changes nothing."""
        kinds, found = dict(self._table.attribute_kinds), {}
        for place, (item_id, document) in enumerate(documents):
            if problems := self._table.conflicts(item_id, document, kinds):
                found[place] = list(problems.values())
            else:
                kinds |= {name: kind_of(value) for name, value in document.attributes.items()
                          if value is not None and name not in kinds}  # fmt: skip
        return found

    def put(self, item_id: str, document: ItemDocument) -> None:
        """Set all that is known of an item, new or not; DataError where an attribute changes its type."""
        with self._turns.writing:
            self.check(item_id, document)
            self._set(item_id, document)

    def delete(self, item_id: str) -> None:
        """Take an item off until it is put again; one that is not known is no matter."""
        with self._turns.writing:
            row = self.row(item_id)
            if row >= 0 and not self._table.deleted.values[row]:
                with self._turns.change(self._end):
                    self._table.clear(row)

    def put_all(self, documents: Iterable[tuple[str, ItemDocument | None]]) -> list[Problem]:
        """Set many items, None deleting one; an attribute that does not fit stays unknown, and is told.

        For documents that are stored already: the type of an attribute may have changed since, with the catalogue.
        """
        told: list[Problem] = []
        for item_id, document in documents:
            if document is None:
                self.delete(item_id)
                continue
            with self._turns.writing:
                problems = self._table.conflicts(item_id, document, self._table.attribute_kinds)
                self._set(item_id, document, problems)
            told += problems.values()
        return told

    def _set(self, item_id: str, document: ItemDocument, leave: Iterable[str] = ()) -> None:
        with self._turns.change(self._end):
            self._table.set(item_id, document, leave)
        if self.version % TIDY_EVERY == 0:
            for renew in self._table.crowded():  # made while readers go on with the old column
                with self._turns.change(self._end):
                    renew()

    def _end(self) -> int:
        return self._table.end

    def _now(self, cells: Cells) -> NDArray[Any]:
        view = cells.values[: self.rows]
        view.flags.writeable = False
        return view
