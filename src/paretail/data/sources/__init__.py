"""Sources: where rows come from, one file a kind of place."""

from glob import glob
from pathlib import Path
from typing import Any

from paretail.core.errors import ConfigError, DataError, Problem, nearest
from paretail.data.config import Source
from paretail.data.sources import csv, jsonl, parquet, postgres, recbole, store
from paretail.data.sources.raw import Raw, Reader, placed, together

SOURCES: dict[str, Reader] = {
    "parquet": parquet.read,
    "csv": csv.read,
    "jsonl": jsonl.read,
    "recbole": recbole.read,
    "postgres": postgres.read,
    "store": store.read_events,
    "store_items": store.read_items,
    "store_users": store.read_users,
}
#: Sources that read a folder as one place, in our own words.
STORES = tuple(store.FORMATS.values())
#: File endings, after a `.gz` or `.zst` is taken off.
ENDINGS = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".inter": "recbole", ".user": "recbole", ".item": "recbole", ".net": "recbole", ".link": "recbole",
}  # fmt: skip


def read(source: Source[Any], base: Path, limit: int | None = None) -> Raw:
    """Read all rows (at most `limit` a file) of one source; relative paths start at `base`."""
    if source.url is not None:
        return _reader(source.format or "postgres")(source.url, source, limit)
    files = [base / str(source.path)] if source.format in STORES else locate(str(source.path), base)
    return together([_one(file, source, base, limit) for file in files])


def _one(file: Path, source: Source[Any], base: Path, limit: int | None) -> Raw:
    raw = _reader(source.format or format_of(file))(str(file), source, limit)
    inside = base.absolute() in file.absolute().parents
    label = str(file.absolute().relative_to(base.absolute())) if inside else str(file)
    return Raw(*(placed(frame, label) for frame in (raw.frame, raw.broken)))


def locate(path: str, base: Path) -> list[Path]:
    """Return the files that a path, folder or glob stands for, sorted; raises DataError where there is none."""
    place = base / path
    if place.is_dir():
        files = [file for file in sorted(place.rglob("*")) if _ending(file) in ENDINGS and file.is_file()]
        files = [file for file in files if not any(part.startswith(".") for part in file.relative_to(place).parts)]
    elif place.is_file():
        return [place]
    else:
        files = [Path(file) for file in sorted(glob(str(place), recursive=True)) if Path(file).is_file()]
    if not files:
        raise DataError(_absent(path, place))
    return files


def format_of(file: Path) -> str:
    """Return the source that reads a file with this ending."""
    ending = _ending(file)
    if ending not in ENDINGS:
        expected = f"Expected an ending that is {nearest(ending, ENDINGS)}"
        raise DataError(
            Problem("DATA-03", f"{file.name}: the ending {ending!r} says nothing", expected, "Set `format` for it")
        )
    return ENDINGS[ending]


def _ending(file: Path) -> str:
    name = file.name.lower().removesuffix(".gz").removesuffix(".zst")
    return Path(name).suffix


def _reader(name: str) -> Reader:
    if name not in SOURCES:
        raise ConfigError(
            Problem("CONF-08", f"format {name!r} is unknown", f"Expected {nearest(name, SOURCES)}", "Correct it")
        )
    return SOURCES[name]


def _absent(path: str, place: Path) -> Problem:
    folder = place.parent
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    expected = f"In that folder: {nearest(place.name, names[:20])}" if names else f"{folder} is no folder"
    return Problem("DATA-01", f"{path} is not there", expected, "Correct the path in [data]")
