"""Which users or items a command is about: `all`, a file of ids, or one id."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from paretail.core.errors import DataError, Problem, UsageError
from paretail.data.config import Source
from paretail.data.sources import ENDINGS, read
from paretail.data.sources.raw import FILE, LINE, unreadable


def read_ids(wanted: str, columns: Sequence[str], everyone: pl.Series) -> pl.Series:
    """Return the ids that `wanted` means, distinct, in the order given, under the name `columns[0]`.

    `all` is `everyone`; the path of an existing file is a table (Parquet, CSV ...) with one of `columns`, or a text
    of one id a line; anything else is one id, known or not. Raises UsageError for a path that does not
    exist, DataError for a file without ids.
    """
    if wanted == "all":
        return everyone.rename(columns[0])
    path = Path(wanted)
    if path.is_file():
        ids = _from_file(path, columns).cast(pl.String).drop_nulls().unique(maintain_order=True)
        if ids.is_empty():
            found = f"{wanted} holds no id"
            raise DataError(Problem("CLI-02", found, f"Expected a column {columns[0]!r} of ids", "Fill it"))
        return ids.rename(columns[0])
    if wanted not in everyone and (_ending(path) in ENDINGS or "/" in wanted or not wanted):
        expected = f"Expected `all`, a file (Parquet, CSV, or a line an id), or an id such as {everyone.first()!r}"
        raise UsageError(Problem("CLI-01", f"{wanted!r} is no file", expected, "Correct the path"))
    return pl.Series(columns[0], [wanted])


def _from_file(path: Path, columns: Sequence[str]) -> pl.Series:
    if _ending(path) in {"", ".txt"}:
        return _lines(path)
    frame = read(Source(path=str(path.absolute())), Path()).frame.drop(FILE, LINE)
    for column in columns:
        if column in frame.columns:
            return frame[column]
    found = f"{path.name} has no column {columns[0]!r}, but {', '.join(frame.columns[:10]) or 'none'}"
    raise DataError(Problem("CLI-03", found, f"Expected a column {columns[0]!r}", "Rename the column"))


def _ending(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix


def _lines(path: Path) -> pl.Series:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise unreadable(str(path), "text of one id a line", error) from None
    return pl.Series([line.strip() for line in lines if line.strip()], dtype=pl.String)
