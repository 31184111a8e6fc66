"""`paretail search`: a bundle of the shop's own architecture, what it is worth, and again without work."""

import json
from pathlib import Path

import pytest

from paretail.pipeline.bundle import Bundle, current, versions

from ..trained import DemoShop, paretail, parts

pytest.importorskip("torch")
SEARCH = """
[search]
trials = 3
batch = 3
keep = 0.7
baselines = ["popular", "lightgcn"]
[search.space]
message = ["lightgcn", "none", "gcn"]
depth = [1, 2]
dim = [8, 16]
epochs = 2
negatives = 64
"""


@pytest.fixture(scope="module")
def folder(shop: DemoShop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One search of two goals, in a folder."""
    folder = tmp_path_factory.mktemp("search")
    text = shop.config_with(folder / "shop.toml").read_text()
    (folder / "shop.toml").write_text(f"{text}{SEARCH}")
    done = paretail("search", *asked(folder), "--json")
    assert done.code == 0, done.err
    (folder / "said.json").write_text(done.out)
    return folder


def asked(folder: Path) -> list[object]:
    return ["--config", folder / "shop.toml", "--out", folder / "search", "--goals", "accuracy,latency"]


def test_a_search_publishes_a_bundle_and_tells_what_it_is_worth(folder: Path) -> None:
    told = json.loads((folder / "said.json").read_text())
    assert json.loads((folder / "search" / "search.json").read_text()) == told
    assert (len(told["trials"]), told["stopped"], told["evaluated"]) == (3, "trials", 2 + 3 + 2)
    assert {"popular", told["chosen"]["name"]} <= {one["name"] for one in told["rivals"]}
    bundle = Bundle.load(folder / "search" / "bundle")
    assert bundle.version == told["version"]
    facts = bundle.manifest.facts
    assert facts["model"] == "graph"
    assert facts["settings"]["dim"] == told["chosen"]["settings"]["dim"]
    assert facts["settings"]["epochs"] == told["chosen"]["trained"]["epochs"]
    assert told["users"] + told["users_apart"] > 0
    assert all(one["settings"]["epochs"] == 2 for one in told["trials"])
    assert not (folder / "search" / "ground").exists()
    assert not parts(folder)


def test_the_page_draws_the_choice_and_loads_nothing(folder: Path) -> None:
    page = (folder / "search" / "search.html").read_text()
    assert page.count("<svg") == 2
    assert "The front" in page
    assert "http" not in page
    assert 'name = "graph"' in page


def test_again_nothing_is_trained_but_what_is_picked(folder: Path, tmp_path: Path) -> None:
    told = json.loads((folder / "said.json").read_text())
    number = next(
        one["number"] for one in told["trials"] if one["trained"] and one["number"] != told["chosen"]["number"]
    )
    done = paretail("search", *asked(folder), "--pick", number)
    assert done.code == 0, done.err
    assert f"Chosen: #{number} " in done.out
    root, candidate = folder / "search" / "bundle", folder / "search" / "candidate"
    assert versions(root) == [current(root)] == [told["version"]]
    assert f"{current(candidate)} in {candidate}. It is a candidate" in done.out
    assert f"paretail release --bundle {root} --candidate {candidate} " in done.out


@pytest.mark.parametrize(
    ("options", "code", "exit_code"),
    [(["--strategy", "evoluton"], "SRCH-01", 1), (["--goals", "accuracy,latncy"], "SRCH-15", 2),
     (["--budget", "soon"], "CONF-03", 2), (["--trials", 0], "CONF-03", 2), (["--workers", 0], "SRCH-19", 2),
     (["--budget", "0s"], "CONF-03", 2), (["--budget", "0.01s"], "SRCH-16", 2)],
)  # fmt: skip
def test_wrong_input_is_refused(
    shop: DemoShop, tmp_path: Path, options: list[object], code: str, exit_code: int
) -> None:
    config = shop.config_with(tmp_path / "shop.toml")
    config.write_text(f'{config.read_text()}\n[search]\nbaselines = ["popular"]\n')
    done = paretail("search", "--config", config, "--out", tmp_path / "search", *options)
    assert (done.code, code in done.err) == (exit_code, True), done.err


@pytest.mark.parametrize(
    ("space", "code"),
    [("depht = 2", "SRCH-10"), ('loss = "margin"\nscorer = "dot"', "SRCH-12"), ("dim = 0", "SRCH-11")],
)
def test_a_space_that_cannot_be_is_refused(shop: DemoShop, tmp_path: Path, space: str, code: str) -> None:
    config = shop.config_with(tmp_path / "shop.toml")
    config.write_text(f"{config.read_text()}\n[search.space]\n{space}\n")
    done = paretail("search", "--config", config, "--out", tmp_path / "search")
    assert (done.code, code in done.err) == (1, True), done.err


def test_a_foreign_journal_is_refused(shop: DemoShop, tmp_path: Path) -> None:
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "evaluations.jsonl").write_text("name,price\n")
    done = paretail("search", "--config", shop.config_with(tmp_path / "shop.toml"), "--out", tmp_path / "search")
    assert (done.code, "SRCH-14" in done.err) == (1, True)


def test_without_torch_the_extra_is_named(shop: DemoShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from paretail.core.errors import MissingExtraError, Problem
    from paretail.pipeline import search as module

    def missing(name: str) -> None:
        raise MissingExtraError(Problem("LEARN-01", "torch cannot be imported", "The extra `learn`", "Install it"))

    monkeypatch.setattr(module, "import_module", missing)
    done = paretail("search", "--config", shop.config_with(tmp_path / "shop.toml"), "--out", tmp_path / "search")
    assert (done.code, "LEARN-01" in done.err) == (1, True)


def test_one_folder_holds_one_search_at_a_time(shop: DemoShop, tmp_path: Path) -> None:
    from paretail.pipeline.search import _alone

    with _alone(tmp_path / "search"):
        done = paretail("search", "--config", shop.config_with(tmp_path / "shop.toml"), "--out", tmp_path / "search")
    assert (done.code, "SRCH-18" in done.err) == (2, True)
