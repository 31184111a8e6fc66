"""Copies of a whole store: made while it is in use, checked before they come back."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from hashlib import file_digest
from pathlib import Path
from typing import Any

from paretail.core.clock import now_ms
from paretail.core.errors import Problem
from paretail.core.files import atomic_folder
from paretail.data.stores import history, schema
from paretail.data.stores.base import StoreError
from paretail.data.stores.compaction import alone
from paretail.data.stores.database import Database, View
from paretail.data.stores.disk import told
from paretail.data.stores.importing import PATIENCE_SECONDS
from paretail.data.stores.readers import DATABASE

MANIFEST = "backup.json"
FORMAT = 1


def backup(database: Database, folder: Path) -> None:
    """Write a copy as of one moment to the new `folder`; others read and write meanwhile."""
    _refuse_existing(folder)
    with alone(database.folder, PATIENCE_SECONDS), told(folder), atomic_folder(folder) as aside:
        number = database.read(lambda view: _copy_database(view, aside))
        for file in history.files(database.folder, number):
            _link(file, aside / file.name)
        files = {file.name: _print(file) for file in sorted(aside.iterdir())}
        manifest = {"format": FORMAT, "version": schema.VERSION, "created_ms": now_ms(), "files": files}
        (aside / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def restore(source: Path, folder: Path) -> None:
    """Make the new store `folder` from a backup, whole or not at all; raises StoreError where it is not whole."""
    _refuse_existing(folder)
    manifest = _read_manifest(source)
    with told(folder), atomic_folder(folder) as aside:
        for name, expected in manifest["files"].items():
            if not (source / name).is_file():
                raise _broken(source, f"{name} is missing")
            shutil.copyfile(source / name, aside / name)
            if _print(aside / name) != expected:
                raise _broken(source, f"{name} is not what was written")


def _copy_database(view: View, aside: Path) -> int:
    """Copy the database as `view` sees it; return the number of its history."""
    with closing(sqlite3.connect(aside / DATABASE)) as copy:
        view.connection.backup(copy)
    return view.head.history


def _link(file: Path, to: Path) -> None:
    """Give a file that never changes a second name; copy it where the disk is another."""
    try:
        os.link(file, to)
    except OSError:
        shutil.copyfile(file, to)


def _print(file: Path) -> dict[str, Any]:
    with file.open("rb") as content:
        return {"bytes": file.stat().st_size, "sha256": file_digest(content, "sha256").hexdigest()}


def _read_manifest(source: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((source / MANIFEST).read_text(encoding="utf-8"))
        version, names = int(manifest["version"]), set(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _broken(source, f"{MANIFEST} cannot be read: {error}") from None
    schema.check_version(version, str(source))
    if manifest.get("format") != FORMAT or DATABASE not in names or any(Path(name).name != name for name in names):
        raise _broken(source, f"{MANIFEST} is of another kind")
    return manifest


def _refuse_existing(folder: Path) -> None:
    if folder.exists():
        raise StoreError(Problem("STOR-12", f"{folder} is there already", "Expected a new folder", "Name another"))


def _broken(source: Path, why: str) -> StoreError:
    do = "Use another backup; nothing was written"
    return StoreError(Problem("STOR-13", f"{source} is no whole backup: {why}", "Expected what backup wrote", do))
