"""Real shops go through `init`, `check` and import, and every row of the uncleaned one is accounted for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from paretail.cli import main
from paretail.core.errors import DataError
from paretail.data.config import DataConfig
from paretail.data.ingest import examine, ingest
from paretail.pipeline.config import load_config

Real = Callable[[str], Path]
pytestmark = pytest.mark.realdata
ROOT = Path(__file__).parents[2]
SETS: list[Any] = [
    ("gowalla", [], {"view": 810_128}, "none"),
    ("retailrocket", ["buy=purchase"], {"view": 75_374, "cart": 12_456, "purchase": 9_551}, "clock"),
    ("tmall", ["buy=purchase"], {"view": 858_505, "cart": 180_027, "purchase": 92_180}, "none"),
    ("online_retail", ["buy=purchase"], {"purchase": 331_009}, "clock"),
    ("lastfm", ["listen=1"], {"listen": 74_321}, "none"),
    ("beauty", ["buy=purchase"], {"purchase": 176_139}, "order"),
]


@pytest.mark.parametrize(
    ("name", "kinds", "counts", "time"), SETS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_real_set_needs_no_hand_edit(
    name: str, kinds: list[str], counts: dict[str, int], time: str, real_data: Real, tmp_path: Path
) -> None:
    folder = real_data(name)
    tables = [table for table in ("events", "items", "users", "links") if (folder / f"{table}.parquet").exists()]
    arguments = [part for table in tables for part in (f"--{table}", str(folder / f"{table}.parquet"))]
    arguments += [part for kind in kinds for part in ("--kind", kind)]
    with pytest.raises(SystemExit) as left:
        main(["init", *arguments, "--out", str(tmp_path / "shop.toml")])
    assert not left.value.code
    found = examine(load_config(tmp_path / "shop.toml").data, tmp_path)
    assert found.report.status != "fail"
    assert dict(found.tables.events["kind"].value_counts().iter_rows()) == counts
    assert found.tables.time == time
    assert all(account.imported == account.read for account in found.report.accounts)


def test_the_uncleaned_lines_of_a_wholesaler_are_all_accounted_for(real_data: Real, tmp_path: Path) -> None:
    folder = real_data("online_retail")
    text = (ROOT / "docs" / "examples" / "online_retail_raw.toml").read_text(encoding="utf-8")
    (tmp_path / "shop.toml").write_text(text)
    (tmp_path / "lines_raw.parquet").symlink_to(folder / "lines_raw.parquet")
    config = load_config(tmp_path / "shop.toml").data
    imported = ingest(config, tmp_path, quarantine=tmp_path / "bad")
    account = imported.report.total("events")
    raw = pl.read_parquet(folder / "lines_raw.parquet")
    assert account.read == 541_909
    assert account.imported + sum(account.quarantined.values()) + sum(account.excluded.values()) == 541_909
    assert account.excluded["no customer"] == raw["customer_id"].is_nan().sum() + raw["customer_id"].null_count()
    known = raw.filter(pl.col("customer_id").is_not_nan() & pl.col("customer_id").is_not_null())
    fees = known["description"].str.contains(config.exclude[1].matches or "")
    assert account.excluded["fees"] == fees.sum()
    goods = known.filter(~fees)
    back, free = goods["quantity"] < 0, (goods["unit_price"] == 0) & (goods["quantity"] >= 0)
    assert account.excluded["free of charge"] == free.sum()
    assert account.quarantined == {}
    events = imported.shop.events.frame
    assert account.imported == events.height == goods.height - free.sum()
    assert events.filter(pl.col("kind") == "refund").height == back.sum()
    amount = (goods["quantity"] * (goods["unit_price"] * 100).round()).sum()
    assert imported.report.value["net_minor"] == pytest.approx(amount)
    assert events["user_id"].head(1).to_list() == ["17850"]


def test_without_rules_the_uncleaned_lines_are_refused(real_data: Real) -> None:
    columns = {"user_id": "customer_id", "item_id": "description", "ts": "invoice_date", "price": "unit_price"}
    values = {"events": "lines_raw.parquet", "kind": "purchase", "columns": {"events": columns}}
    with pytest.raises(DataError, match=r"135,080 of 541,909 \(24.9 %\) rows have no user_id"):
        ingest(DataConfig.parse(values), real_data("online_retail"))
