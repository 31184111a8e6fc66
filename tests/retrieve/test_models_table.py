"""From a name to a retriever: the table, a class of one's own, and what a wrong name says."""

from pathlib import Path

import pytest

from paretail.core.errors import ConfigError
from paretail.pipeline.config import ModelConfig
from paretail.pipeline.train import check_model
from paretail.retrieve.models import MODELS, model
from paretail.retrieve.models.knn import Knn


def test_a_name_of_the_table() -> None:
    assert model("knn") is Knn


@pytest.mark.parametrize("name", MODELS)
def test_every_name_leads_to_a_class_of_that_name(name: str) -> None:
    assert model(name).name == name


def test_the_table_of_what_models_are_worth_has_every_model() -> None:
    page = (Path(__file__).parents[2] / "docs" / "choosing.md").read_text(encoding="utf-8")
    worth = page[page.index("## What each model is worth") :]
    assert [name for name in MODELS if f"[{name}](models/{name}.md)" not in worth] == []


def test_a_class_of_ones_own() -> None:
    assert model("paretail.retrieve.models.knn:Knn") is Knn


def test_an_unknown_name_says_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'popular'\? Correct .*RETR-01"):
        model("populer")
    with pytest.raises(ConfigError, match=r"one of als, auto, blend, .*did you mean 'auto'\?"):
        check_model(ModelConfig(name="auot"))


@pytest.mark.parametrize("name", ["no_such_module:Model", "json:Model", "json:JSONDecoder", ":Model"])
def test_a_class_that_cannot_be_used(name: str) -> None:
    with pytest.raises(ConfigError, match="RETR-02"):
        model(name)
