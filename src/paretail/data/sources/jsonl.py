"""JSON lines, plain or compressed; also one JSON document that is a list, or an object with `@graph`."""

import gzip
import json
import zlib
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from paretail.data.config import Source
from paretail.data.presets.schema_org import products
from paretail.data.sources.raw import BROKEN, LINE, Raw, placed, unreadable

Record = dict[str, Any]
#: Presets whose nested records are easier flattened one by one than as columns.
FLATTEN: dict[str, Callable[[Record], list[Record]]] = {"schema_org": products}


def read(location: str, source: Source[Any], limit: int | None = None) -> Raw:
    """Read one file; lines that are no JSON object come back as `broken`."""
    flatten = FLATTEN.get(source.preset or "")
    if flatten is None and not location.endswith(".json"):
        try:
            frame = pl.read_ndjson(location, infer_schema_length=None, n_rows=limit)
            return Raw(placed(frame, location))
        except (pl.exceptions.PolarsError, OSError):
            pass  # a line that is no JSON, or a column with several types: line by line
    return _careful(location, flatten, limit)


def _careful(location: str, flatten: Callable[[Record], list[Record]] | None, limit: int | None) -> Raw:
    content = _content(location)
    rows: list[Record] = []
    broken: list[list[Any]] = []
    for line, record in islice(enumerate(_records(content, location), start=1), limit):
        if isinstance(record, dict):
            rows.extend({LINE: line, **row} for row in (flatten(record) if flatten else [record]))
        else:
            broken.append([location, line, "not_json", str(record)])
    frame = pl.DataFrame(rows, infer_schema_length=None, strict=False)
    return Raw(placed(frame, location), pl.DataFrame(broken, BROKEN, orient="row"))


def _content(location: str) -> bytes:
    try:
        content = Path(location).read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(location, "JSON lines", error) from None


def _records(content: bytes, location: str) -> list[Record | str]:
    """Return the records of a document or of lines; a line that is no object stays text."""
    text = content.decode("utf-8-sig", errors="replace")
    if location.removesuffix(".gz").endswith(".json"):
        try:
            return _in_document(json.loads(text))
        except json.JSONDecodeError as error:
            if "\n" not in text.strip():
                raise unreadable(location, "JSON", error) from None
    return [_parsed(line) for line in text.splitlines() if line.strip()]


def _in_document(document: Any) -> list[Record | str]:
    if isinstance(document, dict):
        document = document.get("@graph", [document])
    return [entry if isinstance(entry, dict) else json.dumps(entry) for entry in document]


def _parsed(line: str) -> Record | str:
    try:
        record = json.loads(line)
    except json.JSONDecodeError:
        return line
    return record if isinstance(record, dict) else line
