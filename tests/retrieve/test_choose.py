"""Choosing settings: a model that knows how is asked, any other takes what is given."""

import math
from typing import Any

import pytest

from paretail.core.errors import ConfigError
from paretail.core.progress import silent
from paretail.retrieve import auto
from paretail.retrieve.base import Question
from paretail.retrieve.choose import Choice, Chooses, choose
from paretail.retrieve.models.blend import Blend
from paretail.retrieve.models.popular import Popular, PopularConfig

from .shops import graph, shop

GRAPH = graph(shop([("u", "a", "purchase", 0), ("v", "b", "purchase", 1)]))
QUESTION = Question("purchase", False, ("purchase",))


def chosen(model: Any, given: dict[str, Any]) -> Choice:
    return choose(model, GRAPH, QUESTION, given, 0, 1.0, silent)


def test_a_model_that_cannot_choose_takes_what_is_given() -> None:
    class Plain:
        config_type = PopularConfig

    assert not isinstance(Plain, Chooses)
    choice = chosen(Plain, {"window_days": 3.0})
    assert choice == Choice(PopularConfig(window_days=3.0))
    assert (choice.metrics, choice.remarks, choice.figure) == ({}, (), "")


def test_a_model_that_can_is_asked_with_what_is_given() -> None:
    class Knows:
        config_type = PopularConfig

        @classmethod
        def choose(cls, *arguments: Any) -> Choice:
            assert arguments == (GRAPH, QUESTION, {"half_life_days": 2.0}, 0, 1.0, silent)
            return Choice(PopularConfig(half_life_days=2.0), figure="asked")

    assert chosen(Knows, {"half_life_days": 2.0}).figure == "asked"
    assert isinstance(Blend, Chooses)


@pytest.mark.parametrize("model", [Popular, Blend])
def test_an_unknown_setting_is_told(model: Any) -> None:
    with pytest.raises(ConfigError, match=r"\[model.settings\].*colour is not a setting"):
        chosen(model, {"colour": "red"})


@pytest.mark.parametrize(
    ("weights", "told"),
    [({"purchse": 1.0}, "did you mean 'purchase'.*GRAPH-03"),
     ({"cart": 1.0}, "none of the kinds of this log above 0: purchase"),
     ({"purchase": -1.0}, "0 to 1,000,000")],
)  # fmt: skip
def test_weights_are_of_kinds_to_learn_from(weights: dict[str, float], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        chosen(Popular, {"weights": weights})


@pytest.mark.parametrize(
    ("name", "settings"),
    [("lightgcn", {"temperature": math.inf}), ("lightgcn", {"weights": {"purchase": math.nan}}),
     ("node2vec", {"p": 1e12}), ("knn", {"weights": {"purchase": -1.0}}),
     ("hybrid", {"members": {"lightgcn": {"dimm": 3}}})],
)  # fmt: skip
def test_numbers_that_nothing_can_be_learned_with_are_refused(name: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        auto.check_settings(name, settings)


def test_a_kind_that_the_shop_declared_may_have_a_weight_before_it_occurs() -> None:
    declared = Question("purchase", False, ("purchase",), {"subscribe": 2.0})
    given = {"weights": {"purchase": 1.0, "subscribe": 2.0}}
    assert choose(Popular, GRAPH, declared, given, 0, 1.0, silent).config.weights == given["weights"]  # type: ignore[attr-defined]


def test_lists_of_people_learn_from_friends() -> None:
    people = graph(shop([("u", "u", "self", 0), ("u", "v", "friend", 1)]))
    with pytest.raises(ConfigError, match=r"none of the kinds of this log above 0: friend\. .*lists of people") as told:
        choose(Popular, people, QUESTION, {"weights": {"purchase": 1.0}}, 0, 1.0, silent)
    assert "self" not in str(told.value)
