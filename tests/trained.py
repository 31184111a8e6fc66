"""A small simulated shop, trained once by the command line, and how tests call the commands."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from paretail.cli import main
from paretail.data.types import Shop

#: The shop's words, and what they mean.
WORDS = {"buy": "purchase", "addtocart": "cart", "pv": "view", "click": "click", "show": "impression",
         "return": "refund"}  # fmt: skip
SIZE = ["--users", "300", "--items", "100", "--events", "15000"]


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class DemoShop:
    """Where its files are; read-only, so copy the bundle before harming it."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "shop.toml"

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"

    @property
    def holdout(self) -> Path:
        return self.folder / "holdout.csv.gz"

    @property
    def users(self) -> list[str]:
        return pl.read_csv(self.folder / "users.csv")["visitor_id"].to_list()

    def events(self, name: str = "events") -> pl.DataFrame:
        """Return the events as they stand in the file, with `kind` in our words."""
        frame = pl.read_csv(self.folder / f"{name}.csv.gz", infer_schema_length=None)
        return frame.with_columns(kind=pl.col("action").replace_strict(WORDS))

    def config_with(self, path: Path, model: str = "popular", **replaced: str) -> Path:
        """Write a copy of shop.toml, elsewhere, with another model and lines replaced, and return its path."""
        text = self.config.read_text()
        for table in ("events.csv.gz", "items.csv", "users.csv"):
            text = text.replace(f'"{table}"', f'"{self.folder / table}"')
        for line, other in replaced.items():
            assert f"\n{line} = " in text, f"shop.toml has no line {line}"
            start = text.index(f"\n{line} = ") + 1
            text = text[:start] + f"{line} = {other}" + text[text.index("\n", start) :]
        path.write_text(f'{text}\n[model]\nname = "{model}"\n')
        return path


def make_shop(folder: Path) -> DemoShop:
    """Simulate, configure and train, as a user would."""
    shop = DemoShop(folder / "shop")
    assert paretail("demo", "--only-files", "--folder", shop.folder, *SIZE).code == 0
    tables = [f"--{name}={shop.folder / file}" for name, file in
              (("events", "events.csv.gz"), ("items", "items.csv"), ("users", "users.csv"))]  # fmt: skip
    assert paretail("init", *tables, "--out", shop.config).code == 0
    text = shop.config.read_text()
    shop.config.write_text(f"{text}\n[rank]\nepochs = 1\n")
    done = paretail("train", "--config", shop.config, "--out", shop.bundle)
    assert done.code == 0, done.err
    shop.config.write_text(f"{text}\n[rank]\nenabled = false\n")  # bundles that tests train of it need none
    return shop


def paretail(*arguments: object) -> Done:
    """Run a verb in this process."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as left:
            code = int(left.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def start(*arguments: object) -> "subprocess.Popen[str]":
    """Start a verb in a process of its own."""
    command = [sys.executable, "-m", "paretail", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"COLUMNS": "200"}
    )


def parts(folder: Path) -> list[str]:
    """Return what was left half-written anywhere below a folder."""
    return [str(path) for path in folder.rglob("*.part")]


def written(shop: Shop, folder: Path, settings: str) -> Path:
    """Write a shop's tables as files, and a shop.toml with more settings at its end; return where that is."""
    price = (pl.col("price_minor") / 100).alias("price")
    events = shop.events.frame.rename({"kind": "event"}).with_columns(price)
    names = ("user_id", "item_id", "ts_ms", "request_id", "position", "quantity", "event", "price")
    events.select(names).write_parquet(folder / "events.parquet")
    items = shop.catalogue.frame.with_columns(pl.col("category").list.first(), price).drop("price_minor")
    items.write_parquet(folder / "items.parquet")
    shop.users.frame.write_parquet(folder / "users.parquet")
    tables = [f"--{name}={folder / name}.parquet" for name in ("events", "items", "users")]
    done = paretail("init", *tables, "--out", folder / "shop.toml")
    assert done.code == 0, done.err
    (folder / "shop.toml").write_text(f"{(folder / 'shop.toml').read_text()}\n{settings}")
    return folder / "shop.toml"
