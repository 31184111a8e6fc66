"""What matters is found where it was planted, with the mean of each option; effects are shares."""

import numpy as np

from paretail.search.importance import FEWEST_TRIALS, NOT_USED, effects, what_matters
from paretail.search.space import GraphSpace

CHOICES = (4, 3, 2, 5, 3)


def test_planted_fields_are_found_in_their_order() -> None:
    rng = np.random.default_rng(0)
    X = np.stack([rng.integers(count, size=120) for count in CHOICES], axis=1)
    y = np.array([0.0, 3.0, 1.0, 1.0])[X[:, 0]] + 1.2 * X[:, 2] + 0.1 * rng.random(120)
    found = effects(X.tolist(), y, CHOICES, rng)
    order = np.argsort([-one.share for one in found])
    assert order[:2].tolist() == [0, 2]
    assert found[0].share > 0.4
    assert max(found[field].share for field in (1, 3, 4)) < 0.05
    assert sum(one.share for one in found) <= 1.0001
    assert np.argmax(found[0].means) == 1
    assert np.argmax(found[2].means) == 1


def test_a_single_split_has_the_variance_that_arithmetic_says() -> None:
    X, y = [[0, row % 3] for row in range(30)] + [[1, row % 3] for row in range(30)], np.repeat([1.0, 3.0], 30)
    found = effects(X, y, (2, 3), np.random.default_rng(1))
    assert found[0].share > 0.75
    assert np.allclose(found[0].means, (1, 3), atol=0.2)


def test_few_or_equal_trials_tell_nothing() -> None:
    rng = np.random.default_rng(0)
    assert effects([[0, 1]] * (FEWEST_TRIALS - 1), np.arange(FEWEST_TRIALS - 1.0), (2, 2), rng) == []
    assert effects([[0, 1]] * 50, np.ones(50), (2, 2), rng) == []


def test_options_never_tried_are_left_out_and_a_field_that_means_nothing_takes_no_credit() -> None:
    space = GraphSpace(
        {"loss": ("softmax", "bpr", "margin", "alignment"), "temperature": (0.15, 0.07, 0.2), "lr": (1e-3, 3e-3, 1e-2)}
    )
    rng = np.random.default_rng(0)
    drawn = space.sample(rng, 400)
    tried = [one for one in drawn if space.settings(one)["loss"] in ("softmax", "bpr")][:60]
    scores = np.array([0.9 if space.settings(one)["loss"] == "softmax" else 0.2 for one in tried])
    found = {name: (effect, options) for name, effect, options in what_matters(space, tried, scores, rng)}
    assert found["loss"][1] == ("softmax", "bpr")
    assert len(found["loss"][0].means) == 2
    assert found["temperature"][1] == ("0.15", "0.07", "0.2", NOT_USED)
    assert found["temperature"][0].share < 0.01
    assert found["loss"][0].share > 0.4
    assert found["temperature"][0].means[3] < min(found["temperature"][0].means[:3])
