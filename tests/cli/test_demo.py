"""`paretail demo` goes from a shop's files to an answer over HTTP, and touches nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..trained import SIZE, paretail


def test_from_files_to_an_answer(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    command = [sys.executable, "-m", "paretail", "demo", "--folder", str(folder), "--port", "18700", *SIZE]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, env=os.environ | {"CI": "true"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout
    steps = [f"$ paretail {verb} " for verb in ("init", "check", "train", "evaluate", "serve")]
    assert [told.find(step) for step in steps] == sorted(told.find(step) for step in steps)
    assert told.find(steps[0]) > 0
    assert '/v1/recommend -d \'{"user_id":' in told
    assert "   1. i0000" in told
    assert told.count("answered in") == 3
    assert "1 event accepted and on disk" in told
    before, after = (told.split("/v1/recommend -d")[place] for place in (2, 3))
    first, second = (text.split("   1. ")[1][:9] for text in (before, after))
    assert first != second
    assert "popular" in before.split("1 event accepted")[0]
    assert "because you put" in after
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == [
        "bundle", "bundle-store", "events.csv.gz", "holdout.csv.gz", "items.csv", "serve.log", "shop.toml", "users.csv",
    ]  # fmt: skip


def test_the_files_alone_and_again(tmp_path: Path) -> None:
    files = {}
    for seed in (1, 2, 1):
        size = ["--users", 60, "--items", 40, "--events", 900]
        done = paretail("demo", "--only-files", "--folder", tmp_path / "d", "--seed", seed, *size)
        assert done.code == 0
        assert "60 users, 40 items" in done.out
        found = {path.name: path.read_bytes() for path in (tmp_path / "d").glob("*.csv*")}
        assert sorted(found) == ["events.csv.gz", "holdout.csv.gz", "items.csv", "users.csv"]
        assert files.setdefault(seed, found) == found
    assert files[1] != files[2]


def test_nothing_else_is_touched(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    done = paretail("demo", "--only-files", "--folder", tmp_path)
    assert (done.code, "(CLI-08)" in done.err) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_size_that_cannot_be_leaves_an_earlier_demo(tmp_path: Path) -> None:
    (tmp_path / ".demo").touch()
    done = paretail("demo", "--folder", tmp_path, "--items", 3)
    assert done.code == 1
    assert "the command line: items = 3" in done.err
    assert (tmp_path / ".demo").exists()


@pytest.mark.parametrize("port", [65536, 99999])
def test_no_port_is_free_where_there_is_none(port: int) -> None:
    from paretail.cli.demo import _free
    from paretail.core.errors import UsageError

    with pytest.raises(UsageError, match="CLI-10"):
        _free(port)
