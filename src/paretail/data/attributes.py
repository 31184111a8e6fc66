"""Attributes: the shop's own columns of items and users, as categories, numbers, lists or vectors."""

import polars as pl

from paretail.data.cells import as_text

#: A number with a leading zero is a code.
NUMBER = r"^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$"
#: A categorical value is shared by this many rows at least, on average; otherwise the column is free text.
ROWS_PER_VALUE = 2.0


def is_categorical(column: pl.Series) -> bool:
    """Say whether a column holds categories: lists of text, or text of which values recur."""
    if isinstance(column.dtype, pl.List):
        return isinstance(column.dtype.inner, pl.String | pl.Categorical | pl.Enum)
    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        return True
    return column.dtype == pl.String and column.drop_nulls().n_unique() * ROWS_PER_VALUE <= column.count()


def as_attribute(column: pl.Series) -> pl.Series:
    """Give a column the type of what it holds.

    Lists of fractions become List(Float32) (see `vectors`), other lists List(String); text in which every cell is a
    number becomes Float64, other text is trimmed; nested values become JSON.
    """
    if isinstance(column.dtype, pl.List | pl.Array):
        inner = column.dtype.inner
        numbers = pl.Series(dtype=inner).dtype.is_float()
        return column.cast(pl.List(inner)).cast(pl.List(pl.Float32 if numbers else pl.String))
    if isinstance(column.dtype, pl.Struct):
        return column.struct.json_encode()
    if column.dtype != pl.String:
        return column.cast(pl.String) if column.dtype == pl.Categorical else column
    text = as_text(column)
    some = text.drop_nulls()
    if len(some) and some.str.contains(NUMBER).all():
        return text.cast(pl.Float64)
    return _listed(text, some) if len(some) and some.str.starts_with("[").all() else text


def vectors(frame: pl.DataFrame) -> pl.DataFrame:
    """Turn List(Float32) columns into Array(Float32); a vector of unusual length or with NaN becomes null."""
    for name, dtype in frame.schema.items():
        if dtype == pl.List(pl.Float32):
            size = usual_length(frame[name])
            whole = pl.when(~is_faulty(name, size)).then(name)
            frame = frame.with_columns(whole.cast(pl.Array(pl.Float32, size)).alias(name))
    return frame


def usual_length(column: pl.Series) -> int:
    """Return the most frequent length of a list column (the longest of equals), 0 where it is empty."""
    counts = column.drop_nulls().list.len().alias("size").value_counts().sort("count", "size", descending=True)
    return int(counts["size"][0]) if counts.height else 0


def is_faulty(name: str, size: int) -> pl.Expr:
    """Return where a vector is there and has another length than `size`, a gap, NaN or infinity."""
    cell = pl.col(name)
    bad = cell.list.eval(~(pl.element().is_finite().fill_null(False))).list.any()
    return ((cell.list.len() != size) | bad).fill_null(False)


def _listed(text: pl.Series, some: pl.Series) -> pl.Series:
    """Read JSON lists in text, as CSV files hold them."""
    for inner in (pl.Float32, pl.String):
        try:
            return text.str.json_decode(pl.List(inner))
        except pl.exceptions.PolarsError:
            continue
    return text
