"""Tuning: better settings are found, given ones are kept, time is kept, and noise changes nothing."""

import numpy as np
import pytest

from paretail.core.progress import silent
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Question
from paretail.retrieve.choose import choose
from paretail.retrieve.models.als import Als
from paretail.retrieve.models.knn import Knn
from paretail.retrieve.tune import Trial, tune
from paretail.sim.planted import planted

from .shops import graph, shop

QUESTION = Question("purchase", False, ("purchase",))


@pytest.fixture(scope="module")
def world() -> ShopGraph:
    told = planted(users=300, items=80, events_per_user=12).shop
    return ShopGraph.build(told, told.user_vocabulary(), told.item_vocabulary())


def test_a_better_setting_is_taken_and_a_given_one_kept(world: ShopGraph) -> None:
    steps = [{"dim": 8}, {"alpha": 1.0, "weight_decay": 99.0}]
    given = {"dim": 64, "weight_decay": 5.0, "epochs": 5}
    choice = tune(Als, world, QUESTION, given, steps, 0, 60.0, silent)
    assert choice.config.model_dump() == {"weights": {"purchase": 1.0}, "alpha": 1.0, **given}
    assert choice.metrics["target"]["tried"] == 2, "a step that changes nothing is not tried"
    assert choice.metrics["target"]["ndcg"] > 0.1
    assert "2 settings" in choice.remarks[0]


def test_without_time_the_defaults_are_measured_and_kept(world: ShopGraph) -> None:
    choice = choose(Knn, world, QUESTION, {}, 0, 0.0, silent)
    assert choice.metrics["target"]["tried"] == 1
    assert choice.config == Knn.config_type.parse({"weights": {"purchase": 1.0}})


def test_of_several_kinds_the_target_alone_is_tried() -> None:
    events = [(f"u{n}", item, kind, day) for n in range(40) for day, item in enumerate("abcd" if n % 2 else "efgh")
              for kind in ("view", "purchase")]  # fmt: skip
    question = Question("purchase", False, ("purchase", "view"), {"view": 0.1})
    choice = choose(Knn, graph(shop(events)), question, {}, 0, 60.0, silent)
    assert choice.config.weights in ({"purchase": 1.0, "view": 0.1}, {"purchase": 1.0})  # type: ignore[attr-defined]


def test_too_few_events_to_ask() -> None:
    choice = choose(Knn, graph(shop([("u", "a", "purchase", 0)])), QUESTION, {"neighbours": 3}, 0, 60.0, silent)
    assert choice.remarks == ("too few events to tune on",)
    assert choice.config == Knn.config_type.parse({"weights": {"purchase": 1.0}, "neighbours": 3})


def test_a_gain_within_its_standard_error_is_no_gain() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(500)
    noise = rng.standard_normal(500)
    noise -= noise.mean()
    assert Trial({}, base + 0.1 + noise).beats(Trial({}, base))
    assert not Trial({}, base + 0.01 + noise).beats(Trial({}, base))
    assert not Trial({}, base).beats(Trial({}, base))


def test_what_was_not_tried_for_lack_of_time_is_said(world: ShopGraph) -> None:
    choice = tune(Als, world, QUESTION, {}, [{"dim": 8}, {"dim": 16}], 0, 0.0, silent)
    assert choice.remarks[1:] == ("Time was up (0 s): 2 more settings were not tried; more: --budget",)
    assert len(tune(Als, world, QUESTION, {}, [{"dim": 8}], 0, 60.0, silent).remarks) == 1
