"""Export: the demo shop as a real shop would hand it over, in its own words, with the last days kept apart."""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import polars as pl

from paretail.core.clock import DAY_MS
from paretail.core.files import atomic_file
from paretail.core.money import minor_per_major
from paretail.sim.shop import World

Form = Literal["csv", "parquet"]
#: Our kinds = the shop's words.
WORDS: Final[Mapping[str, str]] = {
    "impression": "show", "click": "click", "view": "pv", "cart": "addtocart", "purchase": "buy", "refund": "return",
}  # fmt: skip
_EVENT_COLUMNS: Final = {
    "user_id": "visitor_id", "item_id": "sku", "event": "action", "ts": "timestamp", "order_id": "order_no",
    "quantity": "qty", "price": "unit_price", "position": "slot",
}  # fmt: skip
#: Table, our name = the column of the CSV export. The Parquet export has our names.
COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    "events": _EVENT_COLUMNS,
    "holdout": _EVENT_COLUMNS,
    "items": {"item_id": "sku", "title": "name", "created_ts": "created_at"},
    "users": {"user_id": "visitor_id", "joined_ts": "joined_at"},
}


@dataclass(frozen=True)
class Exported:
    """Where the files are."""

    events: Path
    items: Path
    users: Path
    holdout: Path


def export(world: World, folder: Path, *, form: Form = "csv", days_held: float = 7.0) -> Exported:
    """Write events, items, users and the holdout (events of the last `days_held` days) to `folder`.

    `csv`: events and holdout gzipped, ISO times in UTC, columns as in COLUMNS. `parquet`: user_id, item_id, event,
    ts (seconds), and so on. Words of behaviours are those of WORDS in both. Prices are in euros.
    """
    cut_ms = world.config.end_ms - round(days_held * DAY_MS)
    events = _events(world)
    early = world.shop.events.frame["ts_ms"] < cut_ms
    tables = {
        "events": events.filter(early),
        "holdout": events.filter(~early),
        "items": _items(world),
        "users": world.shop.users.frame.with_columns(_seconds("joined_ts_ms")).drop("joined_ts_ms"),
    }
    write = _write_csv if form == "csv" else _write_parquet
    paths = {name: write(table, folder / name) for name, table in tables.items()}
    return Exported(**paths)


def _events(world: World) -> pl.DataFrame:
    return world.shop.events.frame.select(
        "user_id",
        "item_id",
        pl.col("kind").replace_strict(WORDS).alias("event"),
        _seconds("ts_ms"),
        "order_id",
        "quantity",
        _major(world),
        "request_id",
        "position",
        "propensity",
    )


def _items(world: World) -> pl.DataFrame:
    return world.shop.catalogue.frame.select(
        "item_id", "title", "category", "brand", _major(world), "margin", "in_stock", _seconds("created_ts_ms")
    )


def _major(world: World) -> pl.Expr:
    return (pl.col("price_minor") / minor_per_major(world.shop.currency)).round(2).alias("price")


def _seconds(column: str) -> pl.Expr:
    return (pl.col(column) // 1000).alias(column.removesuffix("_ms"))


def _write_parquet(table: pl.DataFrame, path: Path) -> Path:
    path = path.with_suffix(".parquet")
    with atomic_file(path) as aside:
        table.write_parquet(aside)
    return path


def _write_csv(table: pl.DataFrame, path: Path) -> Path:
    times = [name for name in table.columns if name == "ts" or name.endswith("_ts")]
    text = table.with_columns(
        pl.from_epoch(pl.col(name), time_unit="s").dt.strftime("%Y-%m-%dT%H:%M:%SZ") for name in times
    )
    if "category" in text.columns:
        text = text.with_columns(pl.col("category").list.join(" > "))
    body = text.rename(COLUMNS[path.name]).write_csv().encode()
    large = path.name in ("events", "holdout")
    path = path.with_suffix(".csv.gz" if large else ".csv")
    pack: Callable[[bytes], bytes] = _gzip if large else bytes
    with atomic_file(path) as aside:
        aside.write_bytes(pack(body))
    return path


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=4, mtime=0)  # no time inside: same seed, same bytes
