"""`recommend --goals` and `--settings`: slates for goals to a file."""

import json
from pathlib import Path

import polars as pl
import pytest

from ..trained import DemoShop, paretail

pytest.importorskip("torch")


def _slates(shop: DemoShop, out: Path, *more: object) -> pl.DataFrame:
    done = paretail("recommend", "--bundle", shop.bundle, "-k", 6, "--out", out, *more)
    assert done.code == 0, done.err
    return pl.read_parquet(out)


def test_a_file_of_settings_gives_slates_of_each(shop: DemoShop, tmp_path: Path) -> None:
    lines = ["diversity=0.0", "diversity=1.0", "maximise=coverage,clicks>=-10%"]
    file = tmp_path / "settings.txt"
    file.write_text("# what the spring sale may look like\n\n" + "\n".join(lines) + "\n")
    told = _slates(shop, tmp_path / "slates.parquet", "--settings", file)
    assert told["setting"].unique(maintain_order=True).to_list() == lines
    sizes = told.group_by("setting", "user_id").agg(pl.col("item_id").n_unique(), pl.col("rank").sort())
    assert (sizes["item_id"] == 6).all()
    assert sizes["rank"].to_list() == [list(range(1, 7))] * sizes.height
    shown = told.group_by("setting", maintain_order=True).agg(pl.col("item_id").n_unique())["item_id"].to_list()
    assert shown[2] > shown[0]


def test_nothing_out_of_stock_is_in_a_slate(shop: DemoShop, tmp_path: Path) -> None:
    told = _slates(shop, tmp_path / "slates.parquet", "--goals", "clicks=1")
    items = pl.read_csv(shop.folder / "items.csv")
    gone = set(items.filter(~pl.col("in_stock"))["sku"])
    assert gone
    assert not gone & set(told["item_id"])


def test_the_forecast_of_each_setting_is_told(shop: DemoShop, tmp_path: Path) -> None:
    out = tmp_path / "slates.parquet"
    done = paretail("recommend", "--bundle", shop.bundle, "--goals", "diversity=0.5", "-k", 6, "--out", out, "--json")
    told = json.loads(done.out)["settings"][1]
    assert told["setting"] == "diversity=0.5"
    assert 0 < told["expected"]["diversity"] <= 1
    assert told["segments"]["heavy"]["shares"]["diversity"] == pytest.approx(0.5, abs=0.05)
    seen = paretail("recommend", "--bundle", shop.bundle, "--goals", "diversity=0.5", "-k", 6, "--out", out)
    assert "diversity" in seen.out


@pytest.mark.parametrize(("more", "code"), [
    (("--goals", "revenu=0.5"), "POL-01"), (("--goals", "clicks=2"), "POL-03"),
    (("--goals", "clicks=1", "--order", "value"), "CLI-26"),
])  # fmt: skip
def test_what_cannot_be_followed_writes_nothing(
    shop: DemoShop, tmp_path: Path, more: tuple[str, ...], code: str
) -> None:
    out = tmp_path / "slates.parquet"
    done = paretail("recommend", "--bundle", shop.bundle, "--out", out, *more)
    assert done.code != 0
    assert code in done.err
    assert not out.exists()


def test_all_lines_that_cannot_be_read_are_named(shop: DemoShop, tmp_path: Path) -> None:
    file = tmp_path / "settings.txt"
    file.write_text("clicks=0.5\nclicks=5\nmuch\n")
    done = paretail("recommend", "--bundle", shop.bundle, "--out", tmp_path / "o.parquet", "--settings", file)
    assert "line 2" in done.err
    assert "line 3" in done.err
    file.write_text("# nothing\n")
    done = paretail("recommend", "--bundle", shop.bundle, "--out", tmp_path / "o.parquet", "--settings", file)
    assert "POL-07" in done.err
