"""Agents at work: in a bundle, in lists with their odds, in the memory of a visit, late, missing, in arms, judged."""

import gc
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("gymnasium")

from paretail.core.errors import BundleError, ParetailError, UsageError
from paretail.pipeline.agent_release import release_policy
from paretail.pipeline.agents import add_agent, agent_of, carry
from paretail.pipeline.bundle import Bundle, Draft, current
from paretail.pipeline.experiments.config import ExperimentConfig
from paretail.pipeline.holdout import read_events
from paretail.pipeline.live import bodies, policies
from paretail.pipeline.live.arms import as_arm
from paretail.pipeline.live.shop import LiveShop
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.sessions import Wares, sessions_of
from paretail.policy.agents import FROM_LOGS, SlatePPO
from paretail.policy.agents.sessions import Sessions
from paretail.policy.agents.shop import shop_space

from ...trained import DemoShop, paretail

SLOTS = 4
Open = Callable[..., LiveShop]
PLACED = {"policies": [{"placement": "for-you", "policy": "iql", "explore": 0.2, "timeout_ms": 10_000}]}


@pytest.fixture(scope="module")
def bundle(shop: DemoShop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the bundle with an agent that learned from the shop's log."""
    root = tmp_path_factory.mktemp("agents") / "bundle"
    shutil.copytree(shop.bundle, root)
    recommender = Recommender.load(root)
    wares = Wares.of(recommender)
    log = sessions_of(recommender, read_events(shop.holdout, recommender.manifest.config), SLOTS, wares)
    agent: Any = FROM_LOGS["iql"](shop_space(wares.width, len(wares.vectors), SLOTS), wares.vectors, SLOTS, {"dim": 8})
    agent.learn(log, 4)
    agent.save(root.parent / "agent")
    add_agent(root, "iql", root.parent / "agent", wares, {"value": 1.0})
    return root


def test_an_agent_that_learned_of_other_items_is_not_put_into_a_bundle(bundle: Path) -> None:
    wares = Wares.of(Recommender.load(bundle))
    for others in (wares.vectors[1:], wares.vectors[::-1]):
        with pytest.raises(BundleError, match="AGENT-12"):
            add_agent(bundle, "iql", bundle.parent / "agent", replace(wares, vectors=others), {})


def asked(user: str, **more: Any) -> bodies.RecommendRequest:
    return bodies.RecommendRequest(user_id=user, k=SLOTS, **more)


def test_an_agent_in_a_bundle_is_the_one_that_was_saved(bundle: Path) -> None:
    recommender = Recommender.load(bundle)
    known = agent_of(recommender, "iql")
    assert (known.rows == np.arange(len(recommender.items))).all()
    assert known.agent.steps == 4
    for name in ("ppo", "greedy"):
        with pytest.raises(BundleError, match="AGENT-13"):
            agent_of(recommender, name)
    draft = Draft({}, "")
    carry(recommender, draft)
    assert set(draft.arrays) == {"agent-iql"} == set(draft.tables)
    damaged = bundle.parent / "damaged"
    shutil.copytree(bundle, damaged)
    file = damaged / "versions" / current(damaged) / "agent-iql.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(BundleError, match="BNDL-02"):
        Bundle.load(damaged)


def test_a_placement_is_served_by_its_agent_with_odds_that_are_logged(
    bundle: Path, shop: DemoShop, open_shop: Open
) -> None:
    live = open_shop(bundle, **PLACED)
    answer = live.recommend(asked(shop.users[0], session_id="s"))
    assert answer.policy == "iql"
    assert not answer.degraded
    assert all(line.source == "agent iql" and 0 < (line.propensity or 0) <= 1 for line in answer.items)
    assert len({line.item_id for line in answer.items}) == SLOTS
    elsewhere = live.recommend(asked(shop.users[0], placement="home"))
    assert elsewhere.policy is None
    assert live.recommend(asked(shop.users[0], policy="greedy")).policy is None
    assert live.recommend(asked(shop.users[0], placement="home", policy="iql")).policy == "iql"
    assert live.gauges()["policy_answers"] == 2
    live.close()
    kept = live.store.answers().sort("ts_ms").row(0, named=True)
    assert kept["policy"] == "iql/1"
    assert kept["propensities"] == pytest.approx([line.propensity for line in answer.items])


def test_a_list_of_a_page_is_filled_by_the_agent_of_its_placement(
    bundle: Path, shop: DemoShop, open_shop: Open
) -> None:
    live = open_shop(bundle, policies=[*PLACED["policies"], PLACED["policies"][0] | {"placement": "trending"}])
    lists = [bodies.ListRequest(name, SLOTS) for name in ("for-you", "new", "trending")]  # type: ignore[arg-type]
    page = live.page(bodies.PageRequest(user_id=shop.users[0], session_id="s", lists=lists, explain=True))
    assert [one.policy for one in page.lists] == ["iql", None, "iql"]
    items = [line.item_id for one in page.lists for line in one.items]
    assert len(set(items)) == len(items) == 3 * SLOTS
    assert all((line.propensity is not None) == (one.policy == "iql") for one in page.lists for line in one.items)
    assert all(line.reason for line in page.lists[0].items)
    live.close()
    kept = {row["placement"]: row["policy"] for row in live.store.answers().iter_rows(named=True)}
    assert [kept["for-you"], kept["trending"]] == ["iql/1"] * 2
    assert kept["new"] != "iql/1"


def test_a_page_without_an_agent_in_time_has_the_lists_of_a_page_without_agents(
    bundle: Path, shop: DemoShop, open_shop: Open
) -> None:
    missing = open_shop(bundle, policies=[{"placement": "for-you", "policy": "ppo", "timeout_ms": 5000}])
    question = bodies.PageRequest(user_id=shop.users[0], lists=[bodies.ListRequest("for-you", SLOTS)])
    page = missing.page(question)
    assert (page.lists[0].policy, page.degraded) == (None, ["policy"])
    assert page.lists == open_shop(bundle).page(question).lists


def test_an_agent_stays_the_source_of_lines_that_everybody_likes(bundle: Path, shop: DemoShop, open_shop: Open) -> None:
    live = open_shop(bundle, **PLACED)
    answer = live.recommend(asked("nobody yet", explain=True))
    assert {line.source for line in answer.items} == {"agent iql"}
    live.close()
    assert live.store.answers().row(0, named=True)["policy"] == "iql/1"


def test_the_visit_so_far_is_known_to_the_agent(bundle: Path, shop: DemoShop, open_shop: Open) -> None:
    live = open_shop(bundle, policies=[PLACED["policies"][0] | {"explore": 0.0}])
    first = live.recommend(asked(shop.users[0], session_id="s"))
    live.add_events([bodies.NewEvent(user_id=shop.users[0], item_id=first.items[0].item_id, kind="click")])
    live.recommend(asked(shop.users[0], session_id="s"))
    visit = live._policies._visits[(live.version, "iql", "for-you", "s")]
    assert visit.sessions.memory.clock[0].tolist() == [1, 1]  # one list, one click
    assert visit.sessions.memory.rows[0, 0] == live._engine.recommender.items.row(first.items[0].item_id)
    again = live.recommend(asked(shop.users[0], session_id="other"))
    assert again.items
    assert not again.degraded


def test_a_list_is_noted_once_whatever_becomes_of_the_next() -> None:
    agent = SlatePPO(shop_space(3, 40, SLOTS), np.eye(40, 6), SLOTS, {"dim": 8})
    visit = policies.Visit(Sessions(agent, 1, np.random.default_rng(0)), np.zeros(3, np.float32))
    seen = {"user": visit.user, "slate": np.full(SLOTS, -1), "clicked": np.zeros(SLOTS, np.int8)}
    best, raw = policies._best(agent, visit, seen, np.arange(40), SLOTS)
    policies._remember(agent, visit, raw, best, best)
    for _ in range(2):  # answers that are late, or of fewer items than the agent's slates, are not remembered
        seen = seen | {"slate": best.astype(np.int64)}
        policies._best(agent, visit, seen, np.arange(40), SLOTS)
    assert visit.sessions.memory.clock[0, 0] == 1
    assert (visit.sessions.memory.rows[0] >= 0).sum() == SLOTS


def test_clicks_of_sessions_without_a_user_are_known_by_the_list_or_by_the_session(
    bundle: Path, shop: DemoShop, open_shop: Open
) -> None:
    live = open_shop(bundle, policies=[PLACED["policies"][0] | {"explore": 0.0}])
    question = bodies.RecommendRequest(k=SLOTS, session_id="s")
    for number, (who, by_list) in enumerate([("visitor", True), ("s", False)], 1):
        answer = live.recommend(question)
        request_id = answer.request_id if by_list else None
        event = bodies.NewEvent(user_id=who, item_id=answer.items[1].item_id, kind="click", request_id=request_id)
        live.add_events([event])
        live.recommend(question)
        visit = live._policies._visits[(live.version, "iql", "for-you", "s")]
        assert visit.sessions.memory.clock[0].tolist() == [2 * number - 1, number]


@pytest.fixture(scope="module")
def moved(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle whose agent learned for clicks and revenue; its scores are what goals count."""
    import torch

    root = tmp_path_factory.mktemp("moved") / "bundle"
    shutil.copytree(bundle, root)
    wares = Wares.of(Recommender.load(root))
    space = shop_space(wares.width, len(wares.vectors), SLOTS)
    agent: Any = SlatePPO(space, wares.vectors, SLOTS, {"dim": 8, "goals": 2})
    with torch.no_grad():
        straight = agent.networks["policy"].scorer.straight
        aims = slice(agent.reader.width, agent.reader.width + 2)
        straight.weight[:, aims] = 50 * torch.randn(straight.weight[:, aims].shape, generator=torch.manual_seed(0))
    agent.save(root.parent / "agent")
    goals = {"names": ["clicks", "revenue"], "units": [1.0, 900.0], "usual": [1.0, 0.0]}
    add_agent(root, "ppo", root.parent / "agent", wares, {"goals": goals})
    return root


def test_dials_of_a_question_or_a_placement_move_one_agent(moved: Path, shop: DemoShop, open_shop: Open) -> None:
    table = {"placement": "for-you", "policy": "ppo", "timeout_ms": 10_000}
    live = open_shop(moved, policies=[table])

    def shown(goals: bodies.Goals | None, of: LiveShop = live, **more: Any) -> list[str]:
        answer = of.recommend(asked(shop.users[0], goals=goals, **more))
        assert (answer.policy, answer.degraded) == ("ppo", [])
        return [line.item_id for line in answer.items]

    usual, half, all_of_it = (shown(None if dial is None else bodies.Goals(dial={"revenue": dial}))
                              for dial in (None, 0.5, 1.0))  # fmt: skip
    assert usual != half != all_of_it != usual
    assert shown(bodies.Goals(dial={"clicks": 1.0})) == usual == shown(None)
    assert shown(bodies.Goals(maximise="revenue"), policy="ppo") == all_of_it
    other = live.recommend(asked(shop.users[0], goals=bodies.Goals(dial={"diversity": 0.5})))
    assert other.policy is None  # the composed slate: the agent has no such goal
    with pytest.raises(UsageError, match="AGENT-15"):
        live.recommend(asked(shop.users[0], policy="ppo", goals=bodies.Goals(dial={"diversity": 0.5})))
    with pytest.raises(UsageError, match="AGENT-15"):
        live.recommend(asked(shop.users[0], policy="iql", goals=bodies.Goals(dial={"clicks": 0.5})))
    assert shown(None, open_shop(moved, policies=[table | {"goals": "revenue=1"}])) == all_of_it


def test_an_agent_that_is_late_fails_or_is_not_there_leaves_the_greedy_list_and_is_counted(
    bundle: Path, shop: DemoShop, open_shop: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = open_shop(bundle, policies=[PLACED["policies"][0] | {"timeout_ms": 20}])
    greedy = live.recommend(asked(shop.users[1], policy="greedy"))
    best, remembered = policies._best, []
    monkeypatch.setattr(policies, "_best", lambda *told: (time.sleep(0.3), best(*told))[1])
    monkeypatch.setattr(policies, "_remember", lambda *_: remembered.append(True))
    late = live.recommend(asked(shop.users[1]))
    live._policies._worker.submit(lambda: None).result()  # what was late has ended
    assert not remembered  # nobody saw it
    assert (late.policy, late.degraded) == (None, ["policy"])
    assert [line.item_id for line in late.items] == [line.item_id for line in greedy.items]
    assert live.gauges()["policy_late"] == 1
    live = open_shop(bundle, policies=[{"placement": "for-you", "policy": "ppo", "timeout_ms": 5000}])
    missing = live.recommend(asked(shop.users[1]))
    assert (missing.policy, missing.degraded) == (None, ["policy"])
    assert live.gauges()["policy_failed"] == live.gauges()["problems"] == 1
    assert "AGENT-13" in live.problems()[0]
    with pytest.raises(ParetailError, match="AGENT-13"):
        live.recommend(asked(shop.users[1], policy="ppo"))
    with pytest.raises(UsageError, match="AGENT-14"):
        live.recommend(asked(shop.users[1], policy="iql", order="value"))


def test_the_agents_of_a_new_bundle_are_there_before_it_answers_and_those_of_the_old_one_go(
    bundle: Path, shop: DemoShop, open_shop: Open, tmp_path: Path
) -> None:
    own = tmp_path / "bundle"
    shutil.copytree(bundle, own)
    live = open_shop(own, **PLACED)
    assert live.recommend(asked(shop.users[0])).policy == "iql"
    before = live.version
    add_agent(own, "another", bundle.parent / "agent", Wares.of(Recommender.load(own)), {"value": 1.0})
    deadline = time.monotonic() + 30
    while live.version == before and time.monotonic() < deadline:
        time.sleep(0.05)
    agents = live._policies._agents
    assert set(agents[live._engine]) == {"iql"}  # nobody asked for it yet
    assert live.recommend(asked(shop.users[0])).degraded == []
    gc.collect()
    assert [engine.version for engine in agents] == [live.version]


def test_an_arm_of_an_experiment_may_be_an_agent(bundle: Path, shop: DemoShop, open_shop: Open) -> None:
    arms = [{"name": "today", "share": 0.5}, {"name": "agent", "share": 0.5, "policy": "iql", "explore": 0.1}]
    experiment = ExperimentConfig.parse({"name": "agents", "arms": arms}, "here")
    question = as_arm(asked("u"), experiment.arms[1])
    assert (question.policy, question.explore, question.slate) == ("iql", 0.1, None)
    usual = as_arm(asked(shop.users[0]), ExperimentConfig.parse(
        {"name": "usual", "arms": [arms[0], arms[1] | {"order": "model"}]}, "here").arms[1])  # fmt: skip
    assert open_shop(bundle).recommend(usual).policy == "iql"
    with pytest.raises(ParetailError, match="policy"):
        ExperimentConfig.parse({"name": "x", "arms": [arms[0], arms[1] | {"order": "value"}]}, "here")
    aimed = ExperimentConfig.parse({"name": "x", "arms": [arms[0], arms[1] | {"goals": "revenue=1"}]}, "here")
    assert as_arm(asked("u"), aimed.arms[1]).goals == bodies.Goals(dial={"revenue": 1.0})


def test_the_gate_lets_an_agent_go_live_only_if_the_log_says_so(bundle: Path, shop: DemoShop) -> None:
    recommender = Recommender.load(bundle)
    events = read_events(shop.holdout, recommender.manifest.config)
    judged = release_policy(recommender, events, "iql", 0.0, 0.02)
    found = judged.release
    assert "not known on which visits" in judged.remarks[0]
    assert found.verdict == "experiment"  # far from what was shown: the log cannot tell
    assert {problem.code for problem in found.refused} & {"OFFP-05", "OFFP-06", "OFFP-08"}
    done = paretail("release", "--bundle", bundle, "--log", shop.holdout, "--policy", "iql")
    assert done.code == 3
    assert "The log cannot tell" in done.out
