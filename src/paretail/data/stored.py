"""Between tables and what a store keeps: documents of items and users, and back."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import polars as pl

from paretail.data.cells import as_flag
from paretail.data.documents import Attribute, ItemDocument
from paretail.data.types import ITEM_COLUMNS

#: A column of the shop's that says which items are never listed.
HIDDEN: Final = "hidden"
_encode = msgspec.json.Encoder().encode


class UserDocument(msgspec.Struct):
    """All that is known of a user."""

    user_id: str
    attributes: dict[str, Attribute] = {}


def item_documents(items: pl.DataFrame) -> dict[str, bytes]:
    """Return the document of each item; of `items` (see Catalogue) vectors and what is nested otherwise are left out.

    A column `hidden` of the shop's own says which items are never listed.
    """
    known = [name for name in ITEM_COLUMNS if name in items.columns and name != "item_id"]
    own = kept_columns(items, [*ITEM_COLUMNS, HIDDEN])
    hidden = as_flag(items[HIDDEN]).fill_null(False) if HIDDEN in items.columns else pl.lit(False)
    rows = items.select("item_id", *known, hidden.alias(HIDDEN), *_plain(items, own)).iter_rows(named=True)
    return {
        row["item_id"]: _encode(
            ItemDocument(**{name: row[name] for name in (*known, HIDDEN)}, attributes=_told(row, own))
        )
        for row in rows
    }


def user_documents(users: pl.DataFrame) -> dict[str, bytes]:
    """Return the document of each user, as `item_documents`."""
    own = kept_columns(users, ["user_id"])
    rows = users.select("user_id", *_plain(users, own)).iter_rows(named=True)
    return {row["user_id"]: _encode(UserDocument(row["user_id"], _told(row, own))) for row in rows}


def kept_columns(table: pl.DataFrame, ours: Iterable[str]) -> list[str]:
    """Return the attributes that a document can hold: text, numbers, flags, times and lists of text."""
    return [name for name, dtype in table.schema.items() if name not in set(ours) and _kind(dtype) is not None]


def item_table(documents: Iterable[tuple[str, bytes | None]]) -> pl.DataFrame:
    """Return ITEM_COLUMNS and the attributes of the items that are not deleted."""
    told = [(name, msgspec.json.decode(body, type=ItemDocument)) for name, body in documents if body is not None]
    known = {field: [getattr(document, field) for _, document in told] for field in ITEM_COLUMNS if field != "item_id"}
    table = pl.DataFrame({"item_id": [name for name, _ in told], **known}, ITEM_COLUMNS)
    return _with_attributes(table, [document.attributes for _, document in told])


def user_table(documents: Iterable[tuple[str, bytes | None]]) -> pl.DataFrame:
    """Return `user_id` and the attributes of the users that are not deleted."""
    told = [(name, msgspec.json.decode(body, type=UserDocument)) for name, body in documents if body is not None]
    ids = pl.DataFrame({"user_id": [name for name, _ in told]}, {"user_id": pl.String})
    return _with_attributes(ids, [document.attributes for _, document in told])


def _kind(dtype: pl.DataType) -> pl.DataType | None:
    if dtype.is_numeric():
        return pl.Float64()
    if dtype == pl.Boolean() or dtype == pl.List(pl.String):
        return dtype
    text = dtype.is_temporal() or dtype in (pl.String(), pl.Categorical()) or isinstance(dtype, pl.Enum)
    return pl.String() if text else None


def _plain(table: pl.DataFrame, names: Iterable[str]) -> list[pl.Expr]:
    """Return the columns as what JSON has; a number that is not finite is unknown."""
    plain = [pl.col(name).cast(_kind(table.schema[name]) or pl.String()) for name in names]
    numbers = [table.schema[name].is_numeric() for name in names]
    return [pl.when(e.is_finite()).then(e) if number else e for e, number in zip(plain, numbers, strict=True)]


def _told(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Attribute]:
    return {name: row[name] for name in names if row[name] is not None}


def _with_attributes(table: pl.DataFrame, attributes: list[dict[str, Attribute]]) -> pl.DataFrame:
    """Add a column an attribute; where its values are of several types, as text."""
    names = dict.fromkeys(name for told in attributes for name in told if name not in table.columns)
    return table.with_columns(_column(name, [told.get(name) for told in attributes]) for name in names)


def _column(name: str, values: list[Attribute]) -> pl.Series:
    types = {type(value) for value in values if value is not None}
    if types <= {list}:
        return pl.Series(name, values, pl.List(pl.String))
    if types == {bool}:
        return pl.Series(name, values, pl.Boolean)
    if types <= {int, float}:
        return pl.Series(name, values, pl.Float64)
    return pl.Series(name, [None if value is None else _text(value) for value in values], pl.String)


def _text(value: Attribute) -> str:
    return " > ".join(value) if isinstance(value, list) else str(value)
