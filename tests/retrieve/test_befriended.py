"""The best weight counts, and only where the gain is above two standard errors."""

import numpy as np
import pytest

from paretail.retrieve.befriended import SIGNAL, WEIGHTS, told, weigh

ALONE = np.linspace(0, 1, 100)


@pytest.mark.parametrize(("gains", "weight"), [((0.01, 0.03, 0.02), WEIGHTS[1]), ((-0.01, -0.02, -0.03), 0.0)])
def test_the_best_weight_or_none(gains: tuple[float, ...], weight: float) -> None:
    gain = dict(zip((0.0, *WEIGHTS), (0.0, *gains), strict=True))
    found, words = weigh(lambda weight: ALONE + gain[weight])
    assert found == weight
    assert f"{0.5 + max(gains):.4f} with it, 0.5000 without" in words


@pytest.mark.parametrize(("errors", "kept"), [(1.9, False), (2.1, True)])
def test_two_standard_errors_are_asked(errors: float, kept: bool) -> None:
    noise = np.tile([-1.0, 1.0], 50)  # standard error .1
    found, words = weigh(lambda weight: ALONE + (weight == WEIGHTS[0]) * (noise + errors / 10) - (weight > WEIGHTS[0]))
    assert (found == WEIGHTS[0]) == kept
    assert ("joins" in words) == kept
    assert f"{errors / 10:+.4f} ± 0.1000" in words


def test_it_is_told_where_weights_were_learned() -> None:
    assert told({"target": {SIGNAL: 0.345}, "all": {"walk|all": 1.0}}) == "What friends had joins: 0.34 (target)"
    assert "stays out" in told({"target": {"walk|all": 1.0, SIGNAL: 0.0}})
