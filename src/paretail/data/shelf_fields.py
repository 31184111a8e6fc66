"""Fields of the shelf: which column a field of the catalogue, or of a document, becomes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from paretail.core.errors import Problem
from paretail.data.conditions import Kind, Mask
from paretail.data.documents import Attribute
from paretail.data.filter_checks import TYPES, moment_ms
from paretail.data.shelf_columns import FieldCells, Flags, Moments, Numbers, Opaque, Whole
from paretail.data.shelf_lists import Lists
from paretail.data.shelf_words import Texts, Words
from paretail.data.types import ITEM_COLUMNS

#: Attributes that documents may add; a catalogue may have more.
MOST_ATTRIBUTES: Final = 200


@dataclass(frozen=True)
class OwnColumns:
    """The item's own fields."""

    title: Texts
    category: Lists
    brand: Texts
    price: Whole
    margin: Numbers
    in_stock: Flags
    created: Whole
    parent_id: Texts

    def by_name(self) -> dict[str, FieldCells]:
        """Return the columns by the names that filters use."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


class Ids:
    """The ids of items, as a field."""

    kind: Kind = "text"

    def __init__(self, row: Callable[[str], int]) -> None:
        self.row = row

    def known(self, rows: int) -> Mask:
        """See `conditions.Column`."""
        return np.ones(rows, np.bool_)

    def among(self, values: Sequence[str], rows: int) -> Mask:
        """See `conditions.Column`."""
        mask = np.zeros(rows, np.bool_)
        mask[[row for value in values if 0 <= (row := self.row(value)) < rows]] = True
        return mask

    def within(self, low: object, high: object, open_low: bool, open_high: bool, rows: int) -> Mask:
        """Not asked: texts have no order."""
        raise NotImplementedError


def own_columns(catalogue: pl.DataFrame, minor_per_major: int) -> OwnColumns:
    """Return the item's own fields; those that the shop lacks are unknown throughout."""

    def series(name: str) -> pl.Series:
        if name in catalogue.columns:
            return catalogue[name]
        return pl.Series(name, [None], dtype=ITEM_COLUMNS[name]).new_from_index(0, catalogue.height)

    def whole(name: str, nothing: int) -> Any:
        return series(name).cast(pl.Int64).fill_null(nothing).to_numpy(writable=True)

    return OwnColumns(
        title=Texts.of(series("title")),
        category=Lists.of(series("category"), path=True),
        brand=Texts.of(series("brand")),
        price=Whole.prices(whole("price_minor", -1), minor_per_major),
        margin=Numbers.of(series("margin")),
        in_stock=Flags.of(series("in_stock")),
        created=Whole.moments(whole("created_ts_ms", 0)),
        parent_id=Texts.of(series("parent_id")),
    )


def attribute_columns(catalogue: pl.DataFrame) -> dict[str, FieldCells]:
    """Return the shop's own columns."""
    told = (column for column in catalogue if column.name not in ITEM_COLUMNS and column.dtype != pl.Null)
    return {column.name: attribute_column(column) for column in told}


def attribute_column(column: pl.Series) -> FieldCells:
    """Return the column of an attribute by the type of what it holds."""
    dtype = column.dtype
    if dtype == pl.Boolean:
        return Flags.of(column)
    if dtype.is_numeric():
        return Numbers.of(column)
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return Texts.of(column)
    if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.String | pl.Categorical | pl.Enum):
        return Lists.of(column)
    if isinstance(dtype, pl.Date | pl.Datetime):
        return Moments.of(column)
    return Opaque(column.is_not_null().to_numpy(writable=True))


def empty_column(kind: Kind, capacity: int) -> FieldCells:
    """Return a column of unknown values for an attribute that a document brought."""
    match kind:
        case "number":
            return Numbers(np.full(capacity, np.nan))
        case "flag":
            return Flags(np.full(capacity, -1, np.int8))
        case "list":
            return Lists.of(pl.Series([None], dtype=pl.List(pl.String)).new_from_index(0, capacity))
    return Texts(np.full(capacity, -1, np.int32), Words())


def kind_of(value: Attribute) -> Kind:
    """Return what a document's value is; not for None."""
    match value:
        case bool():
            return "flag"
        case int() | float():
            return "number"
        case str():
            return "text"
    return "list"


def fits(value: Attribute, kind: Kind) -> bool:
    """Return whether a document's value, which is not None, can stand in a column of a kind."""
    if kind == "time":
        return isinstance(value, str) and moment_ms(value) is not None
    return kind_of(value) == kind


def conflicts(item_id: str, attributes: Mapping[str, Attribute], kinds: Mapping[str, Kind]) -> dict[str, Problem]:
    """Return by attribute why it cannot be taken beside the `kinds` that there are."""
    told = {name: value for name, value in attributes.items() if value is not None}
    new = [name for name in told if name not in kinds]
    room = max(0, MOST_ATTRIBUTES - len(kinds))
    found = {name: _too_many(item_id, name) for name in new[room:]}
    mistyped = {name: kinds[name] for name, value in told.items() if name in kinds and not fits(value, kinds[name])}
    return found | {name: _other_type(item_id, name, told[name], kind) for name, kind in mistyped.items()}


def _too_many(item_id: str, name: str) -> Problem:
    found = f"item {item_id!r} brings the attribute {name!r}, one more than {MOST_ATTRIBUTES}"
    return Problem("LIVE-22", found, f"At most {MOST_ATTRIBUTES} attributes in a shop", "Use those that there are")


def _other_type(item_id: str, name: str, value: Attribute, here: Kind) -> Problem:
    there = TYPES[here][0]
    found = f"item {item_id!r}: attribute {name!r} is {TYPES[kind_of(value)][0]}, and {there} in the catalogue"
    do = "Correct the value; or set the attribute to null for all items, and then to the new type"
    return Problem("LIVE-21", found, f"Expected {there}", do)
