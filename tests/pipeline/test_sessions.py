"""Visits of a shop as sessions, and agents that learn from its log: the whole way by the command line."""

import json
import shutil
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

pytest.importorskip("torch")
pytest.importorskip("gymnasium")

from paretail.core.errors import DataError, UsageError
from paretail.core.ids import Vocabulary
from paretail.data.sessions import drawn_users
from paretail.data.types import Events
from paretail.pipeline.agent_release import unlearned
from paretail.pipeline.agents import agent_of
from paretail.pipeline.bundle import current
from paretail.pipeline.grounds import Logged, mark
from paretail.pipeline.holdout import read_events
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.sessions import Wares, sessions_of, visits_of
from paretail.policy.goals import parse

from ..trained import DemoShop, paretail

SLOTS = 4


@pytest.fixture(scope="module")
def ready(shop: DemoShop) -> tuple[Recommender, Events]:
    recommender = Recommender.load(shop.bundle)
    return recommender, read_events(shop.holdout, recommender.manifest.config)


def test_lists_become_visits_in_their_order(ready: tuple[Recommender, Events]) -> None:
    recommender, events = ready
    wares = Wares.of(recommender)
    log = sessions_of(recommender, events, SLOTS, wares)
    shown = events.frame.filter(pl.col("kind") == "impression")
    assert len(log) == shown.filter(pl.col("position") <= SLOTS).group_by("request_id").len().filter(
        pl.col("len") == SLOTS).height  # fmt: skip
    starts = np.isin(np.arange(len(log)), log.starts)
    assert (log.seen["slate"][starts] == -1).all()
    assert (log.seen["slate"][~starts] == log.rows[np.flatnonzero(~starts) - 1]).all()
    assert (log.after["clicked"] <= log.clicks).all()
    assert (log.after["clicked"][np.flatnonzero(~starts) - 1] == log.seen["clicked"][~starts]).all()
    assert (log.reward >= log.clicks.sum(1)).all()
    assert np.nanmax(log.propensity) <= 1
    assert np.abs(log.seen["user"]).max() > 0
    assert (log.ended | ~np.r_[starts[1:], True]).any()


def test_a_long_gap_begins_a_visit_and_too_few_visits_are_refused(ready: tuple[Recommender, Events]) -> None:
    recommender, events = ready
    wares = Wares.of(recommender)
    log = sessions_of(recommender, events, SLOTS, wares)
    close = events.frame.with_columns(ts_ms=(pl.col("ts_ms") - pl.col("ts_ms").min()) // 2000)
    together = sessions_of(recommender, Events(close, events.time), SLOTS, wares)
    assert len(together.starts) == len(np.unique(log.user)) < len(log.starts)
    assert not together.ended.any()  # the log ends before anybody could be said to have gone
    with pytest.raises(DataError, match="SESS-02"):
        sessions_of(recommender, Events(events.frame.head(50), events.time), SLOTS, wares)


def test_clicks_that_came_after_the_next_list_count_in_the_reward_alone(ready: tuple[Recommender, Events]) -> None:
    recommender, events = ready
    close = events.frame.with_columns(ts_ms=(pl.col("ts_ms") - pl.col("ts_ms").min()) // 2000)
    moved = pl.when(pl.col("kind") == "impression").then("ts_ms").otherwise(pl.col("ts_ms") + 180 * 60_000)
    late = Events(close.with_columns(ts_ms=moved).sort("ts_ms", maintain_order=True), events.time)
    visited = visits_of(recommender, late, SLOTS, Wares.of(recommender))
    first = late.frame.filter(pl.col("kind") != "impression")["ts_ms"].min()
    log, unclicked = visited.log, visited.ts_ms <= first
    assert unclicked.sum() > 10
    assert log.clicks[unclicked].any()
    assert not log.seen["clicked"][unclicked].any()


def test_a_run_knows_its_data_by_items_and_log(ready: tuple[Recommender, Events]) -> None:
    recommender, events = ready
    log = sessions_of(recommender, events, SLOTS, Wares.of(recommender))
    later = replace(log, reward=log.reward + np.eye(len(log))[0])
    others = copy(recommender)
    others.items = Vocabulary(recommender.items.ids.reverse())
    assert len({mark(recommender, log), mark(recommender, later), mark(others, log)}) == 3
    assert mark(recommender, log) == mark(copy(recommender), replace(log))


def test_an_agent_learns_from_the_shops_log_and_says_what_the_log_cannot_tell(shop: DemoShop, tmp_path: Path) -> None:
    asked = ["learn", "--agent", "iql", "--env", "logs", "--bundle", shop.bundle, "--log", shop.holdout, "-k", SLOTS,
             "--steps", 20, "--stretch", 10, "--seeds", 1, "--out", tmp_path / "learned"]  # fmt: skip
    done = paretail(*asked, "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert [look["steps"] for look in told["looks"]] == [10, 20]
    assert set(told["users"]["judge"]) == {"clicks", "stays"}
    assert "odel of users" in (tmp_path / "learned" / "report.html").read_text()
    assert "AGENT-15" in paretail(*asked, "--dials").err
    assert "AGENT-11" in paretail("learn", "--agent", "iql", *asked[5:]).err


def test_lists_that_make_no_visit_are_counted(ready: tuple[Recommender, Events]) -> None:
    recommender, events = ready
    visited = visits_of(recommender, events, SLOTS, Wares.of(recommender))
    shown = events.frame.filter((pl.col("kind") == "impression") & pl.col("request_id").is_not_null())
    account, left_out = visited.account, f"of other lengths than {SLOTS}"
    assert account["lists"] == shown["request_id"].n_unique() == len(visited.log) + account[left_out]
    assert account["visits"] == len(visited.log.starts)
    assert f"{len(visited.log.starts):,} visits" in visited.told()
    nameless = events.frame.with_columns(position=pl.when(pl.col("user_id") < "u00000100").then("position"))
    lost = visits_of(recommender, Events(nameless, events.time), SLOTS, Wares.of(recommender)).account
    assert lost["impressions without request_id or position"] > 0


def test_users_are_divided_by_chance_and_the_same_in_every_log(ready: tuple[Recommender, Events]) -> None:
    recommender, events = ready
    wares = Wares.of(recommender)
    log = sessions_of(recommender, events, SLOTS, wares)
    parts = log.parts(0.5, 0.25, 0.25)
    users = [set(part.user.tolist()) for part in parts]
    assert not users[0] & users[1] | users[0] & users[2] | users[1] & users[2]
    assert sum(len(part.starts) for part in parts) == len(log.starts)
    later = Events(events.frame.filter(pl.col("ts_ms") > pl.col("ts_ms").quantile(0.3)), events.time)
    again = sessions_of(recommender, later, SLOTS, wares).parts(0.5, 0.25, 0.25)
    assert not set(again[0].user.tolist()) & (users[1] | users[2])
    ranks = [np.searchsorted(np.unique(log.user), sorted(part)).mean() / len(set(log.user)) for part in users]
    assert abs(ranks[0] - 0.5) < 0.1
    drawn = drawn_users(np.arange(10_000))
    assert np.histogram(drawn, 10, (0, 1))[0].tolist() == pytest.approx([1000] * 10, abs=150)
    assert abs(np.corrcoef(drawn, np.arange(10_000))[0, 1]) < 0.03


def test_no_model_of_users_judges_what_was_learned_from_it(shop: DemoShop) -> None:
    ground = Logged("ppo", 0, shop.bundle, shop.holdout, SLOTS, True, lambda *_: None)
    assert ground.inside is not None
    assert ground.inside.mind is not ground.judge.users.mind
    known, judges = set(ground.learned.user.tolist()), set(ground.other.user.tolist())
    assert not known & judges
    assert "No user is in two of the three" in ground.judged
    assert set(ground.users() or {}) == {"judge", "learned in"}
    assert ground.worth.usual.sum() == pytest.approx(1.0)
    clicked = ground.learned.clicks.astype(bool)
    assert ground.worth.items[ground.learned.rows[clicked]].mean(0) == pytest.approx([1, 1, 1], rel=0.02)


def test_an_agent_that_tries_learns_in_a_model_of_users_and_is_published_for_dials(
    shop: DemoShop, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(shop.bundle, bundle)
    done = paretail("learn", "--agent", "ppo", "--env", "logs", "--bundle", bundle, "--log", shop.holdout, "-k", SLOTS,
                    "--steps", 400, "--stretch", 200, "--seeds", 1, "--dials", "--publish", "--out", tmp_path / "out",
                    "--json")  # fmt: skip
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["published"] == current(bundle)
    recommender = Recommender.load(bundle)
    known = agent_of(recommender, "ppo")
    assert known.goals is not None
    assert known.goals.names == ("clicks", "purchases", "revenue")
    assert known.agent.config.greedy
    assert known.weights(None) == pytest.approx(known.goals.usual)
    assert known.weights(parse("revenue=1")) == pytest.approx([0, 0, 1])
    assert known.weights(parse("revenue=0.5")) == pytest.approx(known.goals.usual / 2 + [0, 0, 0.5])
    assert known.weights(parse("maximise=clicks")) == pytest.approx([1, 0, 0])
    for wrong in ("diversity=0.2", "maximise=revenue,clicks>=-2%"):
        with pytest.raises(UsageError, match="AGENT-15"):
            known.weights(parse(wrong))
    facts = recommender.manifest.facts["agents"]["ppo"]["learned"]
    events = read_events(shop.holdout, recommender.manifest.config)
    visited = visits_of(recommender, events, SLOTS, known.wares)
    log, remarks = unlearned(visited, facts)
    fitted = visited.log.parts(*facts["shares"])[1]
    assert set(log.user.tolist()) == set(fitted.user.tolist())  # neither learned from nor looked at
    assert f"Judged on {len(fitted.starts):,} of {len(visited.log.starts):,} visits" in remarks[0]
    assert unlearned(visited, facts | {"to_ms": facts["from_ms"] - 1, "from_ms": 0})[1] == ()
    with pytest.raises(DataError, match="AGENT-16"):
        unlearned(visited, facts | {"shares": [1.0, 0.0, 0.0]})
    assert "not known" in unlearned(visited, None)[1][0]
    asked = ("release", "--bundle", bundle, "--log", shop.holdout, "--policy", "ppo", "--setting")
    judged = paretail(*asked, "revenue=0.5")
    assert "Judged on" in judged.out, judged.err
    assert "AGENT-15" in paretail(*asked, "diversity=0.5").err
