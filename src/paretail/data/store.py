"""The store: a checked shop as a folder of Parquet files and a small manifest."""

import json
from pathlib import Path

import polars as pl

from paretail.core.errors import DataError, Problem, UsageError
from paretail.core.files import atomic_folder, folder_aside, settle
from paretail.data.ingest import Examined
from paretail.data.quarantine import write_quarantine
from paretail.data.types import Catalogue, Events, Links, Shop, Users

FORMAT = 1
MANIFEST = "shop.json"


def write_shop(shop: Shop, folder: Path) -> None:
    """Write `shop` as a new folder, whole or not at all."""
    with atomic_folder(folder) as aside:
        write_tables(shop, aside)


def write_tables(shop: Shop, folder: Path) -> None:
    """Write the files of `shop` into `folder`."""
    for name, frame in _frames(shop).items():
        frame.write_parquet(folder / f"{name}.parquet", compression="zstd")
    manifest = {"format": FORMAT, "time": shop.events.time, "currency": shop.currency, "timezone": shop.timezone}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def write_import(examined: Examined, folder: Path) -> None:
    """Write the shop, its quarantine and `report.json` as one folder, whole or not at all; replaces an older import."""
    shop = examined.shop()
    with folder_aside(folder.parent) as grave, folder_aside(folder.parent) as aside:
        write_tables(shop, aside)
        raws = {table: part.raws for table, part in examined.joined.items()}
        write_quarantine(examined.tables.bad, raws, aside / "quarantine")
        report = json.dumps(examined.report.as_dict(), indent=2, ensure_ascii=False)
        (aside / "report.json").write_text(report + "\n", encoding="utf-8")
        if (folder / MANIFEST).is_file():
            folder.rename(grave / "older")
        settle(aside, folder)


def check_free(folder: Path, force: bool) -> None:
    """Raise UsageError where `folder` is there and may not be replaced: only an earlier import may, with `force`."""
    ours = (folder / MANIFEST).is_file()
    if not folder.exists() or (force and ours):
        return
    do = "Add --force to replace that import" if ours else "Name another folder with --out"
    raise UsageError(Problem("CLI-11", f"{folder} is there already", "Expected a new folder", do))


def read_shop(folder: Path) -> Shop:
    """Read what `write_shop` wrote; raises DataError where the folder is something else."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise ValueError(f"format {manifest['format']}, this program reads {FORMAT}")
        frames = {name: pl.read_parquet(folder / f"{name}.parquet") for name in ("events", "items", "users", "links")}
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError) as error:
        found = f"{folder} is no imported shop: {error}"
        do = "Import it again: paretail import --config shop.toml --out FOLDER"
        raise DataError(Problem("DATA-13", found, "Expected a folder that `paretail import` wrote", do)) from None
    return Shop(
        Events(frames["events"], manifest["time"]), Catalogue(frames["items"]), Users(frames["users"]),
        Links(frames["links"]), manifest["currency"], manifest["timezone"],
    )  # fmt: skip


def _frames(shop: Shop) -> dict[str, pl.DataFrame]:
    return {
        "events": shop.events.frame, "items": shop.catalogue.frame, "users": shop.users.frame,
        "links": shop.links.frame,
    }  # fmt: skip
