"""`paretail check` tells what is wrong, where, and what it costs."""

import json
from pathlib import Path

import pytest

from paretail.cli import main
from paretail.data.checks import CHECKS

LOG = "user_id,item_id,event,price\n" + "".join(f"u{n % 9},i{n % 7},view,1\n" for n in range(300))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "events.csv").write_text(LOG + "u1,i1,view,-4\n")
    (tmp_path / "shop.toml").write_text('[data]\nevents = "events.csv"\n')
    return tmp_path / "shop.toml"


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    return int(left.value.code or 0)


def test_every_check_has_its_line(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "--config", str(config)) == 0
    said = capsys.readouterr().out
    assert "PASS  unknown_kinds" in said
    assert "WARN  negative_amounts" in said
    assert "events: 1 of 301 (0.3 %) rows have price < 0 (first: events.csv row 301, -400)" in said
    assert "Consequence: Value per order" in said
    assert "1 (negative_price 1)" in said
    assert f"{len(CHECKS) - 2} passed, 2 warned, 0 failed" in said
    assert sorted(path.name for path in config.parent.iterdir()) == ["events.csv", "shop.toml"]


def test_a_failure_exits_with_1(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "events.csv").write_text(LOG + "u1,i1,wow,1\n")
    assert run("check", "--config", str(config)) == 1
    assert "FAIL  unknown_kinds" in capsys.readouterr().out


def test_json_for_machines(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "--config", str(config), "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["verdict"] == "warn"
    assert said["accounts"] == [
        {"table": "events", "file": "events.csv", "read": 301, "imported": 300, "quarantined": {"negative_price": 1},
         "excluded": {}}
    ]  # fmt: skip
    check = next(check for check in said["checks"] if check["name"] == "negative_amounts")
    assert (check["status"], check["problems"][0]["code"]) == ("warn", "CHECK-07")


def test_the_rows_in_question_can_be_written(config: Path) -> None:
    assert run("check", "--config", str(config), "--quarantine", str(config.parent / "bad")) == 0
    assert "negative_price,events.csv,301" in (config.parent / "bad" / "events.csv").read_text()


def test_a_file_that_is_not_there_exits_with_1(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text('[data]\nevents = "event.csv"\n')
    assert run("check", "--config", str(config)) == 1
    assert "did you mean 'events.csv'" in capsys.readouterr().err
