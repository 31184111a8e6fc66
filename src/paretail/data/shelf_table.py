"""Table: the rows and columns of a shelf, without a thought of threads."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from paretail.core.errors import Problem
from paretail.core.ids import Vocabulary
from paretail.data.conditions import Column, Field, Kind, Mask
from paretail.data.documents import ItemDocument
from paretail.data.shelf_columns import Cells, FieldCells, Flags, Opaque
from paretail.data.shelf_fields import Ids, OwnColumns, conflicts, empty_column, fits, kind_of
from paretail.data.shelf_groups import Groups
from paretail.data.shelf_lists import Lists
from paretail.data.shelf_words import Texts


class Table:
    """All items and what is known of each; rows are only ever added."""

    def __init__(self, vocabulary: Vocabulary, own: OwnColumns, attributes: dict[str, FieldCells]) -> None:
        self._first, self._added, self._row_of_added = vocabulary, list[str](), dict[str, int]()
        self.own, self.attributes = own, attributes
        self.attribute_kinds = {name: column.kind for name, column in attributes.items()}
        self.own_kinds: dict[str, Kind] = {"item_id": "text"}
        self.own_kinds |= {name: column.kind for name, column in own.by_name().items()}
        self.hidden, self.deleted = (Flags(np.zeros(len(vocabulary), np.int8)) for _ in range(2))
        self.groups = Groups(own.parent_id, vocabulary, self.row)
        self._ids = Ids(self.row)

    @property
    def end(self) -> int:
        """The row of the next new item."""
        return len(self._first) + len(self._added)

    def row(self, item_id: str) -> int:
        """Return the row of an item, -1 where there is none."""
        known = self._first.row(item_id)
        return known if known >= 0 else self._row_of_added.get(item_id, -1)

    def id(self, row: int) -> str:
        """Return the id of the item at `row`."""
        learned = len(self._first)
        return self._first.name(row) if row < learned else self._added[row - learned]

    def column(self, asked: Field) -> Column:
        """Return the column of a field that is there."""
        if asked.own or asked.name not in self.own_kinds:
            return self.attributes[asked.name]
        return self._ids if asked.name == "item_id" else self.own.by_name()[asked.name]

    def kinds(self) -> tuple[Mapping[str, Kind], Mapping[str, Kind]]:
        """Return the kinds of the items' own fields and of their attributes, by name."""
        return self.own_kinds, self.attribute_kinds

    def listable(self, out_of_stock: bool, rows: int) -> Mask:
        """Return which of the first `rows` items may be listed."""
        there: Mask = (self.hidden.values[:rows] == 0) & (self.deleted.values[:rows] == 0)
        if not out_of_stock:
            there &= self.own.in_stock.values[:rows] != 0
        return there

    def document(self, row: int) -> ItemDocument | None:
        """Return all that is known of an item but its vectors, None where it was deleted."""
        if self.deleted.values[row] == 1:
            return None
        own, attributes = self.own, {name: column.get(row) for name, column in self.attributes.items()}
        return ItemDocument(
            title=own.title.get(row),
            category=own.category.get(row),
            brand=own.brand.get(row),
            price_minor=own.price.get(row),
            margin=own.margin.get(row),
            in_stock=own.in_stock.get(row),
            created_ts_ms=own.created.get(row),
            parent_id=own.parent_id.get(row),
            hidden=bool(self.hidden.values[row]),
            attributes={name: value for name, value in attributes.items() if value is not None},
        )

    def conflicts(self, item_id: str, document: ItemDocument, kinds: Mapping[str, Kind]) -> dict[str, Problem]:
        """Return by attribute why it cannot be taken beside `kinds`; the one item that has one may change its type."""
        found = conflicts(item_id, document.attributes, kinds)
        return {name: problem for name, problem in found.items() if not self._is_alone(item_id, name)}

    def set(self, item_id: str, document: ItemDocument, leave: Iterable[str] = ()) -> None:
        """Write a document into the columns, but for the attributes to `leave`; what it does not tell is unknown."""
        row = self.row(item_id)
        row = self._new_row(item_id) if row < 0 else row
        told = {name: value for name, value in document.attributes.items() if value is not None and name not in leave}
        for name, value in told.items():
            if name not in self.attributes or not fits(value, self.attribute_kinds[name]):
                self._add_column(name, kind_of(value))
        self._fill(row, document)
        for name, column in self.attributes.items():
            if not isinstance(column, Opaque):
                column.put(row, told.get(name))

    def clear(self, row: int) -> None:
        """Forget what is known of an item, which is deleted."""
        self.set(self.id(row), ItemDocument())
        self.deleted.values[row] = 1

    def crowded(self) -> Iterator[Callable[[], None]]:
        """Make anew each column of which most words may be of no use, and return what puts it in its place."""
        for name, column in self.own.by_name().items():
            if isinstance(column, Texts | Lists) and column.crowded():
                yield partial(self._put_own, name, column.renewed())
        for name, column in self.attributes.items():
            if isinstance(column, Texts | Lists) and column.crowded():
                yield partial(self._put_attribute, name, column.renewed())

    def _put_own(self, name: str, column: FieldCells) -> None:
        self.own = replace(self.own, **{name: column})  # type: ignore[arg-type]  # a column of the same type

    def _put_attribute(self, name: str, column: FieldCells) -> None:
        self.attributes = {**self.attributes, name: column}

    def _is_alone(self, item_id: str, name: str) -> bool:
        """Return whether an attribute is there and no other item has it."""
        if (column := self.attributes.get(name)) is None:
            return False
        known, row = column.known(self.end), self.row(item_id)
        return int(known.sum()) == int(row >= 0 and known[row])

    def _add_column(self, name: str, kind: Kind) -> None:
        """Make the column of an attribute that is new, or takes another type."""
        self.attributes = {**self.attributes, name: empty_column(kind, len(self.hidden.values))}
        self.attribute_kinds = {**self.attribute_kinds, name: kind}

    def _fill(self, row: int, document: ItemDocument) -> None:
        own = self.own
        own.title.put(row, document.title)
        own.category.put(row, document.category)
        own.brand.put(row, document.brand)
        own.price.put(row, document.price_minor)
        own.margin.put(row, document.margin)
        own.in_stock.put(row, document.in_stock)
        own.created.put(row, document.created_ts_ms)
        own.parent_id.put(row, document.parent_id)
        self.hidden.values[row], self.deleted.values[row] = document.hidden, 0
        self.groups.put(row, self.id(row), document.parent_id)

    def _new_row(self, item_id: str) -> int:
        row = self.end
        if row == len(self.hidden.values):
            for cells in self._cells():
                cells.grow(row + max(1024, row // 4))
        self._added.append(item_id)
        self._row_of_added[item_id] = row
        return row

    def _cells(self) -> Iterator[Cells]:
        yield from (self.hidden, self.deleted, self.groups)
        yield from self.own.by_name().values()
        yield from self.attributes.values()
