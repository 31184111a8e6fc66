"""Whatever is wrong with what a user gives: one line with found, expected, do and a code; never a traceback."""

import gzip
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ..trained import DemoShop, Done, paretail

NOISE = bytes(range(256)) * 4
LINE = re.compile(r"paretail: .+[.?] .+[.?] .+[.?] \(([A-Z]+-\d\d)\)")


@pytest.fixture
def here(shop: DemoShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder full of what goes wrong, as the current one."""
    monkeypatch.chdir(tmp_path)
    whole = (shop.folder / "holdout.csv.gz").read_bytes()
    text = gzip.decompress(whole).decode()
    files = {
        "noise.csv": NOISE, "noise.parquet": NOISE, "noise.txt": NOISE, "noise.toml": NOISE, "empty.csv": b"",
        "empty.txt": b"", "empty.parquet": b"", "cut.csv.gz": whole[: len(whole) // 2],
        "noise.csv.gz": b"\x1f\x8b" + NOISE,
        "views.csv": "\n".join([text.split("\n")[0], *[row for row in text.split("\n") if ",pv," in row]]).encode(),
        "words.csv": text.replace(",buy,", ",bought it,").encode(),
        "header.csv": text.split("\n")[0].encode() + b"\n",
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.csv").mkdir()
    for name, model, replaced in CONFIGS:
        shop.config_with(tmp_path / name, model, **replaced)
    (tmp_path / "settings.toml").write_text((tmp_path / "ok.toml").read_text() + "settings = {weihgts = {}}\n")
    (tmp_path / "key.toml").write_text((tmp_path / "ok.toml").read_text().replace("timezone", "timezon"))
    (tmp_path / "port.toml").write_text((tmp_path / "ok.toml").read_text() + "[serve]\nport = 99999\n")
    return tmp_path


CONFIGS: list[tuple[str, str, dict[str, str]]] = [
    ("ok.toml", "popular", {}), ("model.toml", "poplar", {}), ("seed.toml", "popular", {"seed": '"0"'}),
    ("budget.toml", "popular", {"budget": '"10"'}), ("zone.toml", "popular", {"timezone": '"Europe/Berlim"'}),
    ("repeat.toml", "popular", {"repeat": '"often"'}), ("gone.toml", "popular", {"events": '"gone.csv"'}),
    ("words.toml", "popular", {"events": '"words.csv"'}), ("few.toml", "popular", {"events": '"header.csv"'}),
    ("cut.toml", "popular", {"events": '"cut.csv.gz"'}), ("items.toml", "popular", {"items": '"noise.csv"'}),
]  # fmt: skip

RECOMMEND = [
    ("--users none.csv", 2, "CLI-01"), ("--users none.csv.gz", 2, "CLI-01"), ("--users no/where", 2, "CLI-01"),
    ("--users noise.csv", 1, "CLI-03"), ("--users noise.parquet", 1, "DATA-02"), ("--users noise.txt", 1, "DATA-02"),
    ("--users noise.csv.gz", 1, "DATA-02"), ("--users cut.csv.gz", 1, "DATA-02"), ("--users empty.csv", 1, "CLI-03"),
    ("--users empty.txt", 1, "CLI-02"), ("--users empty.parquet", 1, "DATA-02"), ("--users folder.csv", 2, "CLI-01"),
    ("-k 0", 2, "CLI-05"), ("-k -1", 2, "CLI-05"), ("-k 100000", 2, "CLI-05"), ("--exclude byu", 2, "CLI-04"),
    ("--exclude purchase,all", 2, "CLI-04"), ("--exclude ,", 2, "CLI-04"), ("--history none.csv", 1, "DATA-01"),
    ("--history noise.csv", 1, "DATA-07"), ("--history empty.csv", 1, "DATA-07"),
    ("--history words.csv", 1, "CHECK-01"),
    ("--history cut.csv.gz", 1, "DATA-02"), ("--history noise.parquet", 1, "DATA-02"),
    ("--history noise.toml", 1, "DATA-03"), ("--out r.xlsx", 2, "CLI-06"), ("--out folder.csv", 2, "CLI-06"),
    ("--out empty.csv/r.csv", 1, "CLI-14"), ("--out /proc/r.csv", 1, "CLI-14"), ("--bundle none", 1, "BNDL-01"),
    ("--bundle empty.csv", 1, "BNDL-01"), ("--bundle .", 1, "BNDL-01"),
]  # fmt: skip
EVALUATE = [
    ("--holdout none.csv", 1, "DATA-01"), ("--holdout folder.csv", 1, "DATA-01"), ("--holdout noise.csv", 1, "DATA-07"),
    ("--holdout cut.csv.gz", 1, "DATA-02"), ("--holdout views.csv", 1, "EVAL-04"),
    ("--holdout words.csv", 1, "CHECK-01"),
    ("--holdout header.csv", 1, "EVAL-04"), ("--holdout views.csv -k 0", 2, "CLI-05"),
    ("--holdout views.csv --against poplar", 1, "RETR-01"), ("--holdout views.csv --exclude byu", 2, "CLI-04"),
]  # fmt: skip
SIMILAR = [
    ("--items none.csv", 2, "CLI-01"), ("--items what", 1, "CLI-15"), ("--items empty.txt", 1, "CLI-02"),
    ("--items noise.csv", 1, "CLI-03"), ("-k 0", 2, "CLI-05"), ("--out s.json", 2, "CLI-06"),
]  # fmt: skip
TRAIN = [
    ("--config none.toml", 1, "CONF-05"), ("--config folder.csv", 1, "CONF-05"), ("--config noise.toml", 1, "CONF-06"),
    ("--config empty.csv", 1, "CONF-02"), ("--config key.toml", 1, "CONF-01"), ("--config seed.toml", 1, "CONF-03"),
    ("--config budget.toml", 1, "CONF-03"), ("--config repeat.toml", 1, "CONF-03"),
    ("--config zone.toml", 1, "CONF-04"),
    ("--config model.toml", 1, "RETR-01"), ("--config settings.toml", 1, "CONF-01"),
    ("--config gone.toml", 1, "DATA-01"),
    ("--config words.toml", 1, "CHECK-01"), ("--config cut.toml", 1, "DATA-02"), ("--config items.toml", 1, "DATA-07"),
    ("--config few.toml", 1, "CHECK-13"), ("--config ok.toml --out .", 1, "BNDL-06"),
    ("--config ok.toml --out empty.csv", 1, "BNDL-06"), ("--config ok.toml --out empty.csv/b", 1, "CLI-14"),
    ("--config ok.toml --seed -1", 2, "CONF-03"), ("--config ok.toml --budget 10", 2, "CONF-03"),
]  # fmt: skip
OTHERS = [
    ("serve", 2, "CLI-07"), ("serve --bundle none", 1, "BNDL-01"), ("serve --config port.toml", 1, "CONF-03"),
    ("serve --config none.toml", 1, "CONF-05"), ("bundles list none", 1, "BNDL-01"), ("demo --folder .", 2, "CLI-08"),
    ("check --config none.toml", 1, "CONF-05"), ("import --config none.toml --out x", 1, "CONF-05"),
]  # fmt: skip


def told(done: Done, code: int, problem: str) -> None:
    """Check that a command failed as it should, and said so in lines of the one form."""
    assert done.code == code, done
    assert done.out == ""
    codes = [found[1] if (found := LINE.fullmatch(line)) else line for line in done.err.splitlines()]
    assert problem in codes
    assert all(re.fullmatch(r"[A-Z]+-\d\d", one) for one in codes), codes


def untouched(here: Path) -> Callable[[], None]:
    """Return a check that nothing was left where nothing should be."""
    before = sorted(path.name for path in here.iterdir())

    def check() -> None:
        assert sorted(path.name for path in here.iterdir() if path.name != "quarantine") == before

    return check


@pytest.mark.parametrize(("arguments", "code", "problem"), RECOMMEND)
def test_recommend(shop: DemoShop, here: Path, arguments: str, code: int, problem: str) -> None:
    given = arguments.split()
    defaults = {"--bundle": str(shop.bundle), "--users": "u00000001", "--out": "r.csv"}
    check = untouched(here)
    told(
        paretail("recommend", *given, *(w for pair in defaults.items() if pair[0] not in given for w in pair)),
        code,
        problem,
    )
    check()


@pytest.mark.parametrize(("arguments", "code", "problem"), EVALUATE)
def test_evaluate(shop: DemoShop, here: Path, arguments: str, code: int, problem: str) -> None:
    told(paretail("evaluate", "--bundle", shop.bundle, *arguments.split()), code, problem)


@pytest.mark.parametrize(("arguments", "code", "problem"), SIMILAR)
def test_similar(shop: DemoShop, here: Path, arguments: str, code: int, problem: str) -> None:
    check = untouched(here)
    given = arguments.split() + ([] if "--out" in arguments else ["--out", "s.csv"])
    told(paretail("similar", "--bundle", shop.bundle, *given), code, problem)
    check()


@pytest.mark.parametrize(("arguments", "code", "problem"), TRAIN)
def test_train(here: Path, arguments: str, code: int, problem: str) -> None:
    check = untouched(here)
    given = arguments.split() + ([] if "--out" in arguments else ["--out", "b"])
    told(paretail("train", *given), code, problem)
    check()


def test_a_place_that_cannot_be_written_is_told_before_the_work(
    shop: DemoShop, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    told(paretail("train", "--config", "words.toml", "--out", "b"), 1, "CLI-14")
    told(paretail("recommend", "--bundle", "none", "--out", "r.csv"), 1, "CLI-14")
    told(paretail("similar", "--bundle", "none", "--out", "s.csv"), 1, "CLI-14")


@pytest.mark.parametrize(("arguments", "code", "problem"), OTHERS)
def test_other_verbs(here: Path, arguments: str, code: int, problem: str) -> None:
    check = untouched(here)
    told(paretail(*arguments.split()), code, problem)
    check()


@pytest.mark.parametrize("file", ["model.safetensors", "history.safetensors", "items.arrow", "manifest.json"])
@pytest.mark.parametrize("verb", ["recommend", "similar", "evaluate", "serve"])
def test_every_verb_refuses_a_truncated_bundle(shop: DemoShop, here: Path, file: str, verb: str) -> None:
    shutil.copytree(shop.bundle, here / "bundle")
    (path,) = (here / "bundle").glob(f"versions/*/{file}")
    path.write_bytes(path.read_bytes()[:-7])
    more = {"evaluate": ["--holdout", "views.csv"], "serve": []}.get(verb, ["--out", "r.csv"])
    told(paretail(verb, "--bundle", here / "bundle", *more), 1, "BNDL-02")
    assert not (here / "r.csv").exists()


def test_folders_on_the_way_to_an_output_are_made(shop: DemoShop, here: Path) -> None:
    done = paretail("recommend", "--bundle", shop.bundle, "--users", "u00000001", "--out", "new/er/r.csv")
    assert done.code == 0
    assert [path.name for path in (here / "new" / "er").iterdir()] == ["r.csv"]
