"""Bundles: a trained system as a folder of versions, each hashed, published atomically, refused when damaged.

    BUNDLE/current                     {"version": ...}: the pointer, replaced by a rename
    BUNDLE/versions/STAMP-DIGEST/      manifest.json, *.safetensors, *.arrow

A version's name ends in the first 16 hex digits of its manifest's SHA-256, and the manifest holds the SHA-256 of
every other file, so that a name vouches for every byte. Nothing is pickled.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from paretail import __version__
from paretail.core.clock import now_ms
from paretail.core.errors import BundleError, Problem, nearest
from paretail.core.files import atomic_file, check_writable, folder_aside, settle

#: Raised by one whenever an older program could not read a new bundle.
FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """What a bundle says of itself; `files` maps each file's name to its SHA-256 (hex)."""

    created_ms: int
    config: dict[str, Any]
    data_fingerprint: str
    metrics: dict[str, Any]
    facts: dict[str, Any]
    files: dict[str, str]
    format: int = FORMAT
    paretail: str = __version__


@dataclass(frozen=True, eq=False)
class Head:
    """What the current version of a bundle says of itself, its other files unread."""

    version: str
    manifest: Manifest

    @classmethod
    def read(cls, root: Path) -> Self:
        """Read the manifest of the current version; raises BundleError."""
        version = current(root)
        return cls(version, _read_manifest(root / "versions" / version))


@dataclass(frozen=True, eq=False)
class Bundle:
    """One version, read and verified. `arrays[group][name]` are numbers, `tables[name]` ids and attributes."""

    version: str
    manifest: Manifest
    arrays: Mapping[str, Mapping[str, NDArray[Any]]]
    tables: Mapping[str, pl.DataFrame]

    @classmethod
    def load(cls, root: Path, version: str | None = None) -> Self:
        """Read `version` (default: the current one), every byte verified; raises BundleError and changes nothing."""
        name = version or current(root)
        folder = root / "versions" / name
        manifest = _read_manifest(folder)
        for file, digest in manifest.files.items():
            _verify(folder / file, digest)
        return cls(
            name,
            manifest,
            {Path(f).stem: _read_arrays(folder / f) for f in manifest.files if f.endswith(".safetensors")},
            {Path(f).stem: pl.read_ipc(folder / f) for f in manifest.files if f.endswith(".arrow")},
        )


@dataclass
class Draft:
    """A bundle in the making: what `publish` writes."""

    config: dict[str, Any]
    data_fingerprint: str
    metrics: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, dict[str, NDArray[Any]]] = field(default_factory=dict)
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)


def publish(draft: Draft, root: Path, turn: bool = True) -> str:
    """Write the draft as a new version below `root`, return its name; all or nothing.

    It becomes the current one, without `turn` only where there is no other.
    """
    refuse_foreign(root)
    created = now_ms()
    with folder_aside(root / "versions") as aside:
        _write_files(draft, aside)
        files = {file.name: _digest(file) for file in sorted(aside.iterdir())}
        manifest = Manifest(created, draft.config, draft.data_fingerprint, draft.metrics, draft.facts, files)
        text = json.dumps(asdict(manifest), indent=2, sort_keys=True, allow_nan=False)
        (aside / "manifest.json").write_text(text, encoding="utf-8")
        version = f"{_stamp(created)}-{sha256(text.encode()).hexdigest()[:16]}"
        settle(aside, root / "versions" / version)
    if turn or len(versions(root)) == 1:
        _turn_to(root, version)
    return version


def refuse_foreign(root: Path) -> None:
    """Raise BundleError where `root` holds something that is no bundle, OSError where nothing can be written."""
    if root.is_file() or (root.is_dir() and any(root.iterdir()) and not (root / "versions").is_dir()):
        expected = "A new folder, or a bundle"
        raise BundleError(Problem("BNDL-06", f"{root} holds something else", expected, "Choose another --out"))
    check_writable(root)


def versions(root: Path) -> list[str]:
    """Return the names of all published versions, oldest first."""
    folder = root / "versions"
    names = [path.name for path in folder.iterdir() if _is_version(path)] if folder.is_dir() else []
    return sorted(names)


def describe(root: Path) -> list[dict[str, str]]:
    """Return what `bundles list` shows of each version: name, time of creation (UTC), model, main figure.

    A version whose manifest cannot be read says so in the place of its figure. Raises BundleError for no bundle.
    """
    if not (names := versions(root)):
        raise _no_bundle(root)
    return [{"version": name, **_summary(root / "versions" / name)} for name in names]


def current(root: Path) -> str:
    """Return the version that the pointer names; raises BundleError where there is none."""
    try:
        name = json.loads((root / "current").read_text(encoding="utf-8"))["version"]
    except (FileNotFoundError, NotADirectoryError):
        raise _damaged(root / "current", "it is missing") if versions(root) else _no_bundle(root) from None
    except (ValueError, KeyError, TypeError):
        raise _damaged(root / "current", "its content cannot be read") from None
    if not isinstance(name, str) or not _is_version(root / "versions" / name):
        raise _damaged(root / "current", f"it points to {name!r}, which is not there")
    return name


def current_or_none(root: Path) -> str | None:
    """Return the version that the pointer names, None where it is damaged."""
    try:
        return current(root)
    except BundleError:
        return None


def point(root: Path, version: str) -> None:
    """Make `version` current, atomically, once its manifest is verified; raises BundleError for an unknown name."""
    if not versions(root):
        raise _no_bundle(root)
    if version not in versions(root):
        expected = f"Expected {nearest(version, versions(root))}"
        do = f"List them with: paretail bundles list --bundle {root}"
        raise BundleError(Problem("BNDL-04", f"no version {version!r} in {root}", expected, do))
    Bundle.load(root, version)
    _turn_to(root, version)


def adopt(root: Path, other: Path) -> str:
    """Copy the current version of another bundle to this one's, every byte verified, and return its name.

    The pointer stays where it is. Raises BundleError where either is no bundle, or the other is damaged.
    """
    current(root)
    version = Bundle.load(other).version
    if version not in versions(root):
        with folder_aside(root / "versions") as aside:
            for file in sorted((other / "versions" / version).iterdir()):
                shutil.copyfile(file, aside / file.name)
            settle(aside, root / "versions" / version)
    return version


def rollback(root: Path) -> str:
    """Make the version before the current one current, and return its name; raises BundleError where there is none."""
    names = versions(root)
    place = names.index(current(root))
    if place == 0:
        found = f"{names[0]} is the oldest version"
        raise BundleError(Problem("BNDL-05", found, "An older version to go back to", "Nothing was changed"))
    point(root, names[place - 1])
    return names[place - 1]


def _turn_to(root: Path, version: str) -> None:
    with atomic_file(root / "current") as aside:
        aside.write_text(json.dumps({"version": version}), encoding="utf-8")


def _write_files(draft: Draft, folder: Path) -> None:
    for name, group in draft.arrays.items():
        save_file({key: np.asarray(value, order="C") for key, value in group.items()}, folder / f"{name}.safetensors")
    for name, table in draft.tables.items():
        # Not as views into buffers, whose order follows the threads that found distinct ids.
        table.write_ipc(folder / f"{name}.arrow", compression="zstd", compat_level=pl.CompatLevel.oldest())


def _read_manifest(folder: Path) -> Manifest:
    try:
        text = (folder / "manifest.json").read_bytes()
    except FileNotFoundError:
        raise _damaged(folder / "manifest.json", "it is missing") from None
    if not folder.name.endswith("-" + sha256(text).hexdigest()[:16]):
        raise _damaged(folder / "manifest.json", "its SHA-256 is not the one in the version's name")
    values = json.loads(text)
    if values.get("format") != FORMAT:
        found = (
            f"{folder.name} has bundle format {values.get('format')!r} (written by paretail {values.get('paretail')})"
        )
        do = "Update paretail, or train again with this one"
        raise BundleError(Problem("BNDL-03", found, f"This program reads format {FORMAT}", do))
    return Manifest(**values)


def _verify(file: Path, digest: str) -> None:
    if not file.is_file():
        raise _damaged(file, "it is missing")
    if _digest(file) != digest:
        raise _damaged(file, "its SHA-256 differs from the manifest's")


def _read_arrays(file: Path) -> dict[str, NDArray[Any]]:
    try:
        return dict(load_file(file))
    except SafetensorError as error:
        raise _damaged(file, str(error)) from None


def _digest(file: Path) -> str:
    with file.open("rb") as handle:
        return file_digest(handle, "sha256").hexdigest()


def _summary(folder: Path) -> dict[str, str]:
    try:
        manifest = _read_manifest(folder)
    except BundleError as error:
        return {"created": "", "model": "", "figure": str(error)}
    created = datetime.fromtimestamp(manifest.created_ms / 1000, UTC).isoformat(timespec="seconds")
    return {"created": created, "model": str(manifest.facts.get("model")), "figure": str(manifest.facts.get("figure"))}


def _no_bundle(root: Path) -> BundleError:
    do = f"Train one with: paretail train --config shop.toml --out {root}"
    return BundleError(Problem("BNDL-01", f"{root} is not a bundle", "A folder that `paretail train` wrote", do))


def _damaged(file: Path, why: str) -> BundleError:
    do = "Use another version (paretail bundles list BUNDLE; paretail bundles use VERSION BUNDLE), or train again"
    return BundleError(Problem("BNDL-02", f"{file} is damaged: {why}", "Expected the file as it was published", do))


def _is_version(path: Path) -> bool:
    return not path.name.startswith(".") and (path / "manifest.json").is_file()


def _stamp(created_ms: int) -> str:
    """UTC to the millisecond, so that names sort by time."""
    return datetime.fromtimestamp(created_ms / 1000, UTC).strftime("%Y%m%dT%H%M%S%f")[:-3]
