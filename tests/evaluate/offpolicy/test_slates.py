"""Slate estimators are exact in expectation where their assumption holds: the expectation is summed over all slates."""

from itertools import permutations, product

import numpy as np
import pytest

from paretail.evaluate.offpolicy.slates import (
    cascade,
    independent_weights,
    item_position,
    listed_weights,
    pseudo_inverse,
    standard,
)

from .logs import Array

ITEMS, SLOTS = 4, 3
SLATES = np.array(list(permutations(range(ITEMS), SLOTS)))
LOGGING, TARGET = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.1, 0.2, 0.3, 0.4])
RNG = np.random.default_rng(0)
WORTH = RNG.random((SLOTS, ITEMS))
APART = np.stack([WORTH[k, SLATES[:, k]] for k in range(SLOTS)], axis=1)


def steps(policy: Array) -> Array:
    """Return the probability of each item of each slate given those above it, drawn without replacement."""
    left = 1 - np.cumsum(policy[SLATES], axis=1) + policy[SLATES]
    out: Array = policy[SLATES] / left
    return out


def marginals(policy: Array) -> Array:
    """Return the probability of each slate's item at its position, whatever stands elsewhere."""
    chance = steps(policy).prod(axis=1)
    return np.stack([np.bincount(SLATES[:, k], chance, ITEMS)[SLATES[:, k]] for k in range(SLOTS)], axis=1)


def expected(values: Array, policy: Array = LOGGING) -> float:
    return float(steps(policy).prod(axis=1) @ values)


def test_steps_are_probabilities() -> None:
    assert steps(LOGGING).prod(axis=1).sum() == pytest.approx(1)


def test_any_reward_is_exact_by_whole_slates() -> None:
    reward = RNG.random((len(SLATES), SLOTS))
    terms = standard(reward, steps(TARGET) / steps(LOGGING))
    assert expected(terms.base) == pytest.approx(expected(reward.sum(axis=1), TARGET))


def test_rewards_of_item_and_position_are_exact_by_marginals() -> None:
    terms = item_position(APART, marginals(TARGET) / marginals(LOGGING))
    assert expected(terms.base) == pytest.approx(expected(APART.sum(axis=1), TARGET))


def test_rewards_that_look_upwards_are_exact_by_the_cascade_and_not_by_marginals() -> None:
    seen = APART * np.cumprod(np.concatenate([np.ones((len(SLATES), 1)), 1 - APART[:, :-1]], axis=1), axis=1)
    truth = expected(seen.sum(axis=1), TARGET)
    terms = cascade(seen, steps(TARGET) / steps(LOGGING))
    ratios = [expected(terms.gain[:, k]) / expected(terms.norm[:, k]) for k in range(SLOTS)]
    assert sum(ratios) == pytest.approx(truth)
    apart = item_position(seen, marginals(TARGET) / marginals(LOGGING))
    assert abs(expected(apart.base) - truth) > 1e-3


def test_sums_of_item_position_worths_are_exact_by_the_pseudo_inverse() -> None:
    weights = listed_weights(SLATES, steps(LOGGING).prod(axis=1), steps(TARGET).prod(axis=1))
    total = APART.sum(axis=1)
    assert expected(pseudo_inverse(total, weights).base) == pytest.approx(expected(total, TARGET))
    assert expected(weights) == pytest.approx(1)
    scaled = pseudo_inverse(total, 2 * weights, normalised=True)
    assert scaled.value == pytest.approx(pseudo_inverse(total, weights, normalised=True).value)


def test_of_positions_drawn_apart_the_pseudo_inverse_has_a_closed_form() -> None:
    listed = np.array(list(product(range(ITEMS), repeat=SLOTS)))
    rho = TARGET[listed] / LOGGING[listed]
    found = listed_weights(listed, LOGGING[listed].prod(axis=1), TARGET[listed].prod(axis=1))
    assert found == pytest.approx(independent_weights(rho))


def test_of_one_slot_all_are_plain_importance_sampling() -> None:
    reward, rho = RNG.random((50, 1)), RNG.random((50, 1))
    plain = float(np.mean(reward * rho))
    assert standard(reward, rho).value == pytest.approx(plain)
    assert item_position(reward, rho).value == pytest.approx(plain)
    assert pseudo_inverse(reward[:, 0], independent_weights(rho)).value == pytest.approx(plain)
    assert cascade(reward, rho).value == pytest.approx(plain / float(np.mean(rho)))
