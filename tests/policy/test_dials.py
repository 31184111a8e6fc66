"""Dials: asked shares are achieved, on other requests too; budgets hold and are not overpaid."""

from dataclasses import replace
from threading import Thread

import numpy as np
import pytest

from paretail.pipeline.explaining import position_in_words
from paretail.policy import PolicyError
from paretail.policy.dials import Dials
from paretail.policy.goals import parse
from paretail.policy.objectives import OBJECTIVES, objective
from paretail.policy.slate import compose
from tests.policy.pools import pool

GOALS = {name: objective(name) for name in OBJECTIVES}
BASE = {"clicks": 1.0, "purchases": 1.0, "revenue": 1.0}


@pytest.fixture(scope="module")
def dials() -> Dials:
    return Dials(pool(users=200, cands=60, seed=1), GOALS, BASE, 8)


def _achieved(dials: Dials, other: Dials, line: str) -> dict[str, float]:
    """Return the shares that weights solved on one sample reach of the ranges of another."""
    weights = dials.setting(parse(line)).weights
    places = compose(other.sample, GOALS, weights, 8)
    return {goal: other.curve(goal).share(float(GOALS[goal].value(other.sample, places).mean()))
            for goal in parse(line).names}  # fmt: skip


@pytest.mark.parametrize("goal", ["clicks", "purchases", "revenue", "profit", "diversity", "novelty", "freshness"])
def test_a_dial_is_a_share_of_the_range_on_other_requests(dials: Dials, goal: str) -> None:
    other = Dials(pool(users=200, cands=60, seed=2, wares=dials.sample.wares), GOALS, BASE, 8)
    missed = [abs(_achieved(dials, other, f"{goal}={share}")[goal] - share) for share in (0.1, 0.3, 0.5, 0.7, 0.9)]
    assert np.mean(missed) < 0.04
    assert max(missed) < 0.08


@pytest.mark.parametrize(
    "line", ["revenue=0.5,diversity=0.5", "clicks=0.6,novelty=0.3", "profit=0.3,diversity=0.3,novelty=0.1"]
)
def test_several_dials_are_achieved_together(dials: Dials, line: str) -> None:
    asked = parse(line).dial or {}
    achieved = _achieved(dials, dials, line)
    assert max(abs(achieved[goal] - share) for goal, share in asked.items()) < 0.03


@pytest.mark.parametrize(("k", "still"), [(8, "freshness"), (1, "diversity")])
def test_a_goal_that_cannot_move_spoils_no_other_dial(dials: Dials, k: int, still: str) -> None:
    of_one_age = np.full_like(dials.sample.wares.created_ts_ms, 50 * 86_400_000)
    sample = replace(dials.sample, wares=replace(dials.sample.wares, created_ts_ms=of_one_age))
    found = Dials(sample, GOALS, BASE, k).setting(parse(f"revenue=0.7,novelty=0.4,{still}=0.5"))
    assert found.shares["revenue"] == pytest.approx(0.7, abs=0.03)
    assert found.shares["novelty"] == pytest.approx(0.4, abs=0.03)
    assert still not in found.shares
    assert f"Asking for {still} changes nothing here" in position_in_words(found.position)
    alone = Dials(sample, GOALS, BASE, k).setting(parse(f"{still}=0.5"))
    assert still not in alone.shares


def test_a_goal_of_which_the_base_has_all_is_held_beside_another_dial(dials: Dials) -> None:
    """What is sold brings revenue, so that slates for revenue alone have all of it; novelty would take .37 of that."""
    goals = GOALS | {"sales": GOALS["revenue"]}
    both = Dials(dials.sample, goals, {"revenue": 1.0}, 8)
    assert not both.curve("sales").moves
    found = both.setting(parse("sales=0.9,novelty=0.9"))
    assert found.shares["sales"] == pytest.approx(found.shares["novelty"], abs=0.03)
    assert found.shares["sales"] > 0.75
    assert "sales" not in found.position.still
    easy = both.setting(parse("sales=0.5,novelty=0.4"))
    assert easy.shares["novelty"] == pytest.approx(0.4, abs=0.03)
    assert both.setting(parse("sales=0.9")).position.still == ("sales",)


def test_slates_longer_than_there_are_candidates_are_measured_at_one_length() -> None:
    few = pool(users=60, cands=12, seed=1, attention=1 / (1 + 0.35 * np.arange(30)))
    dials, short = Dials(few, GOALS, BASE, 24), Dials(few, GOALS, BASE, 12)
    for goal in ("novelty", "diversity", "distance"):
        low, high = dials.ends(goal)
        assert low <= high + 1e-6
    assert dials.ends("clicks")[0] == pytest.approx(short.ends("clicks")[0], rel=0.05)


def test_a_dial_at_its_end_is_the_goal_alone_with_ties_broken(dials: Dials) -> None:
    alone = GOALS["diversity"].value(dials.sample, compose(dials.sample, GOALS, {"diversity": 1.0}, 8)).mean()
    setting = dials.setting(parse("diversity=1"))
    assert setting.expected["diversity"] >= alone - 1e-6
    blind = GOALS["clicks"].value(dials.sample, compose(dials.sample, GOALS, {"diversity": 1.0}, 8)).mean()
    assert setting.expected["clicks"] > 1.2 * blind


@pytest.mark.parametrize("percent", [1, 5, 10])
def test_a_budget_holds_and_is_spent(dials: Dials, percent: int) -> None:
    setting = dials.setting(parse(f"maximise=novelty,revenue>=-{percent}%"))
    kept = setting.expected["revenue"] / setting.today["revenue"] - 1
    assert -percent / 100 <= kept <= -percent / 100 + 0.005
    assert setting.expected["novelty"] > setting.today["novelty"]


@pytest.mark.parametrize(("goal", "margin"), [("revenue", 0.3), ("clicks", 0.3), ("profit", -0.3)])
def test_a_budget_of_no_loss_is_kept(goal: str, margin: float) -> None:
    sample = pool(users=60, cands=30, seed=1)
    sold_at = np.full_like(sample.wares.margin, margin)
    found = Dials(replace(sample, wares=replace(sample.wares, margin=sold_at)), GOALS, {goal: 1.0}, 6)
    setting = found.setting(parse(f"maximise=diversity,{goal}>=-0%"))
    assert (setting.today[goal] < 0) == (margin < 0)
    assert setting.expected[goal] >= setting.today[goal] - 1e-3 * abs(setting.today[goal])
    with pytest.raises(PolicyError, match=r"Expected -?\S+ at most, [+-]0\.\d % of what is served"):
        found.setting(parse(f"maximise=diversity,{goal}>=+2%"))


def test_several_budgets_hold(dials: Dials) -> None:
    setting = dials.setting(parse("maximise=novelty,revenue>=-5%,clicks>=-3%"))
    assert setting.expected["revenue"] >= 0.9495 * setting.today["revenue"]
    assert setting.expected["clicks"] >= 0.9695 * setting.today["clicks"]


def test_a_budget_out_of_reach_says_how_much_is_in_reach(dials: Dials) -> None:
    with pytest.raises(PolicyError, match=r"POL-05") as error:
        dials.setting(parse("maximise=novelty,revenue>=+500%"))
    assert "%" in str(error.value)


def test_bounds_of_money_are_told_in_the_currency_and_a_refusal_is_kept(
    dials: Dials, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Dials(dials.sample, GOALS, BASE, 8, per={"revenue": 100.0})
    most, impossible = told.curve("revenue").high, parse("maximise=novelty,revenue>=500000000")
    with pytest.raises(PolicyError, match=rf"revenue >= 5e\+06 .* Expected {most / 100:.6g} at most"):
        told.setting(impossible)
    monkeypatch.setattr(told, "_budget", None)  # it is not solved again
    with pytest.raises(PolicyError, match="POL-05"):
        told.setting(impossible)
    assert told.asked == []


def test_what_is_kept_is_read_while_another_setting_is_solved(dials: Dials) -> None:
    kept, found = dials.setting(parse("novelty=0.5")), []
    with dials._lock:
        reader = Thread(target=lambda: found.append((dials.setting(parse("novelty=0.5")), dials.asked)))
        reader.start()
        reader.join(10)
    assert found[0][0] is kept
    assert parse("novelty=0.5") == found[0][1][-1]


def test_what_was_asked_for_last_is_kept_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paretail.policy.dials.MOST_SETTINGS", 4)
    small, often = Dials(pool(users=20, cands=20), GOALS, BASE, 4), parse("clicks=0.5")
    first = small.setting(often)
    for number in range(9):
        small.setting(parse(f"clicks=0.{number + 10}"))
        assert small.setting(often) is first
    assert small.asked[-1] == often


def test_raw_weights_are_no_dials(dials: Dials) -> None:
    """The control: the same share of the weight misses the share of the range by far more than a dial does."""
    missed = []
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        for goal in ("novelty", "diversity", "profit"):
            parts = {**{name: (1 - share) / 3 for name in BASE if name != goal}, goal: share}
            places = compose(dials.sample, GOALS, dials.weights(parts), 8)
            missed.append(abs(dials.curve(goal).share(float(GOALS[goal].value(dials.sample, places).mean())) - share))
    assert np.mean(missed) > 0.1


def test_callers_who_ask_for_anything_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paretail.policy.dials.MOST_SLATES", 20)
    monkeypatch.setattr("paretail.policy.dials.MOST_SETTINGS", 5)
    small = Dials(pool(users=20, cands=20), GOALS, BASE, 4)
    first = small.setting(parse("clicks=0.5"))
    for number in range(12):
        small.setting(parse(f"clicks=0.{number + 10},diversity=0.3"))
    assert len(small._solved) <= 5
    assert len(small._slates) <= 20 + 20
    assert small.setting(parse("clicks=0.5")).weights == first.weights


def test_coverage_rises_with_its_dial(dials: Dials) -> None:
    shown = []
    for share in (0.0, 0.5, 1.0):
        weights = dials.setting(parse(f"coverage={share}")).weights
        shown.append(len(np.unique(dials.sample.items(dials._composed(weights)))))
    assert shown == sorted(shown)
