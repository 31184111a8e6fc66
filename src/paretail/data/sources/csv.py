"""CSV files, plain or compressed (gzip, zstd); every cell is read as text, so that an id keeps its leading zeros."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

import polars as pl

from paretail.data.config import Source
from paretail.data.sources.raw import BROKEN, LINE, Raw, placed, unreadable

SEPARATORS = ",;\t|"
#: What reading a file that is cut off, or of another format, raises.
UNREADABLE = (OSError, EOFError, zlib.error, UnicodeError, csv.Error)


def read(location: str, source: Source[Any], limit: int | None = None) -> Raw:
    """Read one CSV file; lines with more cells than the header come back as `broken`."""
    try:
        separator = source.separator or _separator(location, source)
    except UNREADABLE as error:
        raise unreadable(location, "CSV", error) from None
    try:
        return Raw(placed(_fast(location, source, separator, limit), location))
    except pl.exceptions.NoDataError:
        return Raw(placed(pl.DataFrame(), location))
    except (pl.exceptions.PolarsError, *UNREADABLE):
        return _careful(location, source, separator, limit)


def _fast(location: str, source: Source[Any], separator: str, limit: int | None) -> pl.DataFrame:
    content: str | io.BytesIO = location
    if source.encoding != "utf-8":
        with _text(location, source) as file:
            content = io.BytesIO(file.read().encode())
    return pl.scan_csv(
        content, separator=separator, infer_schema=False, encoding="utf8-lossy", n_rows=limit, glob=False,
        has_header=source.header is None, new_columns=source.header, row_index_name=LINE, row_index_offset=1,
    ).collect()  # fmt: skip


def _careful(location: str, source: Source[Any], separator: str, limit: int | None) -> Raw:
    """Read line by line, where a line does not fit the header; about ten times slower."""
    try:
        with _text(location, source) as file:
            rows = csv.reader(file, delimiter=separator)
            header = source.header or next(rows)
            good, broken = _sorted_out(islice(rows, limit), len(header), location, separator)
    except UNREADABLE as error:
        raise unreadable(location, "CSV", error) from None
    schema = {LINE: pl.Int64(), **dict.fromkeys(header, pl.String())}
    return Raw(placed(pl.DataFrame(good, schema, orient="row"), location), pl.DataFrame(broken, BROKEN, orient="row"))


def _sorted_out(
    rows: Iterator[list[str]], width: int, location: str, separator: str
) -> tuple[list[list[Any]], list[list[Any]]]:
    good: list[list[Any]] = []
    broken: list[list[Any]] = []
    for line, row in enumerate(rows, start=1):
        if len(row) > width:
            broken.append([location, line, "too_many_cells", separator.join(row)])
        else:
            good.append([line, *(cell or None for cell in row), *[None] * (width - len(row))])
    return good, broken


def _separator(location: str, source: Source[Any]) -> str:
    with _text(location, source) as file:
        header = file.readline()
    return max(SEPARATORS, key=header.count) if any(mark in header for mark in SEPARATORS) else ","


def _text(location: str, source: Source[Any]) -> IO[str]:
    """Open as text; a byte that the encoding does not know becomes U+FFFD, which the check `encoding` finds."""
    encoding = "utf-8-sig" if source.encoding == "utf-8" else source.encoding
    with Path(location).open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if packed:
        return gzip.open(location, "rt", encoding=encoding, errors="replace", newline="")
    return open(location, encoding=encoding, errors="replace", newline="")
