"""New items: the belief in them moves as the rule says, and nothing else does."""

import numpy as np
import pytest

from paretail.policy.newcomers import WIDTH, deviates

SHOWN = np.array([0.0, 5.0, 99.0, 100.0, 5000.0])


def test_the_mean_moves_nothing() -> None:
    assert not deviates("mean", SHOWN, 100, np.random.default_rng(0)).any()


def test_ucb_lifts_what_was_hardly_shown() -> None:
    np.testing.assert_array_equal(
        deviates("ucb", SHOWN, 100, np.random.default_rng(0)), [WIDTH, WIDTH, WIDTH, 0.0, 0.0]
    )


def test_thompson_draws_standard_deviates() -> None:
    drawn = deviates("thompson", np.zeros(20_000), 1, np.random.default_rng(0))
    assert drawn.mean() == pytest.approx(0.0, abs=0.03)
    assert drawn.std() == pytest.approx(1.0, abs=0.03)
