"""The gate: what it ships, what it keeps away, and how often it errs."""

import numpy as np
import pytest

from paretail.evaluate.offpolicy.estimators import dr, ips
from paretail.evaluate.offpolicy.guards import looked_at
from paretail.evaluate.offpolicy.logged import Logged
from paretail.evaluate.offpolicy.terms import Terms
from paretail.evaluate.release import Release, gate


def judged(seed: int, gain: float, rows: int = 4000, **settings: float) -> Release:
    """Judge a candidate worth 1 + gain of the incumbent: two actions, the better one more or less often."""
    rng = np.random.default_rng(seed)
    good = rng.random(rows) < 0.5
    reward = (rng.random(rows) < np.where(good, 0.6, 0.4)) * 1.0
    chance = 0.5 + 2.5 * gain  # .4 + .2 chance is (1 + gain) .5
    target = np.where(good, chance, 1 - chance)
    log = Logged(reward, np.full(rows, 0.5), target)
    return gate(ips(log), Terms.mean(reward), looked_at(log.weights), **settings)


def test_a_candidate_that_is_the_incumbent_ships_within_the_margin_only() -> None:
    found = judged(0, 0.0)
    assert found.low == pytest.approx(found.high, abs=0.01)
    assert found.verdict == "ship"
    assert found.candidate == pytest.approx(found.incumbent)


def test_bad_candidates_seldom_ship_and_good_ones_mostly() -> None:
    border = [judged(seed, -0.02, margin=0.02).verdict for seed in range(400)]
    assert border.count("ship") <= 20
    good = [judged(seed, 0.05, margin=0.02).verdict for seed in range(400)]
    assert good.count("ship") >= 240
    assert "keep" in {judged(seed, -0.15).verdict for seed in range(10)}


def test_more_candidates_make_the_gate_stricter() -> None:
    one, many = judged(1, 0.03), judged(1, 0.03, candidates=50)
    assert many.low < one.low
    assert many.high > one.high


def test_a_refused_candidate_starts_as_an_experiment() -> None:
    rewards = np.ones(1000)
    log = Logged(rewards, np.where(np.arange(1000) < 3, 0.001, 0.9), np.full(1000, 0.5), rewards, rewards)
    found = gate(dr(log), Terms.mean(rewards), looked_at(log.weights))
    assert found.verdict == "experiment"
    assert found.refused
    assert np.isnan(found.low)


def test_a_log_in_which_nothing_happened_ships_nothing() -> None:
    rows = 5000
    log = Logged(np.zeros(rows), np.full(rows, 0.5), np.where(np.arange(rows) % 2, 0.9, 0.1))
    found = gate(ips(log), Terms.mean(log.reward), looked_at(log.weights))
    assert found.verdict == "experiment"
    assert [problem.code for problem in found.refused] == ["OFFP-13"]


def test_losses_have_their_margin_on_the_side_of_losses() -> None:
    cost = Terms.mean(-np.random.default_rng(2).random(5000))
    assert gate(cost, cost, None, margin=0.02).verdict == "ship"
    assert gate(cost.times(1.5), cost, None, margin=0.02).verdict == "keep"
