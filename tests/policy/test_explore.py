"""Exploration: logged probabilities are exact, and it costs what it may cost."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from paretail.policy.explore import changed, draw, likelihood, temperature
from paretail.policy.objectives import OBJECTIVES, objective
from paretail.policy.pool import Pool
from paretail.policy.rules import Cap, Need, Pin, Rules
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


def test_a_goal_that_is_asked_for_loses_no_greater_share() -> None:
    """Slates for novelty alone lose no clicks when drawn: by clicks they would be drawn from anything."""
    found, rare = pool(users=60, cands=40, seed=3), {"novelty": 1.0}
    value, span = GOALS["novelty"].value(found, compose(found, GOALS, rare, 8)).mean(), 0.5
    hot, tau = (
        temperature(found, GOALS, rare, 8, 0.05),
        temperature(found, GOALS, rare, 8, 0.05, spans={"novelty": span}),
    )
    assert changed(found, GOALS, rare, 8, hot)["novelty"] < -0.2 * value
    lost = changed(found, GOALS, rare, 8, tau)
    assert lost["novelty"] == pytest.approx(-0.05 * value, rel=0.15)
    assert set(lost) == set(GOALS)
    far = temperature(found, GOALS, rare, 8, 0.05, spans={"novelty": 4 * value})
    assert changed(found, GOALS, rare, 8, far)["novelty"] == pytest.approx(-0.2 * value, rel=0.15)


def _requests(seed: int, users: int = 400) -> Pool:
    """Return requests of a shop: few candidates are often clicked, and users differ in how eager they are."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(-3.5, 1.0, (users, 60)) + rng.normal(0, 0.7, (users, 1))
    return pool(users=users, cands=60, seed=seed, p_click=(1 / (1 + np.exp(-logit))).astype(np.float32))


@pytest.mark.parametrize("weights", [{"clicks": 1.0}, {"clicks": 1.0, "diversity": 0.05}, {"purchases": 1.0}], ids=str)
def test_a_budget_of_two_percent_holds_on_requests_that_it_was_not_measured_on(weights: dict[str, float]) -> None:
    tau, cost = temperature(_requests(1), GOALS, weights, 8, 0.02), []
    for seed in range(10, 14):
        later = _requests(seed)
        best, drawn = (
            GOALS["clicks"].value(later, draw(later, GOALS, weights, 8, heat, np.random.default_rng(seed)).places)
            for heat in (0.0, tau)
        )
        cost.append(1 - drawn.mean() / best.mean())
    assert np.mean(cost) == pytest.approx(0.02, abs=0.005)


@pytest.mark.parametrize("seed", range(3))
def test_slates_under_rules_come_as_often_as_the_log_says(seed: int) -> None:
    """Chi-square over all slates that can be drawn, against the product of what is logged with each."""
    draws = 10_000
    found = pool(users=1, cands=5, seed=seed).rows(np.zeros(draws, int))
    codes, those = found.of(found.wares.labels["brand"]), found.item_idx >= 3
    rules = Rules([Cap("brand", codes, 2)], [Need("one of the last", those, 1)], factor=1 + found.item_idx / 9)
    drawn = draw(found, GOALS, WEIGHTS, 3, 0.15, np.random.default_rng(seed), rules)
    slates, at, counts = np.unique(drawn.places, axis=0, return_inverse=True, return_counts=True)
    logged = drawn.propensity.prod(1)
    odds = np.array([logged[at == number].mean() for number in range(len(slates))])
    assert all(np.ptp(logged[at == number]) < 1e-6 for number in range(len(slates)))
    assert odds.sum() == pytest.approx(1.0, abs=1e-3)
    assert stats.chisquare(counts, odds / odds.sum() * draws).pvalue > 1e-3
