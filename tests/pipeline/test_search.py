"""A search from shop to bundle, its trainings made up: the same call gives the same answer, and goes live nowhere."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from paretail.core.config import Config
from paretail.core.errors import ConfigError, UsageError
from paretail.pipeline import search as module
from paretail.pipeline.bundle import current, versions
from paretail.pipeline.config import parse_config
from paretail.pipeline.search import _plan
from paretail.pipeline.search_report import Searched
from paretail.search.config import SearchConfig
from paretail.search.strategies.random import Random

from ..search.made_up import Lab
from .made_up_search import TEXT, called, config, made_up

pytest.importorskip("torch")


@pytest.fixture
def lab() -> Iterator[Lab]:
    with made_up(Lab()) as made:
        yield made


def answer(done: Searched) -> tuple[Any, ...]:
    return done.picked.chosen, done.found.trials, done.found.best, [one.name for one in done.picked.front]


def test_a_search_called_again_trains_nothing_and_answers_alike(lab: Lab, tmp_path: Path) -> None:
    first = called(tmp_path)
    assert len({one.round for one in first.found.trials}) == 3
    done = len(lab.done)
    again = called(tmp_path)
    assert answer(again) == answer(first)
    assert [job.model for job in lab.done[done:]] == ["graph"]  # the version published first is a rival now
    assert (first.known, again.known, again.found.evaluated) == (0, done, 1)
    other = next(one for one in first.found.whole if one is not first.picked.chosen)
    picked = called(tmp_path, pick=str(other.number))
    assert picked.picked.chosen == other
    assert picked.found.trials == first.found.trials


def test_killed_between_publishing_and_reporting_the_answer_is_the_same(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = called(tmp_path / "a")

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            called(tmp_path / "b")
    assert versions(tmp_path / "b" / "bundle")
    assert answer(called(tmp_path / "b")) == answer(first)


def test_killed_in_the_middle_it_ends_as_if_it_had_not_been(lab: Lab, tmp_path: Path) -> None:
    root, path = Path(__file__).parents[2], tmp_path / "b" / "search" / "evaluations.jsonl"
    command = [sys.executable, "-m", "tests.pipeline.made_up_search", str(tmp_path / "b")]
    killed = subprocess.Popen(command, cwd=root, env=os.environ | {"PYTHONPATH": str(root / "src")})
    while killed.poll() is None and not (path.exists() and path.read_bytes().count(b"\n") > 12):
        time.sleep(0.01)
    killed.kill()
    assert killed.wait() < 0
    first = called(tmp_path / "a")
    known = sum('"key"' in line for line in path.read_text().splitlines())
    done = len(lab.done)
    again = called(tmp_path / "b")
    assert answer(again) == answer(first)
    assert 0 < again.known <= known < done == known + again.found.evaluated
    assert current(tmp_path / "b" / "bundle") == again.version
    told = [json.loads((tmp_path / name / "search" / "search.json").read_text()) for name in "ab"]
    same = ("chosen", "front", "best", "trials", "stopped")
    assert [told[0][key] for key in same] == [told[1][key] for key in same]


def test_what_is_served_stays_and_the_new_version_is_a_candidate(lab: Lab, tmp_path: Path) -> None:
    first = called(tmp_path)
    live = tmp_path / "bundle"
    assert (first.bundle, first.live, first.steps, first.version) == (live, None, (), current(live))
    for name in ("candidate", "candidate-2"):
        again = called(tmp_path)
        place = tmp_path / "search" / name
        assert (again.bundle, again.live, again.version) == (place, live, current(place))
        assert (current(live), versions(live)) == (first.version, [first.version])
        assert again.steps[0].startswith(f"paretail release --bundle {live} --candidate {place} --log ")
        assert again.steps[1] == f"paretail bundles adopt {place} {live}"


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"pick": "latncy", "goals": ("accuracy", "latency")}, "did you mean 'latency'.*SRCH-17"),
        ({"pick": "mf"}, "Expected a number, or one of accuracy, lightgcn.*SRCH-17"),
        ({"pick": "19"}, "--pick 19. Expected a number from 1 to 18.*SRCH-17"),
        ({"ray": "auto", "workers": 2}, "SRCH-19"),
    ],
)
def test_what_cannot_be_is_refused_before_the_data_are_read(
    wish: dict[str, Any], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "target_of", lambda *_: pytest.fail("read the data"))
    monkeypatch.setitem(sys.modules, "paretail.search.cluster", ModuleType("cluster"))
    with pytest.raises(UsageError, match=told):
        called(tmp_path, parse_config(TEXT.replace('["popular"', '["mf"'), "shop.toml"), **wish)
    with pytest.raises(ConfigError, match=r"did you mean 'hybrid'.*SRCH-01"):
        called(tmp_path, parse_config(TEXT.replace("evolution", "hybird"), "shop.toml"))


@pytest.mark.parametrize("budget", ["soon", "0m", "2 h", 7200])
def test_a_budget_that_is_no_time_is_told_what_one_is(budget: object) -> None:
    with pytest.raises(ConfigError, match='a number with s, m or h, such as "90s", "20m" or "2h"'):
        SearchConfig.parse({"budget": budget})


class Given(Config):
    """Settings without a default."""

    share: float


class Own(Random):
    """A strategy of one's own."""

    config_type = Given


def test_a_strategy_of_ones_own_may_want_a_setting() -> None:
    asks = SearchConfig(strategy=f"{__name__}:Own", settings={"share": 0.5})
    assert _plan(asks, ("accuracy",), 0).trials == 40


def test_a_search_with_other_baselines_is_another_whose_time_is_counted_anew() -> None:
    few, many = (_plan(SearchConfig(baselines=names), ("accuracy",), 0) for names in (["mf"], ["mf", "knn"]))
    assert few.named != many.named
    assert few.named == _plan(SearchConfig(baselines=["mf"], trials=60), ("accuracy",), 0).named


def test_a_preset_outside_the_space_is_a_rival_and_never_chosen(lab: Lab, tmp_path: Path) -> None:
    lab.worth = lambda job: 0.9 if job.settings.get("negatives") == 2048 else 0.1
    done = called(tmp_path, config("negatives = 64\nhalf_life_days = ['none', 30.0]\n"))
    assert done.picked.chosen.number
    assert done.outside == {"lightgcn": "negatives = 2048"}
    assert "The preset lightgcn is a rival only: it is outside [search.space] (negatives = 2048)" in done.remarks
    trained = len(lab.done)
    with pytest.raises(UsageError, match=r"--pick lightgcn: it is outside \[search.space\] \(negatives = 2048\)"):
        called(tmp_path / "new", config("negatives = 64\n"), pick="lightgcn")
    assert len(lab.done) == trained
    assert {one.settings["half_life_days"] for one in done.found.trials} <= {None, 30.0}
    inside = called(tmp_path / "inside", config("negatives = [64, 2048]\n"))
    assert (inside.picked.chosen.settings["negatives"], inside.outside) == (2048, {})
