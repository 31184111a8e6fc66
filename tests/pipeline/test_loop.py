"""The loop: days follow from their seed, releases follow from trials, bad requests are said."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("gymnasium")

from paretail.core.errors import UsageError
from paretail.core.rng import rng_for
from paretail.pipeline import loop
from paretail.pipeline.loop import Asked, Day, Loop, Looped, Served, newest
from paretail.pipeline.loop_page import bars, page
from paretail.sim.preset import HABITS
from paretail.sim.rivals import Popular, Relevant, Rested
from paretail.sim.truth import SimConfig, grow
from paretail.sim.visits import Visits

from ..trained import paretail


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = grow(SimConfig(users=60, items=80), rng_for("sim/truth", 0))
    monkeypatch.setattr(loop, "frozen_shop", lambda seed: Visits(truth, HABITS))
    for name, value in {"LEAST": 60, "STEPS": 2, "ASKED": 20}.items():
        monkeypatch.setattr(loop, name, value)


def test_days_are_served_learned_from_and_reported(tmp_path: Path) -> None:
    asked = ["loop", "--days", 2, "--visits", 40, "--seed", 2]
    done = paretail(*asked, "--out", tmp_path / "one", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert [day["day"] for day in told["days"]] == [1, 2]
    assert told["days"][0]["reward"] == told["days"][0]["frozen"]  # the same policy, visitors and luck
    assert told["days"][1]["decided"].startswith("trial of iql 1")
    assert told["totals"]["oracle"] > told["totals"]["frozen"]
    again = Loop(Asked(1, 2, 40)).run()
    assert again.days[0].reward == told["days"][0]["reward"]
    html = (tmp_path / "one" / "report.html").read_text()
    assert "Cumulative reward" in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")


def test_what_wins_its_trial_is_released_and_what_loses_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Loop(Asked(seed=1, visits=40))
    monkeypatch.setattr(loop, "ASKED", 200)
    run.place = Served("popular", lambda: Popular(run.shop))
    run.trial = Served("rested", lambda: Rested(run.shop))
    rng = np.random.default_rng(0)
    run.place.returns, run.trial.returns = (rng.normal(mean, 1, 300).tolist() for mean in (3, 6))
    decided, replaced = run._looked()
    assert decided == "rested released after its trial"
    assert replaced is not None
    assert run.place.name == "rested"
    assert run._truth(replaced, 1) > 0
    run.trial = Served("worse", lambda: Relevant(run.shop), rng.normal(1, 1, 300).tolist())
    assert run._looked()[0] == "worse given up (stop)"
    assert run.place.name == "rested"
    assert run.trial is None
    run.trial = Served("alike", lambda: Relevant(run.shop), rng.normal(6, 8, 300).tolist())
    run.place.returns = rng.normal(6.5, 8, 300).tolist()
    assert run._looked() == ("alike given up (futile)", None)


def test_slots_are_drawn_less_often_once_there_are_agents() -> None:
    run = Loop(Asked(visits=40, explore=0.5, settled=0.1))
    run._serve(1)
    run.learned = 1
    run._serve(2)
    drawn = [(log.propensity < 0.4).mean() for log in run.logs]
    assert drawn[0] == pytest.approx(0.5, abs=0.06)
    assert drawn[1] == pytest.approx(0.1, abs=0.04)


def test_the_next_candidate_waits_for_half_as_many_visits_again() -> None:
    run = Loop(Asked(visits=40))
    due = []
    for day in range(1, 6):
        run._serve(day)
        due.append(run._is_due())
        if due[-1]:
            run.known = 40 * day
    assert due == [False, True, True, False, True]  # 60 are the least, then 120, then 180


def test_a_forecast_that_the_log_can_tell_stops_what_is_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Loop(Asked(visits=40))
    run._serve(1)
    for high, begun in ((0.5, False), (99.0, True)):
        estimate = SimpleNamespace(refused=(), value=0.4, low=0.3, high=high)
        monkeypatch.setattr(run, "_learn", lambda day, e=estimate: (None, e))
        run.trial, run.place.returns = None, [3.0] * 50
        decided, forecast, _ = run._candidate(1)
        assert (run.trial is not None) == begun
        assert ("given up by the forecast" in decided) != begun
        assert "against 3.00" in forecast


def test_the_newest_visits_are_those_learned_from() -> None:
    run = Loop(Asked(visits=40))
    for day in (1, 2, 3):
        run._serve(day)
    log = newest(run.logs, 60)
    assert len(log.starts) == 80
    assert log.returns.sum() == pytest.approx(sum(one.returns.sum() for one in run.logs[1:]))


def test_reports_name_the_days_that_should_have_been_stopped() -> None:
    days = tuple(
        Day(n, 10.0 * n, 10.0, 11.0, 30.0, "a", "b", "", truth) for n, truth in enumerate([None, 4.0, -5.0], 1)
    )
    looped = Looped(Asked(days=3), days, 1.0)
    assert looped.should_have_stopped == [3]
    assert ": 3." in page(looped)
    assert bars(looped)[1].startswith("reward ")


@pytest.mark.parametrize("wrong", [{"agent": "ppo"}, {"days": 0}, {"visits": 3}, {"explore": 0.0}, {"settled": 0.3}])
def test_what_cannot_be_asked_is_said(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="AGENT-11"):
        Asked(**wrong).check()
