"""The specification: named points, what cannot go together, and that a bundle reads back what it wrote."""

from typing import Any

import pytest

from paretail.core.errors import ConfigError
from paretail.retrieve.auto import check_settings
from paretail.retrieve.models import MODELS, model
from paretail.retrieve.spec import NEEDS, PRESETS, GraphModelSpec


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_points_of_the_space(name: str) -> None:
    spec = GraphModelSpec.parse(dict(PRESETS[name]))
    assert spec == GraphModelSpec.model_validate_json(spec.model_dump_json())


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "mf"])
def test_a_preset_is_a_model_whose_defaults_are_the_point(name: str) -> None:
    assert name in MODELS
    made = model(name).config_type()
    assert made.model_dump() == GraphModelSpec.parse(dict(PRESETS[name])).model_dump()


@pytest.mark.parametrize(
    ("settings", "field", "expected"),
    [
        ({"message": "gcn", "depth": 0}, "depth", "1 to 4, or message = 'none'"),
        ({"message": "none", "depth": 2}, "depth", "0 with message = 'none'"),
        ({"message": "gcn", "aggregation": "max"}, "aggregation", "'mean', or message = 'sage'"),
        ({"message": "sage", "heads": 2}, "heads", "1, or message = 'gat' or 'gatv2'"),
        ({"message": "gat", "dim": 6, "heads": 4}, "heads", "a divisor of dim = 6"),
        ({"ids": False, "start": "random"}, "content", "nothing tells items apart"),
        ({"ids": False, "attributes": True}, "start", "'random' where ids = false"),
        ({"id_dropout": 0.1}, "id_dropout", "0, or attributes or content = true"),
        ({"loss": "margin", "scorer": "dot", "bias": False}, "scorer", "'cosine' with loss = 'margin'"),
        ({"loss": "alignment", "scorer": "mlp", "bias": False}, "scorer", "'cosine' or 'dot' with loss"),
        ({"loss": "alignment"}, "bias", "false with loss = 'alignment'"),
        ({"bias": False, "bias_lift": 0.1}, "bias_lift", "0, or bias = true"),
        ({"negatives_from": "hard"}, "shared", "false where negatives_from"),
        ({"negatives_from": "hard", "shared": False}, "pool", "more than the 2048 negatives"),
        ({"message": "none", "depth": 0, "contrast": 0.1, "augmentation": "noise"}, "edge_dropout", "contrast = 0"),
        ({"depth": 5}, "depth", "less than or equal to 4"),
        ({"message": "none", "depth": 0, "edges": "all"}, "message", "another with edges = 'all'"),
        ({"relations": "separate"}, "relations", "'shared' with message = 'lightgcn'"),
        ({"message": "none", "depth": 0, "residual": True}, "residual", "False with message = 'none'"),
        ({"loss": "margin", "bias": False, "margin": 2.0}, "margin", "under 1 with loss = 'margin'"),
        ({"sampling": "none", "fan_out": 5}, "fan_out", "with 'none' nothing is drawn"),
        ({"bias": False, "bias_start": 0.4}, "bias_start", "none given, or bias = true"),
        ({"message": "gta"}, "message", "did you mean 'gat'?"),
    ],
)  # fmt: skip
def test_options_that_cannot_go_together(settings: dict[str, Any], field: str, expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        GraphModelSpec.parse(settings, "[model.settings]")
    told = [str(problem) for problem in refused.value.problems]
    assert any(f"[model.settings]: {field} = " in line and expected in line for line in told), told


@pytest.mark.parametrize(
    ("settings", "field", "needed"),
    [
        ({"loss": "bpr", "temperature": 0.05}, "temperature", "loss = 'softmax'"),
        ({"loss": "bpr", "correction": False}, "correction", "loss = 'softmax'"),
        ({"uniformity": 3.0}, "uniformity", "loss = 'alignment'"),
        ({"margin": 0.1}, "margin", "loss = 'margin'"),
        ({"negative_weight": 9.0}, "negative_weight", "loss = 'margin'"),
        ({"loss": "alignment", "bias": False, "negatives_from": "popular"}, "negatives_from", "another loss"),
        ({"contrast_temperature": 0.9}, "contrast_temperature", "contrast above 0"),
        ({"augmentation": "noise"}, "augmentation", "contrast above 0"),
        ({"augmentation_size": 0.5}, "augmentation_size", "contrast above 0"),
        ({"popularity_power": 0.1}, "popularity_power", "negatives_from = 'popular'"),
        ({"pool": 5000}, "pool", "negatives_from = 'hard'"),
        ({"start": "random", "start_rounds": 9}, "start_rounds", "start = 'spectral'"),
    ],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused_before_training_and_read_from_bundles(
    settings: dict[str, Any], field: str, needed: str
) -> None:
    usual = {field: GraphModelSpec.usual(field)}
    check_settings("lightgcn", settings | usual)
    with pytest.raises(ConfigError) as refused:
        check_settings("hybrid", {"members": {"blend": {}, "lightgcn": settings}})
    assert f"members.lightgcn]: {field} = {settings[field]!r}. Expected: none given, or {needed}" in str(refused.value)
    assert GraphModelSpec.parse(settings)


def test_each_setting_that_needs_another_can_have_it() -> None:
    losses = {"softmax": {}, "margin": {"bias": False}, "alignment": {"bias": False}}
    points = [GraphModelSpec.parse({"loss": loss, **more}) for loss, more in losses.items()]
    points += [GraphModelSpec(contrast=0.1), GraphModelSpec(negatives_from="popular"), GraphModelSpec()]
    points += [GraphModelSpec(negatives_from="hard", shared=False, negatives=8)]
    assert not [name for name, (_, holds) in NEEDS.items() if not any(map(holds, points))]
    assert set(NEEDS) <= set(GraphModelSpec.model_fields)


def test_what_a_preset_says_itself_is_no_contradiction() -> None:
    for name in ("hetero", "gat"):
        config = model(name).config_type
        assert config.parse({"message": "none", "depth": 0, "combination": "last"})
        assert config.parse({"message": "lightgcn"})
    with pytest.raises(ConfigError, match=r"dropout = 0\.1"):
        model("hetero").config_type.parse({"message": "none", "depth": 0, "dropout": 0.1})


def test_what_is_linear_in_the_events() -> None:
    assert GraphModelSpec().linear
    assert GraphModelSpec(message="none", depth=0).linear
    for bends in ({"message": "gcn"}, {"scorer": "mlp"}, {"activation": "relu"}, {"edges": "all"}, {"residual": True},
                  {"combination": "attention"}, {"normalisation": "layer"}):  # fmt: skip
        assert not GraphModelSpec.parse(bends).linear
