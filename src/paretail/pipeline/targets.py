"""Bundles of a shop by what their lists hold: one folder for items, and below it one for each other target.

    BUNDLE                      the target that was trained into it first, items as a rule
    BUNDLE/targets/category     `paretail train --out BUNDLE --target category`, where BUNDLE holds lists of items
    BUNDLE/targets/user         the same for people

Each is a bundle like any other, with versions and a pointer of its own, and may be named by its own path.
"""

from pathlib import Path
from typing import Final

from paretail.core.errors import BundleError, Problem
from paretail.graph.targets import ITEM
from paretail.pipeline.bundle import Head, versions

#: The folder of a bundle in which those of its shop's other targets lie.
FOLDER: Final = "targets"


def place_of(root: Path, target: str) -> Path:
    """Return where a bundle of `target` belongs: `root`, unless lists of another target are there already."""
    held = _held(root)
    return root if held in (None, target) else root / FOLDER / target


def bundle_of(root: Path, target: str | None) -> Path:
    """Return the bundle of `target` at or below `root`, which is itself where none is asked for.

    Raises BundleError (BNDL-08) where none was trained.
    """
    if target is None or target == _held(root):
        return root
    found = root / FOLDER / target
    if _held(found) == target:
        return found
    there = ", ".join(trained(root)) or "nothing"
    raise BundleError(
        Problem(
            "BNDL-08", f"{root} has no lists of {target!r}", f"It has lists of {there}",
            f"Train them with: paretail train --config shop.toml --out {root} --target {target}",
        )
    )  # fmt: skip


def trained(root: Path) -> list[str]:
    """Return the targets that were trained at and below `root`, its own first."""
    below = sorted((root / FOLDER).iterdir()) if (root / FOLDER).is_dir() else []
    return [held for held in map(_held, (root, *below)) if held]


def _held(root: Path) -> str | None:
    """Return what lists of the current version hold, None where there is no version."""
    return Head.read(root).manifest.facts.get("lists", ITEM) if versions(root) else None
