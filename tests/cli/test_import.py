"""`paretail import` writes the shop whole or not at all."""

import json
from pathlib import Path

import polars as pl
import pytest

from paretail.cli import main
from paretail.data.store import read_shop

LOG = "user_id,item_id,event,price\n" + "".join(f"u{n % 9},i{n % 7},view,1\n" for n in range(300))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "events.csv").write_text(LOG + ",i1,view,1\n")
    (tmp_path / "shop.toml").write_text('[data]\nevents = "events.csv"\n')
    return tmp_path / "shop.toml"


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    return int(left.value.code or 0)


def test_shop_quarantine_and_report(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = config.parent / "out"
    assert run("import", "--config", str(config), "--out", str(out), "--json") == 0
    assert json.loads(capsys.readouterr().out)["accounts"][0]["imported"] == 300
    assert read_shop(out).events.frame.height == 300
    assert pl.read_csv(out / "quarantine" / "events.csv")["reason"].to_list() == ["missing_user_id"]
    assert json.loads((out / "report.json").read_text())["accounts"][0]["read"] == 301
    assert run("import", "--config", str(config), "--out", str(out)) == 2
    assert run("import", "--config", str(config), "--out", str(out), "--force") == 0


def test_nothing_is_written_where_a_check_fails(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "events.csv").write_text(LOG + "u1,i1,wow,1\n")
    assert run("import", "--config", str(config), "--out", str(config.parent / "out")) == 1
    assert "nothing was written" in capsys.readouterr().err
    assert sorted(path.name for path in config.parent.iterdir()) == ["events.csv", "shop.toml"]
