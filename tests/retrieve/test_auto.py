"""Auto: the hybrid only where it is better, the blend else, and why."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from paretail.core.errors import ConfigError
from paretail.core.progress import silent
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve import auto
from paretail.retrieve.auto import choose_model
from paretail.retrieve.base import Question
from paretail.retrieve.choose import Choice
from paretail.retrieve.models import hybrid
from paretail.retrieve.models.blend import Blend, BlendConfig
from paretail.retrieve.models.hybrid import Hybrid, HybridConfig
from paretail.retrieve.models.knn import Knn
from paretail.retrieve.models.popular import Popular
from paretail.retrieve.segments import Blending
from paretail.sim.planted import planted

QUESTION = Question("purchase", False, ("purchase",))
#: A blend of one poor signal, so that others are sure to help, and one that says the same.
POOR: dict[str, Any] = {"modes": {"target": {"theta": {"pop target|anyone": 1.0}}}}


@pytest.fixture(scope="module")
def graph() -> ShopGraph:
    shop = planted(400, 120, 20).shop
    return ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())


def measured(graph: ShopGraph, monkeypatch: pytest.MonkeyPatch, **gains: float) -> tuple[str, Any]:
    """Choose between a blend of .2 NDCG in each mode and a hybrid that is better by `gains`."""
    told = {mode: {"k": 20, "ndcg": 0.2 + gain, "standard_error": 0.02, "alone": {"blend": 0.2},
                   "alone_errors": {"blend": 0.03}, "ahead_of": {"blend": (gain, 0.01)}}
            for mode, gain in gains.items()}  # fmt: skip
    mixed = Blending(segments=[{"blend": 1.0, "knn": 2.0}])
    config = HybridConfig.parse({"members": {"blend": {}, "knn": {}}}).model_copy(
        update={"modes": dict.fromkeys(gains, mixed)}
    )
    monkeypatch.setattr(Hybrid, "choose", lambda *_: Choice(config, told, ("as measured",), "of the hybrid", None))
    return choose_model(graph, QUESTION, {"candidates": {"knn": {}}}, 0, 10.0, silent)


def test_each_mode_is_judged_for_itself_and_the_figure_is_that_of_what_was_chosen(
    graph: ShopGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, choice = measured(graph, monkeypatch, target=0.01, all=0.01)
    assert (name, choice.figure, choice.run) == ("blend", "NDCG@20 0.2000 ± 0.0300", None)
    assert choice.metrics["all"]["ndcg"] == 0.2
    assert "+0.0100 ± 0.0100 (target), +0.0100 ± 0.0100 (all)" in choice.remarks[0]
    name, choice = measured(graph, monkeypatch, target=0.01, all=0.05)
    assert (name, choice.figure) == ("hybrid", "NDCG@20 0.2000 ± 0.0300")
    assert choice.config.modes["target"].segments == [{"blend": 1.0}]
    assert choice.config.modes["all"].segments == [{"blend": 1.0, "knn": 2.0}]
    assert choice.remarks[0] == "Chosen: hybrid, better than the blend alone by +0.0500 ± 0.0100 NDCG in validation"
    assert choice.remarks[1].startswith("Lists without what a user had under the target kind: the blend alone")
    name, choice = measured(graph, monkeypatch, target=0.05)
    assert (name, choice.figure, len(choice.remarks)) == ("hybrid", "NDCG@20 0.2500 ± 0.0200", 2)


def test_where_nothing_could_be_measured_no_figure_is_told(graph: ShopGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    name, choice = measured(graph, monkeypatch)
    assert (name, choice.figure, dict(choice.metrics)) == ("blend", "", {})
    assert choice.remarks == ("Chosen: blend; too little to measure the others by", "as measured")


def chosen(graph: ShopGraph, candidates: dict[str, dict[str, Any]]) -> tuple[str, Any, str]:
    name, choice = choose_model(graph, QUESTION, {"candidates": candidates}, 0, 10.0, silent)
    return name, choice.config, "\n".join(choice.remarks)


def test_a_hybrid_that_is_better_is_taken(graph: ShopGraph) -> None:
    name, config, told = chosen(graph, {"blend": POOR, "knn": {}})
    assert name == "hybrid"
    assert isinstance(config, HybridConfig)
    assert config.blending("target").segments[0]["knn"] > 0
    assert "Chosen: hybrid, better than the blend alone by +0." in told


def test_a_hybrid_that_is_no_better_is_not(graph: ShopGraph) -> None:
    name, config, told = chosen(graph, {"popular": {}})
    assert name == "blend"
    assert isinstance(config, BlendConfig)
    assert "ridge|all" in config.mix("target").theta or len(config.mix("target").theta) > 1
    assert "Chosen: blend; with the others" in told
    assert "not more than 2 standard errors" in told


@pytest.mark.parametrize("error", [RuntimeError("an operation of two types"), MemoryError()], ids=repr)
def test_a_candidate_that_cannot_be_trained_is_left_out_and_named(
    graph: ShopGraph, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(*_: Any) -> None:
        raise error

    monkeypatch.setattr(Popular, "fit", broken)
    name, config, told = chosen(graph, {"blend": POOR, "popular": {}, "knn": {}})
    assert name == "hybrid"
    assert set(config.members) == {"blend", "knn"}
    assert (
        f"1 of 2 candidates could not be trained and were left out (popular: {type(error).__name__}: {error})" in told
    )
    name, config, told = chosen(graph, {"popular": {}})
    assert name == "blend"
    assert "1 of 1 candidates could not be trained" in told
    monkeypatch.setattr(Blend, "fit", broken)
    with pytest.raises(type(error)):
        chosen(graph, {"knn": {}})


def test_what_a_candidate_is_asked_wrongly_is_refused_still(graph: ShopGraph) -> None:
    with pytest.raises(ConfigError, match="GRAPH-03"):
        chosen(graph, {"lightgcn": {"weights": {"purchaze": 1.0}}})


def test_few_events_or_no_torch_leave_the_blend_and_say_so(graph: ShopGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    few = graph.with_history(graph.history.where(np.arange(len(graph.history.item_idx)) < 3000))
    name, choice = choose_model(few, QUESTION, {}, 0, 5.0, silent)
    assert name == "blend"
    assert "3,000 events are fewer than 5,000" in choice.remarks[0]
    monkeypatch.setattr(auto, "find_spec", lambda name: None)
    name, choice = choose_model(graph, QUESTION, {}, 0, 5.0, silent)
    assert name == "blend"
    assert "paretail[learn]" in choice.remarks[0]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"candidate": {}}, "candidates.*CONF-01"),
        ({"candidates": {"knnn": {}}}, "'knn'.*RETR-01"),
        ({"candidates": {"knn": {"neighbors": 3}}}, "candidates.knn.*neighbours"),
    ],
)
def test_wrong_candidates_are_refused_before_anything_is_read(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        auto.check(given)


def test_a_hybrid_is_no_candidate() -> None:
    with pytest.raises(ConfigError, match=r"candidates\] has hybrid.*mixes them itself"):
        auto.check({"candidates": {"hybrid": {"members": {"knn": {}}}}})


def test_a_candidate_that_fails_in_a_later_mode_weighs_in_none(
    graph: ShopGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit, calls = hybrid.fit, []

    def tired(kind: type, *given: Any) -> Any:
        calls.extend([kind] * (kind is Knn))
        if kind is Knn and len(calls) == 2:  # in the second mode
            raise MemoryError
        return fit(kind, *given)

    monkeypatch.setattr(hybrid, "fit", tired)
    again = replace(QUESTION, repeat=True)
    given = {"candidates": {"blend": POOR, "knn": {}, "als": {"dim": 8}}}
    name, choice = choose_model(graph, again, given, 0, 5.0, silent)
    assert len(calls) == 2
    assert name == "hybrid"
    assert isinstance(choice.config, HybridConfig)
    assert set(choice.config.members) == {"blend", "als"}
    assert all("knn" not in row for blending in choice.config.modes.values() for row in blending.segments)
