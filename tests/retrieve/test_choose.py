"""Choosing settings: a model that knows how is asked, any other takes what is given."""

from typing import Any

import pytest

from paretail.core.errors import ConfigError
from paretail.core.progress import silent
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
