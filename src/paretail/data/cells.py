"""Cells: the shop's text and numbers as ids, words, numbers and lists. A cell that cannot be read becomes null."""

from collections.abc import Mapping

import polars as pl

#: Text that means an empty cell (what pandas, SQL and R write).
EMPTY = ("", "NULL", "null", "NaN", "nan", "None", "NA", "<NA>", "\\N")


def as_id(column: pl.Series) -> pl.Series:
    """Return ids as text: `17850.0`, as pandas writes whole numbers beside gaps, becomes `17850`."""
    if column.dtype.is_float():
        column = column.fill_nan(None)
        whole = (column == column.round()).all()
        return (column.cast(pl.Int64) if whole else column).cast(pl.String)
    text = as_text(column)
    if column.dtype.is_integer() or not _all_end_with_zero(text):
        return text
    return text.str.strip_suffix(".0")


def as_text(column: pl.Series) -> pl.Series:
    """Return trimmed text, null where the cell is empty or says so."""
    if isinstance(column.dtype, pl.List):
        column = column.cast(pl.List(pl.String)).list.join(" > ")
    text = column.cast(pl.String)
    if column.dtype.is_numeric():
        return text
    text = text.str.strip_chars()
    return text.set(text.is_in(EMPTY), None)


def as_number(column: pl.Series, decimal: str = ".") -> pl.Series:
    """Return Float64; with the decimal mark `,` points and spaces between thousands are dropped."""
    if column.dtype == pl.Boolean or column.dtype.is_numeric():
        return column.cast(pl.Float64).fill_nan(None)
    text = as_text(column)
    if decimal == ",":
        text = text.str.replace_all(r"[.\s]", "").str.replace(",", ".", literal=True)
    return text.cast(pl.Float64, strict=False).fill_nan(None)


def as_flag(column: pl.Series) -> pl.Series:
    """Return Boolean: true/false, yes/no, y/n, 1/0, in stock/out of stock, or a count (0 is false)."""
    if column.dtype == pl.Boolean:
        return column
    if column.dtype.is_numeric():
        return column.cast(pl.Float64) > 0
    word = as_text(column).str.to_lowercase().str.replace_all(r"[\s_-]|^.*/", "")
    yes, no = ["true", "yes", "y", "1", "instock"], ["false", "no", "n", "0", "outofstock", "soldout"]
    number = word.cast(pl.Float64, strict=False)
    known = pl.select(pl.when(word.is_in(yes)).then(True).when(word.is_in(no)).then(False).otherwise(number > 0))
    return known.to_series()


def as_path(column: pl.Series) -> pl.Series:
    """Return a list of categories, widest first, from a list or text such as `Home > Kitchen` or `Home|Kitchen`."""
    if isinstance(column.dtype, pl.List):
        return column.cast(pl.List(pl.String))
    text = as_text(column).str.replace_all(r"\s*[>|]\s*", ">").str.strip_chars(">")
    return text.set(text == "", None).str.split(">")


def is_given(column: pl.Series) -> pl.Series:
    """Return where a cell is not empty."""
    if column.dtype == pl.String:
        return as_text(column).is_not_null()
    return column.is_not_nan().fill_null(False) if column.dtype.is_float() else column.is_not_null()


def first_unreadable(given: Mapping[str, pl.Series], read: Mapping[str, pl.Series], height: int) -> pl.Series:
    """Return the name of the first cell of each row that is given and yet could not be read, null where none is."""
    first = pl.Series("_unreadable", [None], dtype=pl.String).new_from_index(0, height)
    for field, column in given.items():
        if read[field].null_count():
            lost = read[field].is_null() & is_given(column) & first.is_null()
            first = first.set(lost, field) if lost.any() else first
    return first


def _all_end_with_zero(text: pl.Series) -> bool:
    some = text.drop_nulls()
    return len(some) > 0 and str(some[0]).endswith(".0") and bool(some.str.contains(r"^\d+\.0$").all())
