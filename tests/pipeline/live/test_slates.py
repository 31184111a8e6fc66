"""Slates composed for goals, live: what is asked is followed, what is predicted is told, rules of the whole hold."""

import sys
import time
from math import isnan
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from structlog.testing import capture_logs

from paretail.core.errors import ParetailError, UsageError
from paretail.data.stores.lists import impressions
from paretail.pipeline.live.bodies import (
    Boost,
    Cap,
    Goals,
    ItemChange,
    Pin,
    Quota,
    RecommendAnswer,
    RecommendRequest,
    SlateRules,
)
from paretail.pipeline.live.shop import LiveShop
from paretail.pipeline.requests import SEGMENTS
from paretail.pipeline.steering import Steering
from paretail.policy import PolicyError
from paretail.policy.dials import Setting

from ...trained import DemoShop, paretail

pytest.importorskip("torch")


def asked(
    live: LiveShop, goals: Goals | None = None, user_id: str = "u00000007", **question: object
) -> RecommendAnswer:
    return live.recommend(RecommendRequest(user_id=user_id, k=8, goals=goals, **question))  # type: ignore[arg-type]


def test_a_dial_moves_what_is_predicted(live: LiveShop) -> None:
    found = [asked(live, Goals(dial={"diversity": dial})) for dial in (0.0, 0.5, 1.0)]
    told = [answer.goals for answer in found if answer.goals is not None]
    assert len(told) == 3
    expected = [goals.expected["diversity"] for goals in told]
    assert expected == sorted(expected)
    assert expected[2] > expected[0]
    for share, goals in zip((0.0, 0.5, 1.0), told, strict=True):
        assert goals.shares["diversity"] == pytest.approx(share, abs=0.05)
    assert {line.source for line in found[0].items} == {"goals"}


def test_each_line_says_what_it_is_there_for(live: LiveShop) -> None:
    answer = asked(live, Goals(dial={"clicks": 0.4, "diversity": 0.6}))
    assert answer.goals is not None
    assert all(line.pulled_by in answer.goals.shares for line in answer.items)
    assert all(line.p_click is not None for line in answer.items)
    assert set(answer.goals.units) == set(answer.goals.predicted) == set(answer.goals.expected)
    assert [line.rank for line in answer.items] == list(range(1, 9))


def test_the_answer_says_where_the_setting_lies_on_the_front(live: LiveShop) -> None:
    answer = asked(live, Goals(dial={"clicks": 0.4, "diversity": 0.6}))
    assert answer.goals is not None
    front = answer.goals.front
    assert 0 <= front.beaten_by < front.measured
    assert front.beaten_by == 0 or set(front.better) == set(answer.goals.shares)
    assert set(front.costs) <= {"clicks", "diversity"}
    assert "measured settings beat" in front.told


def test_with_explain_it_says_how_far_each_goal_speaks_for_an_item(live: LiveShop) -> None:
    answer = asked(live, Goals(dial={"clicks": 0.4, "diversity": 0.6}), explain=True)
    assert answer.degraded == []
    assert answer.goals is not None
    for line in answer.items:
        assert set(line.pulls) == set(answer.goals.shares)
        assert sum(map(abs, line.pulls.values())) == pytest.approx(1, abs=0.01)
        assert line.pulled_by == next(iter(line.pulls))
        assert line.pulled is not None
        assert line.pulled.startswith("Here ")
        assert {why.task for why in line.why} >= {"click"}
        assert line.reason


def test_it_composes_what_the_command_line_composes(live: LiveShop, shop: DemoShop, tmp_path: Path) -> None:
    answer = asked(live, Goals(dial={"clicks": 0.7}), exclude=["none"])
    out = tmp_path / "slates.parquet"
    wanted = ["--users", "u00000007", "--goals", "clicks=0.7", "--exclude", "none", "-k", 8, "--out", out]
    done = paretail("recommend", "--bundle", shop.bundle, *wanted)
    assert done.code == 0, done.err
    told = pl.read_parquet(out)
    assert told["item_id"].to_list() == [line.item_id for line in answer.items]
    assert told["setting"].unique().to_list() == ["clicks=0.7"]


def test_a_budget_says_what_it_costs(live: LiveShop) -> None:
    goals = asked(live, Goals(maximise="diversity", keep={"clicks": ">= -5%"})).goals
    assert goals is not None
    assert goals.expected["clicks"] >= 0.949 * goals.today["clicks"]
    assert goals.expected["diversity"] >= goals.today["diversity"]


def test_a_bound_on_money_is_in_the_shops_currency(live: LiveShop) -> None:
    before = asked(live, Goals(dial={"clicks": 0.5})).goals
    assert before is not None
    least = round(0.9 * before.today["revenue"], 4)
    goals = asked(live, Goals(maximise="diversity", keep={"revenue": f">= {least}"})).goals
    assert goals is not None
    assert goals.expected["revenue"] >= 0.999 * least


def test_rules_of_the_slate_hold_and_those_that_cannot_are_told(live: LiveShop) -> None:
    plain = asked(live, slate=SlateRules())
    last, best = plain.items[-1].item_id, plain.items[0].item_id
    rules = SlateRules(
        pins=[Pin(last, 1), Pin("not there", 3)], caps=[Cap("category", 1)],
        quotas=[Quota("price >= 0", 2), Quota("price < 0", 1)], boosts=[Boost("price >= 0", 2.0)],
    )  # fmt: skip
    answer = asked(live, slate=rules)
    assert answer.items[0].item_id == last
    assert answer.goals is not None
    assert {"not there at 3", "at least 1 where price < 0"} <= set(answer.goals.broken)
    categories = [live.item(line.item_id).item.category for line in answer.items]
    names = [path[-1] for path in categories if path]
    assert len(names) == len(set(names)) or "at most 1 of a category" in answer.goals.broken
    buried = asked(live, slate=SlateRules(boosts=[Boost(f'item_id == "{best}"', 0.0)]))
    assert best not in [line.item_id for line in buried.items[:1]]


def test_a_pin_brings_nothing_back_that_lists_may_not_hold(live: LiveShop) -> None:
    rest = [line.item_id for line in live.recommend(RecommendRequest(user_id="u00000007", k=60)).items]
    deleted, sold_out, cheap, pinned = rest[-4:]
    live.delete_items([deleted])
    live.change_items([ItemChange(sold_out, in_stock=False)])
    rules = SlateRules(pins=[Pin(item, rank) for rank, item in enumerate((deleted, sold_out, cheap, pinned), 1)])
    for question in ({"filter": f'not item_id = "{cheap}"'}, {"exclude_items": [cheap]}):
        answer = asked(live, slate=rules, **question)
        shown = [line.item_id for line in answer.items]
        assert len(shown) == 8
        assert shown[3] == pinned
        assert not {deleted, sold_out, cheap} & set(shown)
        assert answer.goals is not None
        assert answer.goals.broken == [f"{deleted} at 1", f"{sold_out} at 2", f"{cheap} at 3"]


def test_an_item_that_is_pinned_twice_is_shown_once(live: LiveShop) -> None:
    item = asked(live).items[5].item_id
    for share in (0.0, 0.1):
        answer = asked(live, slate=SlateRules(pins=[Pin(item, 2), Pin(item, 4)]), explore=share)
        shown = [line.item_id for line in answer.items]
        assert (shown[1], shown.count(item), len(shown)) == (item, 1, 8)
        assert answer.goals is not None
        assert answer.goals.broken == [f"{item} at 4"]


@pytest.mark.parametrize("explore", [0.0, 0.05])
@pytest.mark.parametrize("few", [0, 3])
def test_a_slate_of_fewer_items_than_asked_for_says_so(live: LiveShop, few: int, explore: float) -> None:
    some = [line.item_id for line in asked(live).items][:few]
    text = " or ".join(f'item_id == "{name}"' for name in some) or "price < 0"
    answer = asked(live, Goals(dial={"clicks": 0.5}), filter=text, explore=explore)
    assert {line.item_id for line in answer.items} == set(some)
    assert answer.goals is not None
    assert answer.goals.broken == [f"k = 8: {few} found"]
    assert answer.degraded == []
    assert (answer.goals.predicted["clicks"] > 0) == (few > 0)


def test_exploring_alone_draws_from_what_is_served_without_goals(live: LiveShop) -> None:
    base, drawn = asked(live, slate=SlateRules()), asked(live, explore=0.1, request_id="one")
    assert drawn.goals is not None
    assert base.goals is not None
    assert drawn.goals.today == base.goals.today
    assert any(line.propensity is not None and line.propensity < 1 for line in drawn.items)


def test_what_slates_bring_that_are_drawn_is_told_as_drawn(live: LiveShop) -> None:
    best, drawn = (asked(live, Goals(dial={"clicks": 0.9}), explore=share).goals for share in (0.0, 0.2))
    assert best is not None
    assert drawn is not None
    assert drawn.expected["clicks"] == pytest.approx(0.8 * best.expected["clicks"], rel=0.08)
    assert drawn.shares["clicks"] < best.shares["clicks"] - 0.05
    assert drawn.today == best.today


def test_new_settings_are_solved_beside_what_is_answered(live: LiveShop) -> None:
    for goals in (Goals(dial={"clicks": 0.37}), Goals(maximise="diversity", keep={"revenue": ">= +900%"})):
        question = RecommendRequest(user_id="u00000007", k=9, goals=goals)
        solve = live.to_solve(question)
        assert solve is not None
        for_who_asks, for_all_others = solve
        for_who_asks()
        for_all_others()
        assert live.to_solve(question) is None
    assert live.to_solve(RecommendRequest(user_id="u00000007", k=9)) is None


def test_who_asks_for_a_new_setting_waits_for_the_own_segment_alone(
    live: LiveShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    solved: list[str] = []
    setting = Steering.setting

    def noted(steering: Steering, goals: Any, segment: str, *how: Any) -> Setting:
        solved.append(segment)
        return setting(steering, goals, segment, *how)

    monkeypatch.setattr(Steering, "setting", noted)
    question = RecommendRequest(user_id="u00000007", k=8, goals=Goals(dial={"clicks": 0.41}))
    solve = live.to_solve(question)
    assert solve is not None
    solve[0]()
    mine = set(solved)
    assert len(mine) == 1
    answer = live.recommend(question).goals
    assert answer is not None
    assert mine == {answer.segment}
    solve[1]()
    assert set(solved) == set(SEGMENTS)


def test_filters_hold_in_slates_too(live: LiveShop) -> None:
    some = [line.item_id for line in asked(live).items][:5]
    answer = asked(live, Goals(dial={"clicks": 1.0}), include_items=some)
    assert {line.item_id for line in answer.items} <= set(some)


def test_somebody_new_gets_a_slate(live: LiveShop) -> None:
    answer = asked(live, Goals(dial={"clicks": 1.0}), user_id="never seen")
    assert len(answer.items) == 8
    assert answer.goals is not None
    assert answer.goals.segment == "new"


@pytest.mark.parametrize(("goals", "code"), [
    (Goals(dial={"click": 0.5}), "POL-01"), (Goals(dial={"antigravity:Goal": 0.5}), "POL-01"),
    (Goals(preset="spring"), "POL-04"), (Goals(), "POL-03"),
    (Goals(maximise="diversity", keep={"clicks": ">= +900%"}), "POL-05"),
    (Goals(maximise="diversity", keep={"clicks": "2%"}), "POL-03"), (Goals(dial={"column.stars": 1.0}), "POL-02"),
])  # fmt: skip
def test_goals_that_cannot_be_followed_are_refused(live: LiveShop, goals: Goals, code: str) -> None:
    with pytest.raises(PolicyError, match=code):
        asked(live, goals)


def test_a_dial_beyond_its_end_is_named(live: LiveShop) -> None:
    told = msgspec.json.decode(b'{"k": 3, "goals": {"dial": {"revenue": 1.7}}}', type=RecommendRequest)
    with pytest.raises(PolicyError, match=r"dials from 0 to 1, not revenue = 1\.7.*POL-03"):
        live.recommend(told)


def test_a_question_imports_no_module(live: LiveShop) -> None:
    with pytest.raises(PolicyError, match="POL-01"):
        asked(live, Goals(dial={"this:Goal": 0.5}))
    assert "this" not in sys.modules


def test_goals_and_an_order_are_too_much(live: LiveShop) -> None:
    with pytest.raises(UsageError, match="POL-08"):
        asked(live, Goals(dial={"clicks": 0.5}), order="value")


@pytest.mark.parametrize(
    "rules", [SlateRules(caps=[Cap("colour of the sky", 1)]), SlateRules(quotas=[Quota("price <", 1)])]
)
def test_rules_that_cannot_be_read_are_refused(live: LiveShop, rules: SlateRules) -> None:
    with pytest.raises(ParetailError):
        asked(live, slate=rules)


def test_composing_that_fails_leaves_the_retrievers_list(live: LiveShop, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = asked(live)
    asked(live, Goals(dial={"clicks": 0.5}))  # dials are measured
    monkeypatch.setattr("paretail.pipeline.live.slates.compose", lambda *_, **__: 1 / 0)
    with capture_logs() as told:  # its pages of tracebacks would take longer than all else
        answer = asked(live, Goals(dial={"clicks": 0.5}))
    assert [entry["event"] for entry in told] == ["slate_failed"]
    assert [line.item_id for line in answer.items] == [line.item_id for line in plain.items]
    assert (answer.degraded, answer.goals) == (["goals"], None)


def test_what_is_drawn_at_random_is_logged_with_its_probability(live: LiveShop) -> None:
    answers = [asked(live, Goals(dial={"clicks": 0.9}), explore=0.1) for _ in range(6)]
    assert len({tuple(line.item_id for line in answer.items) for answer in answers}) > 1
    told = [line.propensity for answer in answers for line in answer.items]
    assert all(p is not None and 0 < p <= 1 for p in told)
    assert min(p for p in told if p is not None) < 1
    give_up = time.monotonic() + 20
    while live.store.answers().height < 6 and time.monotonic() < give_up:
        time.sleep(0.01)
    shown = {row["request_id"]: row for row in live.store.answers().iter_rows(named=True)}
    for answer in answers:
        row = shown[answer.request_id]
        assert row["propensities"] == [line.propensity for line in answer.items]
        assert row["policy"] == "goals/1"
    certain = asked(live, Goals(dial={"clicks": 0.9}))
    assert [line.propensity for line in certain.items] == [None] * 8


def test_what_was_hardly_shown_is_believed_in_as_the_policy_says(live: LiveShop) -> None:
    steering = live._engine.recommender.steering
    before = asked(live, Goals(dial={"clicks": 1.0}), request_id="the same")
    told = {line.item_id: line.p_click for line in before.items}
    try:
        hope = {"new_items": "ucb", "new_items_shown": 10**9}
        steering.config = steering.config.model_copy(update=hope)
        hopeful = asked(live, Goals(dial={"clicks": 1.0}), request_id="the same")
    finally:
        steering.config = steering.config.model_copy(update={"new_items": "mean"})
    assert before.goals is not None
    assert hopeful.goals is not None
    assert [line.item_id for line in hopeful.items] != [line.item_id for line in before.items]
    assert hopeful.goals.predicted["clicks"] < before.goals.predicted["clicks"]  # what is expected, not what is hoped
    assert all(line.p_click == told[line.item_id] for line in hopeful.items if line.item_id in told)


def test_slates_that_a_draw_of_beliefs_decided_are_logged_without_odds(live: LiveShop) -> None:
    steering, goals = live._engine.recommender.steering, Goals(dial={"clicks": 1.0})
    before = live.store.answers().height
    asked(live, goals)
    try:
        told = {"new_items": "thompson", "new_items_shown": 10**9}
        steering.config = steering.config.model_copy(update=told)
        drawn = [asked(live, goals, request_id=f"drawn {number % 4}") for number in range(8)]
        explored = asked(live, goals, explore=0.1)
    finally:
        steering.config = steering.config.model_copy(update={"new_items": "mean"})
    lists = [[line.item_id for line in answer.items] for answer in drawn]
    assert lists[:4] == lists[4:]
    assert len({tuple(items) for items in lists}) > 1
    assert all(line.propensity is not None and isnan(line.propensity) for answer in drawn for line in answer.items)
    assert b'"propensity":null' in msgspec.json.encode(drawn[0].items[0])
    assert all(line.propensity is not None and 0 < line.propensity <= 1 for line in explored.items)
    give_up = time.monotonic() + 20
    while live.store.answers().height < before + 6 and time.monotonic() < give_up:
        time.sleep(0.01)
    kept = {row["request_id"]: row["propensities"] for row in live.store.answers().iter_rows(named=True)}
    assert kept["drawn 0"] == [None] * 8
    assert kept[explored.request_id] == [line.propensity for line in explored.items]
    shown = impressions(live.store.answers()).filter(pl.col("request_id") == "drawn 0")
    assert shown["propensity"].to_list() == [None] * 8


def test_goals_know_prices_and_margins_as_they_are_now(live: LiveShop) -> None:
    goals = Goals(dial={"revenue": 1.0})
    before = asked(live, goals, request_id="the same")
    dearest = before.items[0]
    assert dearest.value is not None
    price = live.item(dearest.item_id).item.price
    assert price is not None
    live.change_items([ItemChange(dearest.item_id, price=2 * price, margin=0.5)])
    after = asked(live, goals, request_id="the same")
    assert after.items[0].item_id == dearest.item_id
    assert after.items[0].value == pytest.approx(2 * dearest.value, rel=1e-3)
    assert before.goals is not None
    assert after.goals is not None
    assert after.goals.predicted["revenue"] > before.goals.predicted["revenue"]
    live.change_items([ItemChange(dearest.item_id, price=price / 1000)])
    assert dearest.item_id not in [line.item_id for line in asked(live, goals, request_id="the same").items]


def test_a_question_says_how_its_slate_is_put_together(live: LiveShop) -> None:
    lists = []
    for composition in ("greedy", "mmr", "dpp"):
        answer = asked(live, Goals(dial={"clicks": 0.8}), slate=SlateRules(composition=composition))
        assert answer.degraded == []
        lists.append([line.item_id for line in answer.items])
    assert lists[0] != lists[2]
    assert all(len(set(items)) == 8 for items in lists)
