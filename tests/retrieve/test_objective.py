"""Settings of what is trained on: options that cannot go together are refused, and the message says what can."""

from typing import Any

import pytest

from paretail.core.errors import ConfigError
from paretail.retrieve.objective import LossConfig, NegativesConfig, SamplingConfig


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"negatives_from": "hard", "negatives": 20, "pool": 20}, "more than the 20 negatives"),
        ({"negatives_from": "batch", "shared": True}, "false where negatives_from"),
        ({"negatives_from": "hard", "shared": True}, "false where negatives_from"),
        ({"negatives_from": "nearest"}, "'uniform', 'popular', 'batch' or 'hard'"),
    ],
)
def test_what_cannot_go_together_is_refused(values: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        NegativesConfig.parse(values)
    assert NegativesConfig.parse(values | {"negatives_from": "uniform", "pool": 99, "shared": False})


def test_numbers_are_bounded() -> None:
    for values in ({"temperature": 0.0}, {"contrast": -1.0}, {"augmentation_size": 1.0}, {"loss": "hinge"}):
        with pytest.raises(ConfigError, match=next(iter(values))):
            LossConfig.parse(values)


def test_a_sample_without_neighbours_is_refused() -> None:
    for fan_out in (0, -2):
        with pytest.raises(ConfigError, match="fan_out"):
            SamplingConfig.parse({"fan_out": fan_out})
    assert SamplingConfig(fan_out=-1).sampling == "auto"
