"""The bundles that the parts serve."""

import os
import subprocess
import sys
from pathlib import Path

import harness
import polars as pl


def gowalla(folder: Path) -> Path:
    """Train on gowalla, and return the bundle."""
    data = os.environ.get("PARETAIL_DATA")
    if not data or not (Path(data) / "gowalla").is_dir():
        sys.exit("set PARETAIL_DATA to the folder that holds gowalla")
    (folder / "shop.toml").write_text(f'[data]\nevents = "{Path(data).resolve()}/gowalla/events.parquet"\n')
    return _trained(folder, folder / "shop.toml")


def demo(folder: Path, *more: str) -> Path:
    """Simulate a small shop, train on it, and return the bundle."""
    paretail("demo", "--only-files", "--folder", str(folder / "shop"), "--users", "300", "--items", "100",
             "--events", "15000")  # fmt: skip
    tables = [f"--{name}={folder / 'shop' / file}" for name, file in
              (("events", "events.csv.gz"), ("items", "items.csv"), ("users", "users.csv"))]  # fmt: skip
    paretail("init", *tables, "--out", str(folder / "shop" / "shop.toml"))
    return _trained(folder, folder / "shop" / "shop.toml")


def planted(folder: Path) -> Path:
    """Write a planted shop with impressions, train on it, a ranker too, and return the bundle."""
    world = Path(os.environ.get("PARETAIL_WORLD", ""))
    if not world.is_file():
        sys.exit("set PARETAIL_WORLD to the script that writes planted shops")
    shop = folder / "shop"
    size = ["--seed", "21", "--users", "2000", "--items", "2000", "--impressions", "200000"]
    subprocess.run([sys.executable, world, shop, *size], check=True, capture_output=True)
    tables = [f"--{name}={shop / f'{name}.parquet'}" for name in ("events", "items", "users")]
    paretail("init", *tables, "--out", str(shop / "shop.toml"))
    return _trained(folder, shop / "shop.toml")


def _trained(folder: Path, config: Path) -> Path:
    paretail("train", "--config", str(config), "--out", str(folder / "bundle"), "--budget", "1m")
    return folder / "bundle"


def ids(bundle: Path, table: str, folder: Path) -> Path:
    """Write the ids of a bundle's users or items, a line each, and return the file."""
    frame = pl.read_ipc(next((bundle / "versions").glob(f"*/{table}.arrow")))
    file = folder / f"{table}.txt"
    file.write_text("\n".join(frame[frame.columns[0]].to_list()) + "\n")
    return file


def paretail(*arguments: str) -> str:
    """Run a verb, and return what it printed; ends the benchmark where it fails."""
    done = subprocess.run([harness.PARETAIL, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"paretail {' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return done.stdout
