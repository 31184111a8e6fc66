"""What followed from a list is in none of that list's features, however slow the clock was by which it is dated."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

pytest.importorskip("torch")

from paretail.data.features import windows
from paretail.data.features.pairs import GROUPS, NAMES
from paretail.data.types import Events
from paretail.graph.shopgraph import ShopGraph
from paretail.graph.targets import turned
from paretail.rank.config import RankConfig
from paretail.rank.examples import Examples
from paretail.rank.learned.preparing import Prepared

from .world import world

HOUR = 3_600_000
#: Columns of one user's past; the others are of all users, too.
OWN = [NAMES.index(name) for name in (*GROUPS["past with the item"], *windows.ACTIVITY)]


def shop(slow_ms: int) -> tuple[ShopGraph, Events]:
    """Return a small shop the clock of whose answers is slow, as its log tells it."""
    made = world(users=40, items=30, requests=600).shop
    frame = made.events.frame.with_columns(
        ts_ms=pl.col("ts_ms") - pl.when(pl.col("kind") == "impression").then(0).otherwise(slow_ms)
    )
    events = replace(made.events, frame=frame.sort("ts_ms"))
    made = replace(made, events=events)
    return ShopGraph.build(made, made.user_vocabulary(), made.item_vocabulary()), events


def ordered(slow_ms: int, events: Events | None = None) -> tuple[ShopGraph, Events]:
    """Return that shop as training reads it, with other events where they are given."""
    made = replace(world(users=40, items=30, requests=600).shop, events=events or shop(slow_ms)[1])
    target = turned(made, "item")
    return target.graph(), target.shop.events


def examples(graph: ShopGraph, events: Events) -> Examples:
    return Examples.of(events, graph.nodes["user"], graph.nodes["item"])


@pytest.mark.parametrize("slow_ms", [0, 2 * HOUR])
def test_no_feature_counts_what_followed_from_its_own_list(slow_ms: int) -> None:
    """Without the answers of one list of each user the features of that list are what they were."""
    graph, events = ordered(slow_ms)
    lists = events.frame.filter(pl.col("kind") == "impression").unique("user_id", keep="last", maintain_order=True)
    chosen = lists["request_id"]
    blind = events.frame.filter((pl.col("kind") == "impression") | ~pl.col("request_id").is_in(chosen.implode()))
    without, left = ordered(slow_ms, replace(events, frame=blind))
    assert without.nodes["user"].ids.equals(graph.nodes["user"].ids)
    assert without.nodes["item"].ids.equals(graph.nodes["item"].ids)
    some, frame = examples(graph, events), events.frame.filter(pl.col("kind") == "impression").sort("ts_ms")
    mine = frame["request_id"].is_in(chosen.implode()).to_numpy()
    assert some.labels["click"][mine].any()
    seen, unseen = (Prepared.of(of, log, RankConfig(recent=4), None, None) for of, log in
                    ((graph, events), (without, left)))  # fmt: skip
    size = min(len(seen.examples), len(unseen.examples))  # the very last may still be answered
    mine = mine[:size]
    np.testing.assert_array_equal(seen.raw[:size][mine][:, OWN], unseen.raw[:size][mine][:, OWN])
    assert seen.moments is not None
    assert unseen.moments is not None
    ends = [part.moments.end[part.moments.place[:size][mine]] - part.moments.turned.indptr[some.user_idx[:size][mine]]
            for part in (seen, unseen)]  # fmt: skip
    np.testing.assert_array_equal(*ends)


def test_only_what_lies_before_its_list_is_moved() -> None:
    graph, events = shop(2 * HOUR)
    moved, history = ordered(2 * HOUR)[0].history, graph.history
    straight = shop(-1)[1]
    assert ordered(-1)[1] is not straight  # two worlds, one log
    assert ordered(-1)[1].frame.equals(straight.frame)
    answers = moved.kind != moved.kinds.index("impression")
    assert moved.ts_ms[answers].sum() > history.ts_ms[history.kind != history.kinds.index("impression")].sum()
    shown = dict(events.frame.filter(pl.col("kind") == "impression").select("request_id", "ts_ms").iter_rows())
    named = events.frame.filter(pl.col("kind") != "impression")
    assert sorted(moved.ts_ms[answers]) == sorted(shown[request] for request in named["request_id"])
    for user in range(moved.users):
        its, own = (log.ts_ms[log.indptr[user] : log.indptr[user + 1]] for log in (moved, history))
        assert (np.diff(its) >= 0).all()
        assert len(its) == len(own)


def test_the_log_of_a_bundle_has_answers_behind_their_lists() -> None:
    """What serving reads of the past is what training read: the same times, also after more has come."""
    _, events = shop(2 * HOUR)
    made = replace(world(users=40, items=30, requests=600).shop, events=events)
    target = turned(made, "item")
    kept, wanted = target.graph().history, ordered(2 * HOUR)[0].history
    for name in ("user_idx", "item_idx", "kind", "ts_ms", "indptr"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(wanted, name))
    again = turned(replace(made, events=target.shop.events), "item").shop.events
    assert again is target.shop.events
    straight = shop(-1)[1]
    assert turned(replace(made, events=straight), "item").shop.events is straight
