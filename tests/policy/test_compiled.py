"""Compiled composition gives the slates of the plain way, which goals of a shop's own still take."""

import numpy as np
import pytest

from paretail.policy import compiled
from paretail.policy.objectives import OBJECTIVES, objective
from paretail.policy.objectives.base import Gains, Objective, Plain
from paretail.policy.pool import Pool
from paretail.policy.rules import Cap, Need, Pin, Rules
from paretail.policy.slate import RULED_PASSES, Total, _most_seen_first, _slot_by_slot, compose
from tests.policy.pools import pool

GOALS = {name: objective(name) for name in OBJECTIVES}


def _plain(found: Pool, weights: dict[str, object], k: int, rules: Rules) -> np.ndarray:
    total = Total(found, GOALS, weights, k, rules)  # type: ignore[arg-type]
    places = np.full((found.shape[0], k), -1, np.int32)
    _slot_by_slot(places, found, total, rules, RULED_PASSES if rules.may_clash else 1)
    return _most_seen_first(places, total, rules)


def _rules(rng: np.random.Generator, found: Pool, k: int) -> Rules:
    users, cands = found.shape
    codes = found.of(found.wares.labels["category"])
    caps = [Cap("cap", np.where(found.valid, codes, -1), int(rng.integers(1, 4)))] * int(rng.integers(0, 2))
    needs = [Need("need", rng.random((users, cands)) < 0.2, int(rng.integers(1, 4)))] * int(rng.integers(0, 3))
    pins = [Pin("pin", int(rng.integers(0, k + 2)), rng.integers(-1, cands, users).astype(np.int32))]
    factor = rng.uniform(0.5, 2, (users, cands)).astype(np.float32)
    return Rules(caps, needs, pins * int(rng.integers(0, 2)), factor if rng.random() < 0.5 else None)


@pytest.mark.parametrize("seed", range(60))
def test_slates_are_those_of_the_plain_way(seed: int) -> None:
    rng = np.random.default_rng(seed)
    users, cands, k = int(rng.integers(1, 5)), int(rng.integers(3, 40)), int(rng.integers(1, 12))
    cands += 60 * (seed % 6 == 5)
    found = pool(users=users, cands=cands, seed=seed, attention=1 / (1 + 0.3 * np.arange(20)))
    if seed % 4 == 0:
        found.item_idx[:, cands // 2 :] = -1
    names = rng.permutation(list(GOALS))[: int(rng.integers(2, 6))].tolist()
    money = {"revenue", "profit"}
    weights = {name: rng.uniform(0, 1, users) * (1e-4 if name in money else 1.0) for name in [*names, "diversity"]}
    rules = _rules(rng, found, k) if seed % 2 else Rules()
    np.testing.assert_array_equal(compose(found, GOALS, weights, k, rules), _plain(found, weights, k, rules))


class _Odd(Objective[Plain]):
    """A goal of a shop's own that depends on the other items: the second of two neighbours in the pool is unwelcome."""

    unit = "neighbours"
    additive = False

    def gains(self, pool: Pool, k: int) -> Gains:
        return _Neighbours(np.zeros(pool.shape, np.float32))


class _Neighbours(Gains):
    def add(self, places: np.ndarray, slot: int) -> None:
        for user, place in enumerate(places.tolist()):
            self.now[user, [near for near in (place - 1, place + 1) if 0 <= near < self.now.shape[1]]] -= 1

    def drop(self, places: np.ndarray, slot: int) -> None:
        for user, place in enumerate(places.tolist()):
            self.now[user, [near for near in (place - 1, place + 1) if 0 <= near < self.now.shape[1]]] += 1


def test_goals_of_a_shops_own_are_composed_as_well() -> None:
    found = pool(users=2, cands=20)
    places = compose(found, {**GOALS, "odd": _Odd(Plain())}, {"clicks": 1e-3, "odd": 1.0, "diversity": 1e-3}, 5)
    assert (np.diff(np.sort(places, axis=1), axis=1) > 1).all()


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_whatever_rules_bring_the_kernel_is_compiled_once(kind: type) -> None:
    """A second kind of numbers would compile half a minute again, in the middle of somebody's question."""
    found = pool(users=2, cands=20)
    needs = [Need("need", np.ones((2, 1), bool), 2), Need("also", found.valid[:, ::-1].copy(order="F"), 1)]
    rules = Rules([Cap("cap", np.zeros((1, 20), np.int64), 3)], needs, [], np.full(found.shape, 2, kind))
    compose(found, GOALS, {"clicks": 1.0, "diversity": 0.1}, 5, rules)
    compose(found, GOALS, {"clicks": 1.0, "diversity": 0.1}, 5, Rules())
    assert len(compiled._fill_all.signatures) == 1
