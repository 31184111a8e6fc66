"""Files that are whole or absent: write aside, flush to disk, rename."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


def check_writable(path: Path) -> None:
    """Raise OSError where nothing can be made at `path`: long work should not end in finding that out."""
    there = next(place for place in (path, *path.absolute().parents) if place.exists())
    folder = there.parent if there == path and there.is_file() else there
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success it becomes `path`, on any failure it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    try:
        yield aside
        flush(aside)
        os.replace(aside, path)
        flush(path.parent)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path`; on success it becomes `path` (which must not exist), else it is removed."""
    with folder_aside(path.parent) as aside:
        yield aside
        settle(aside, path)


@contextmanager
def folder_aside(parent: Path) -> Iterator[Path]:
    """Yield a new hidden folder in `parent`, to be moved to its place with `settle`; it is removed if it was not."""
    parent.mkdir(parents=True, exist_ok=True)
    aside = parent / f".{uuid4().hex[:12]}.part"
    aside.mkdir()
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def settle(aside: Path, path: Path) -> None:
    """Flush everything in `aside` to disk and rename it to `path`, which must not exist."""
    for file in sorted(aside.rglob("*")):
        flush(file)
    flush(aside)
    aside.rename(path)
    flush(path.parent)


def flush(path: Path) -> None:
    """Force a file's content, or a folder's entries, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
