"""The specification: named points, what cannot go together, and that a bundle reads back what it wrote."""

from typing import Any

import pytest

from paretail.core.errors import ConfigError
from paretail.retrieve.models import MODELS, model
from paretail.retrieve.spec import PRESETS, GraphModelSpec


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
