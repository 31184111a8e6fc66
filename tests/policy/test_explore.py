"""Exploration: logged probabilities are exact, and it costs what it may cost."""

from itertools import permutations

import numpy as np
import pytest

from paretail.policy.explore import draw, likelihood, temperature
from paretail.policy.objectives import OBJECTIVES, objective
from paretail.policy.rules import Cap, Pin, Rules
from paretail.policy.slate import compose
from tests.policy.pools import pool

GOALS = {name: objective(name) for name in OBJECTIVES}
WEIGHTS = {"clicks": 1.0, "diversity": 0.3}


def test_the_probabilities_of_all_slates_add_up_to_one() -> None:
    found = pool(users=1, cands=5)
    every = np.array(list(permutations(range(5), 3)), np.int32)
    told = likelihood(found.rows(np.zeros(len(every), int)), GOALS, WEIGHTS, 0.1, every).prod(1)
    assert told.sum() == pytest.approx(1.0, rel=1e-6)


def test_slates_come_as_often_as_their_probability_says() -> None:
    draws = 20_000
    found = pool(users=1, cands=4).rows(np.zeros(draws, int))
    drawn = draw(found, GOALS, WEIGHTS, 2, 0.15, np.random.default_rng(0))
    pairs = list(permutations(range(4), 2))
    shares = np.array([(drawn.places == pair).all(1).mean() for pair in pairs])
    told = likelihood(found.rows(np.arange(len(pairs))), GOALS, WEIGHTS, 0.15, np.array(pairs, np.int32)).prod(1)
    np.testing.assert_allclose(shares, told, atol=4 * np.sqrt(0.25 / draws))


def test_what_is_logged_is_what_the_likelihood_says() -> None:
    found = pool(users=6, cands=12)
    rules = Rules(caps=[Cap("brand", found.of(found.wares.labels["brand"]), 2)],
                  pins=[Pin("third", 1, np.full(6, 3, np.int32))])  # fmt: skip
    drawn = draw(found, GOALS, WEIGHTS, 5, 0.1, np.random.default_rng(1), rules)
    np.testing.assert_allclose(drawn.propensity, likelihood(found, GOALS, WEIGHTS, 0.1, drawn.places, rules))
    assert (drawn.places[:, 1] == 3).all()
    assert (drawn.propensity[:, 1] == 1).all()
    assert rules.broken(drawn.places) == [[]] * 6


def test_without_heat_the_best_is_drawn_for_sure() -> None:
    found = pool()
    drawn = draw(found, GOALS, {"clicks": 1.0}, 4, 0.0, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn.places, compose(found, GOALS, {"clicks": 1.0}, 4))
    assert (drawn.propensity == 1).all()


def test_a_small_pool_leaves_slots_empty_and_says_so() -> None:
    found = pool(users=1, cands=3)
    found.item_idx[0, 1:] = -1
    drawn = draw(found, GOALS, WEIGHTS, 3, 0.1, np.random.default_rng(0))
    assert drawn.places.tolist() == [[0, -1, -1]]
    assert drawn.propensity.tolist() == [[1.0, 1.0, 1.0]]


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_exploring_costs_the_clicks_that_it_may(share: float) -> None:
    found = pool(users=300, cands=60, seed=3)
    tau = temperature(found, GOALS, WEIGHTS, 8, share)
    best = GOALS["clicks"].value(found, draw(found, GOALS, WEIGHTS, 8, 0.0, np.random.default_rng(9)).places).mean()
    cost = []
    for seed in range(5):
        places = draw(found, GOALS, WEIGHTS, 8, tau, np.random.default_rng(100 + seed)).places
        cost.append(1 - GOALS["clicks"].value(found, places).mean() / best)
    assert np.mean(cost) == pytest.approx(share, abs=0.006)
    assert temperature(found, GOALS, WEIGHTS, 8, 0.0) == 0
