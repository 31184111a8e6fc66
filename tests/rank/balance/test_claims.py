"""What each balancer claims holds over random gradients and losses, and what it does not claim fails somewhere."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from paretail.core.rng import rng_for
from paretail.rank.balance import BALANCERS, Claims, balancer

STEPS, SEEDS = 5, range(40)
UNITS = np.array([1000.0, 1.0, 0.02, 1.0])


def gradients(seed: int, tasks: int) -> list[np.ndarray]:
    rng = rng_for(f"tests/balance/{tasks}", seed)
    return [rng.standard_normal((tasks, tasks + 2)) * 10 ** rng.uniform(-1, 1, (tasks, 1)) for _ in range(STEPS)]


def losses_of(seed: int, tasks: int) -> np.ndarray:
    return rng_for("tests/losses", seed).uniform(0.1, 2.0, (STEPS, tasks))


def play(
    name: str, J: list[np.ndarray], losses: np.ndarray, units: np.ndarray | float = 1.0, **settings: Any
) -> np.ndarray:
    """Return the weights of each step, with every loss multiplied by its unit."""
    asked = balancer(name, [f"task {n}" for n in range(losses.shape[1])], settings)
    column = np.broadcast_to(units, losses.shape[1:])[:, None]
    return np.array([asked.weigh((column * j) @ (column * j).T, units * row) for j, row in zip(J, losses, strict=True)])


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def holds(name: str, claim: str, seed: int) -> bool:
    """Whether a property holds in one random run."""
    tasks = 2 + seed % 3
    J, losses = gradients(seed, tasks), losses_of(seed, tasks)
    if claim == "stationary":
        J = [_in_conflict(j) for j in J]
    w = play(name, J, losses)
    if claim == "simplex":
        return bool(np.allclose(w.sum(1), 1))
    if claim == "scale_invariant":
        units = UNITS[:tasks]
        other = play(name, J, losses, units) * units
        return all(cosine(a @ j, b @ j) > 0.9999 for a, b, j in zip(w, other, J, strict=True))
    if claim == "harms_none":
        return all(
            (j @ (a @ j) >= -1e-7 * np.linalg.norm(j, axis=1) * np.linalg.norm(j)).all()
            for a, j in zip(w, J, strict=True)
        )
    if claim == "stationary":
        return all(np.linalg.norm(a @ j) < 1e-4 * (a @ np.linalg.norm(j, axis=1)) for a, j in zip(w, J, strict=True))
    order = np.roll(np.arange(tasks), 1)
    return bool(np.allclose(play(name, [j[order] for j in J], losses[:, order]), w[:, order], rtol=1e-4, atol=1e-6))


def _in_conflict(J: np.ndarray) -> np.ndarray:
    """The last gradient becomes minus a positive sum of the others: who gains, gains at others' cost."""
    shares = np.abs(J[:-1, 0]) + 0.5
    return np.vstack([J[:-1], -shares @ J[:-1]])


CASES = [(name, field.name) for name in BALANCERS for field in fields(Claims)]


@pytest.mark.parametrize(("name", "claim"), CASES, ids=lambda value: value)
def test_what_is_claimed_holds_and_what_is_not_fails(name: str, claim: str) -> None:
    claimed = getattr(BALANCERS[name].claims, claim)
    found = [holds(name, claim, seed) for seed in SEEDS]
    assert all(found) is claimed, [seed for seed, good in zip(SEEDS, found, strict=True) if not good]


@pytest.mark.parametrize("name", BALANCERS)
def test_weights_are_finite_and_never_negative(name: str) -> None:
    for seed in SEEDS:
        for make in (lambda j: j, _in_conflict, np.ones_like, np.zeros_like):
            w = play(name, [make(j) for j in gradients(seed, 3)], losses_of(seed, 3))
            assert (np.isfinite(w) & (w >= 0)).all()


@pytest.mark.parametrize("name", [n for n, b in BALANCERS.items() if "unit_gradients" in b.config_type.model_fields])
def test_with_unit_gradients_a_loss_needs_no_scaling(name: str) -> None:
    J, losses, units = gradients(1, 3), losses_of(1, 3), UNITS[:3]
    plain = play(name, J, losses, unit_gradients=True)
    np.testing.assert_allclose(play(name, J, losses, units, unit_gradients=True) * units, plain, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", BALANCERS)
def test_a_balancer_is_pure_and_goes_on_from_its_state(name: str) -> None:
    J, losses = gradients(3, 3), losses_of(3, 3)
    asked = balancer(name, ["a", "b", "c"])
    state: Any = {}
    for j, row, w in zip(J, losses, play(name, J, losses), strict=True):
        first, after = asked.weights(j @ j.T, row, state)
        again, _ = asked.weights(j @ j.T, row, state)
        np.testing.assert_array_equal(first, w)
        np.testing.assert_array_equal(again, w)
        state = after


@pytest.mark.parametrize("name", BALANCERS)
def test_a_task_without_examples_in_a_batch_stops_no_other(name: str) -> None:
    """Its gradient and its loss are zero: the others go on as if it were not there."""
    J, losses = gradients(4, 3), losses_of(4, 3)
    for j in J:
        j[1] = 0
    losses[:, 1] = 0
    w = play(name, J, losses)
    alone = play(name, [j[[0, 2]] for j in J], losses[:, [0, 2]])
    assert (w[:, [0, 2]].sum(1) > 0).all()
    if BALANCERS[name].claims.equivariant:
        shares = w[:, [0, 2]] / w[:, [0, 2]].sum(1, keepdims=True)
        np.testing.assert_allclose(shares, alone / alone.sum(1, keepdims=True), rtol=1e-6)
