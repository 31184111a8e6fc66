"""The export: a shop's own words and files, the last days apart, nothing lost."""

from pathlib import Path

import polars as pl
import pytest

from paretail.core.clock import DAY_MS
from paretail.data.kinds import STANDARD, SYNONYMS
from paretail.sim.export import COLUMNS, WORDS, Form, export
from paretail.sim.shop import simulate
from paretail.sim.truth import SimConfig

WORLD = simulate(SimConfig(users=100, items=80, events=6_000), seed=3)


def test_the_words_are_understood_without_being_told() -> None:
    for kind, word in WORDS.items():
        assert SYNONYMS.get(word, word) == kind
        assert kind in STANDARD


def test_csv(tmp_path: Path) -> None:
    files = export(WORLD, tmp_path / "shop", days_held=5)
    assert [path.name for path in (files.events, files.items, files.users, files.holdout)] == [
        "events.csv.gz", "items.csv", "users.csv", "holdout.csv.gz",
    ]  # fmt: skip
    events, later = pl.read_csv(files.events), pl.read_csv(files.holdout)
    assert events.height + later.height == WORLD.shop.events.frame.height
    assert events.columns[:4] == [COLUMNS["events"][name] for name in ("user_id", "item_id", "event", "ts")]
    cut = (WORLD.config.end_ms - 5 * DAY_MS) // 1000
    seconds = pl.col("timestamp").str.to_datetime("%Y-%m-%dT%H:%M:%SZ").dt.epoch("s")
    assert events.select(seconds.max()).item() < cut <= later.select(seconds.min()).item()
    items = pl.read_csv(files.items)
    assert " > " in items["category"][0]
    assert items["price"][0] == WORLD.shop.catalogue.frame["price_minor"][0] / 100
    bought = events.filter(pl.col("action") == "buy")
    assert bought.select(pl.col("order_no", "qty", "unit_price").null_count()).row(0) == (0, 0, 0)


def test_parquet_keeps_our_names(tmp_path: Path) -> None:
    files = export(WORLD, tmp_path, form="parquet")
    events = pl.read_parquet(files.events)
    assert events.columns[:4] == ["user_id", "item_id", "event", "ts"]
    assert events["ts"].dtype == pl.Int64
    assert pl.read_parquet(files.items)["category"].dtype == pl.List(pl.String)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_same_world_gives_the_same_bytes(tmp_path: Path, form: Form) -> None:
    one, two = (export(WORLD, tmp_path / name, form=form) for name in ("one", "two"))
    for name in ("events", "items", "users", "holdout"):
        assert getattr(one, name).read_bytes() == getattr(two, name).read_bytes()
