"""Hybrid: units, segments, weights; what the members do alone is theirs to test."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from paretail.core.errors import ConfigError
from paretail.core.progress import silent
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.ahead import ahead
from paretail.retrieve.base import Question
from paretail.retrieve.models.hybrid import Hybrid, HybridConfig
from paretail.retrieve.models.popular import Popular
from paretail.retrieve.segments import SEGMENTS, Blending, segments_of
from paretail.sim.planted import Planted, planted

QUESTION = Question("purchase", False, ("purchase",))
MEMBERS: dict[str, dict[str, Any]] = {"popular": {}, "knn": {}, "als": {"dim": 8, "alpha": 1.0, "epochs": 5}}


@pytest.fixture(scope="module")
def world() -> Planted:
    return planted(400, 120, 20)


@pytest.fixture(scope="module")
def graph(world: Planted) -> ShopGraph:
    return ShopGraph.build(world.shop, world.shop.user_vocabulary(), world.shop.item_vocabulary())


def nothing(users: int, items: int) -> sparse.csr_array:
    return sparse.csr_array((users, items), dtype=np.int8)


def test_units_do_not_see_scale_or_shift() -> None:
    scores = np.random.default_rng(0).standard_normal((3, 700)).astype(np.float32)
    units = ahead(scores, nothing(3, 700))
    np.testing.assert_allclose(ahead(7 * scores - 3, nothing(3, 700)), units, rtol=1e-3, atol=1e-4)
    ordered = np.sort(scores[0])[::-1]
    assert units[0].max() == pytest.approx((ordered[0] - ordered[499]) / (ordered[:50] - ordered[499]).mean(), rel=1e-5)
    assert (units > 0).sum(axis=1).tolist() == [499] * 3


def test_items_left_out_and_flat_scores_are_no_unit() -> None:
    scores = np.tile(np.arange(60, dtype=np.float32), (2, 1))
    scores[1] = 5
    out = sparse.csr_array(([1], ([0], [59])), shape=(2, 60))
    units = ahead(scores, out)
    assert units[0, 59] == 0
    assert units[0, 58] == units[0].max() > 0
    assert not units[1].any()


def test_segments_count_events_that_show_a_wish(graph: ShopGraph) -> None:
    history = graph.history.of_users(np.zeros(4, np.int64))
    kept = np.zeros(len(history.item_idx), bool)
    for user, events in enumerate((1, 5, 6, 20)):
        kept[history.indptr[user] : history.indptr[user] + events] = True
    some = history.where(kept)
    assert segments_of(some, {"purchase": 1.0}).tolist() == [0, 1, 2, 2]
    assert segments_of(some, {"purchase": 0.0}).tolist() == [0, 0, 0, 0]
    assert segments_of(graph.history.of_users(np.array([0])), {"purchase": 1.0}).tolist() == [2]


def test_weights_are_those_of_the_users_segment(graph: ShopGraph) -> None:
    rows = [{"popular": 1.0}, {"popular": 1.0}, {"als": 2.0}, {"als": 2.0}]
    config = HybridConfig(members={"popular": {}, "als": MEMBERS["als"]}, modes={"target": Blending(segments=rows)})
    hybrid = Hybrid.fit(graph, config, 0)
    users = graph.history.of_users(np.arange(2))
    one = users.where(np.arange(len(users.item_idx)) != -1)
    few = replace(one, indptr=np.array([0, 3, len(one.item_idx)]))
    scores = hybrid.score(few)
    popular = Popular.fit(graph, Popular.config_type(), 0).score(few)
    unseen = np.setdiff1d(np.arange(graph.items), few.item_idx[:3])
    assert np.argmax(scores[0][unseen]) == np.argmax(popular[0][unseen])
    alone = Hybrid.fit(graph, config.model_copy(update={"modes": {"target": Blending(segments=[{"als": 2.0}])}}), 0)
    assert list(alone.members) == ["als"], "a member that weighs nothing is not fitted"
    np.testing.assert_allclose(scores[1], alone.score(few)[1], atol=1e-5)


def test_it_learns_which_member_is_good_and_beats_each(world: Planted, graph: ShopGraph) -> None:
    choice = Hybrid.choose(graph, QUESTION, {"members": MEMBERS}, 0, 20.0, silent)
    hybrid = Hybrid.fit(graph, choice.config, 0)
    share = world.oracle_share(hybrid.score(graph.history))
    others = {name: world.oracle_share(member.score(graph.history)) for name, member in hybrid.members.items()}
    assert share >= max(others.values()) - 0.01
    assert "in validation" in choice.remarks[-2]
    assert "knn" in choice.remarks[-1]
    assert choice.metrics["target"]["k"] == 20


def test_without_time_weights_are_learned_on_a_fifth_of_the_pairs(graph: ShopGraph) -> None:
    timeless = graph.with_history(replace(graph.history, time="none", ts_ms=np.zeros_like(graph.history.ts_ms)))
    choice = Hybrid.choose(timeless, QUESTION, {"members": {"popular": {}, "knn": {}}}, 0, 5.0, silent)
    weights = HybridConfig.model_validate(choice.config.model_dump()).blending("all").segments[0]
    assert weights["knn"] > weights.get("popular", 0.0)
    assert choice.metrics["target"]["questions"] == pytest.approx(200, abs=60)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"members": {"hybrid": {}}}, "other than hybrid"),
        ({"members": {}}, "CONF-03"),
        ({"modes": {"target": {"segments": [{}, {}]}}}, f"1 or {len(SEGMENTS)} entries"),
    ],
)
def test_wrong_settings_say_what_is_expected(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        HybridConfig.parse(wrong)


def test_a_member_that_is_not_there_or_has_no_such_setting(graph: ShopGraph) -> None:
    with pytest.raises(ConfigError, match="RETR-01"):
        Hybrid.fit(graph, HybridConfig(members={"popula": {}}), 0)
    with pytest.raises(ConfigError, match=r"members.als.*dim"):
        Hybrid.fit(graph, HybridConfig(members={"als": {"dimm": 3}}), 0)


def test_members_that_ran_out_of_time_are_named(graph: ShopGraph) -> None:
    config = HybridConfig(members={"popular": {}, "lightgcn": {"dim": 4, "epochs": 500, "batch_size": 64}})
    choice = Hybrid.choose(graph, QUESTION, config.model_dump(include={"members"}), 0, 0.5, silent)
    assert any("until the time was up" in remark and "lightgcn" in remark for remark in choice.remarks)


def test_members_weigh_kinds_that_there_are(graph: ShopGraph) -> None:
    given = {"members": {"popular": {}, "lightgcn": {"weights": {"purchse": 1.0}}}}
    with pytest.raises(ConfigError, match=r"weights of lightgcn.*did you mean 'purchase'.*GRAPH-03"):
        Hybrid.choose(graph, QUESTION, given, 0, 0.5, silent)


def test_members_that_are_trained_end_where_validation_gains_no_more(graph: ShopGraph) -> None:
    small = {"dim": 4, "lr": 0.05, "batch_size": 512, "negatives": 32}
    given = {"members": {"popular": {}, "lightgcn": small, "sage": {**small, "epochs": 1}}}
    choice = Hybrid.choose(graph, QUESTION, given, 0, 600.0, silent)
    assert choice.run is not None
    assert set(choice.run) == {"lightgcn", "sage"}
    told = choice.run["lightgcn"]
    best = max(epoch["metric"] for epoch in told["epochs"])
    assert told["best_metric"] == pytest.approx(best)
    members = choice.config.members  # type: ignore[attr-defined]
    assert (members["lightgcn"]["epochs"], members["lightgcn"]["lr_epochs"]) == (told["best_epoch"], 8)
    assert members["sage"] == {**small, "epochs": 1}, "what is told stays"
