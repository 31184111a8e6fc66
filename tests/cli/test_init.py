"""`paretail init` writes a file that `paretail check` can follow."""

import tomllib
from pathlib import Path

import pytest

from paretail.cli import main

LOG = "visitorid,itemid,event,timestamp\n" + "".join(
    f"u{n % 9},i{n % 7},{'buy' if n % 3 else 'view'},{1_700_000_000 + n * 977}\n" for n in range(300)
)


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "events.csv").write_text(LOG)
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    return int(left.value.code or 0)


def test_a_first_configuration(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("init", "--events", "events.csv", "--kind", "buy=purchase", "--out", "shop.toml") == 0
    data = tomllib.loads((shop / "shop.toml").read_text())["data"]
    assert data["kinds"] == {"buy": "purchase", "view": "view"}
    assert "paretail check --config shop.toml" in capsys.readouterr().err
    assert run("check", "--config", "shop.toml") == 0


def test_no_file_is_overwritten_without_force(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "shop.toml").write_text("mine")
    assert run("init", "--events", "events.csv", "--out", "shop.toml") == 2
    assert "--force" in capsys.readouterr().err
    assert (shop / "shop.toml").read_text() == "mine"
    assert run("init", "--events", "events.csv", "--out", "shop.toml", "--force") == 0


def test_what_is_left_to_complete_is_told_and_exits_with_1(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "events.csv").write_text(LOG.replace("view", "wow"))
    assert run("init", "--events", "events.csv", "--out", "shop.toml") == 1
    assert 'to complete: events: what does the word "wow" mean?' in capsys.readouterr().err
    assert "COMPLETE THIS" in (shop / "shop.toml").read_text()
    assert run("check", "--config", "shop.toml") == 1


def test_several_files_of_one_table(shop: Path) -> None:
    (shop / "more.csv").write_text(LOG)
    assert run("init", "--events", "events.csv", "more.csv", "--out", "shop.toml") == 0
    assert tomllib.loads((shop / "shop.toml").read_text())["data"]["events"] == ["events.csv", "more.csv"]


@pytest.mark.parametrize(
    "arguments",
    [[], ["--events"], ["--events", "events.csv", "--kind", "buy=sold"], ["--events", "events.csv", "--preset", "x"],
     ["--events", "postgresql://x/y"]],
)  # fmt: skip
def test_wrong_usage_exits_with_2(arguments: list[str], shop: Path) -> None:
    assert run("init", *arguments, "--out", "shop.toml") == 2
    assert not (shop / "shop.toml").exists()


def test_a_missing_file_exits_with_1(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("init", "--events", "evnts.csv", "--out", "shop.toml") == 1
    assert "did you mean 'events.csv'" in capsys.readouterr().err
    assert [path.name for path in shop.iterdir()] == ["events.csv"]
