"""Visits of a shop as sessions, and agents that learn from its log: the whole way by the command line."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

pytest.importorskip("torch")
pytest.importorskip("gymnasium")

from paretail.core.errors import DataError
from paretail.data.types import Events
from paretail.pipeline.holdout import read_events
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.sessions import Wares, sessions_of

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
    assert (log.after["clicked"] == log.clicks).all()
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


def test_an_agent_learns_from_the_shops_log_and_says_what_the_log_cannot_tell(shop: DemoShop, tmp_path: Path) -> None:
    asked = ["learn", "--agent", "iql", "--env", "logs", "--bundle", shop.bundle, "--log", shop.holdout, "-k", SLOTS,
             "--steps", 20, "--stretch", 10, "--out", tmp_path / "learned"]  # fmt: skip
    done = paretail(*asked, "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert [look["steps"] for look in told["looks"]] == [10, 20]
    assert set(told["users"]) == {"clicks", "stays"}
    assert "model of users" in (tmp_path / "learned" / "report.html").read_text()
    assert "AGENT-11" in paretail("learn", "--agent", "ppo", *asked[3:]).err
    assert "AGENT-11" in paretail("learn", "--agent", "iql", *asked[5:]).err
