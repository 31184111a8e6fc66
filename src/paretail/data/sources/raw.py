"""Rows as the shop has them, with the place of each, before anything is understood."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from paretail.core.errors import DataError, Problem
from paretail.data.config import Source

#: Columns that a reader adds: the file (or query) of a row, and its number there, counted from 1 without the header.
FILE, LINE = "_file", "_line"
BROKEN = {FILE: pl.Categorical(), LINE: pl.Int64(), "reason": pl.String(), "row": pl.String()}


@dataclass(frozen=True)
class Raw:
    """`frame` has the shop's columns, FILE and LINE; `broken` the lines that are no row at all, as in BROKEN."""

    frame: pl.DataFrame
    broken: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=BROKEN))


#: What every source is: (location, settings, most rows to read or None) -> rows.
Reader = Callable[[str, Source[Any], int | None], Raw]


def placed(frame: pl.DataFrame, file: str) -> pl.DataFrame:
    """Add FILE, and LINE where it is not there yet."""
    if LINE not in frame.columns:
        frame = frame.with_row_index(LINE, offset=1)
    return frame.with_columns(pl.lit(file, pl.Categorical()).alias(FILE), pl.col(LINE).cast(pl.Int64))


def together(parts: Sequence[Raw]) -> Raw:
    """Join the rows of several files; a column that one of them lacks is null there."""
    if len(parts) == 1:
        return parts[0]
    try:
        frame = pl.concat([part.frame for part in parts], how="diagonal_relaxed")
    except pl.exceptions.PolarsError as error:
        files = f"{len(parts)} files of one source"
        raise unreadable(files, "columns of one type throughout", error) from None
    return Raw(frame, pl.concat([part.broken for part in parts]))


def unreadable(location: str, what: str, error: Exception) -> DataError:
    """Say that a file is not what its name promises."""
    reason = str(error).splitlines()[0][:200]
    found = f"{location} cannot be read as {what}: {reason}"
    return DataError(Problem("DATA-02", found, f"Expected {what}", "Correct the file, or set `format` for this source"))
