"""Composition: exact where it can be, near the best of all slates elsewhere, and within its rules."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from paretail.policy.compositions import GREEDY, How
from paretail.policy.explore import draw
from paretail.policy.objectives import OBJECTIVES, objective
from paretail.policy.pool import Pool
from paretail.policy.rules import Cap, Need, Pin, Rules
from paretail.policy.slate import compose, pulls
from tests.policy.pools import pool

GOALS = {name: objective(name) for name in OBJECTIVES}


def _worth(found: Pool, weights: dict[str, float], places: np.ndarray) -> np.ndarray:
    return sum(weight * GOALS[name].value(found, places) for name, weight in weights.items())  # type: ignore[return-value]


def _best(found: Pool, weights: dict[str, float], k: int) -> np.ndarray:
    """Return the worth of the best of all slates, `[users]`."""
    every = np.array(list(permutations(range(found.shape[1]), k)), np.int32)
    return np.array([
        _worth(found.rows(np.full(len(every), user)), weights, every).max() for user in range(found.shape[0])
    ])  # fmt: skip


@pytest.mark.parametrize(
    "weights", [{"clicks": 1.0}, {"clicks": 1.0, "purchases": 3.0}, {"revenue": 1.0, "profit": 2.0}]
)
def test_additive_goals_are_composed_exactly(weights: dict[str, float]) -> None:
    found = pool(cands=7)
    np.testing.assert_allclose(
        _worth(found, weights, compose(found, GOALS, weights, 4)), _best(found, weights, 4), 1e-5
    )


@pytest.mark.parametrize("weights", [
    {"clicks": 1.0, "diversity": 0.3}, {"purchases": 1.0, "distance": 0.5}, {"reach": 1.0},
    {"calibration": 1.0, "clicks": 1.0},
    {"clicks": 0.5, "novelty": 0.1, "diversity": 0.1}, {"revenue": 1e-3, "coverage": 0.5},
])  # fmt: skip
def test_other_goals_are_within_a_hundredth_of_the_best(weights: dict[str, float]) -> None:
    told, best = [], []
    for seed in range(8):
        found = pool(cands=8, seed=seed)
        told.append(_worth(found, weights, compose(found, GOALS, weights, 4)))
        best.append(_best(found, weights, 4))
    gap = (np.array(best) - np.array(told)).mean() / np.abs(best).mean()
    assert -1e-6 <= gap < 0.01


def test_weights_may_differ_by_user() -> None:
    found = pool(users=2)
    both = compose(found, GOALS, {"clicks": np.array([1.0, 0.0]), "novelty": np.array([0.0, 1.0])}, 4)
    for user, weights in enumerate(({"clicks": 1.0}, {"novelty": 1.0})):
        alone = compose(found.rows(np.array([user])), GOALS, weights, 4)
        assert set(both[user]) == set(alone[0])


def test_a_pool_that_is_too_small_leaves_slots_empty() -> None:
    found = pool(users=1, cands=5)
    found.item_idx[0, 2:] = -1
    places = compose(found, GOALS, {"clicks": 1.0, "diversity": 1.0}, 4)
    assert sorted(places[0]) == [-1, -1, 0, 1]
    assert (places[0][:2] >= 0).all()


def test_nothing_is_shown_twice() -> None:
    places = compose(pool(users=20), GOALS, {"clicks": 1.0, "distance": 1.0, "coverage": 1.0}, 10)
    assert all(len(set(row)) == 10 for row in places.tolist())


def test_caps_hold() -> None:
    found = pool(users=10, cands=12)
    codes = found.of(found.wares.labels["brand"])
    rules = Rules(caps=[Cap("brand", codes, 2)])
    for weights in ({"clicks": 1.0}, {"clicks": 1.0, "diversity": 1.0}):
        places = compose(found, GOALS, weights, 5, rules)
        assert max(np.bincount(row).max() for row in np.take_along_axis(codes, places, 1)) <= 2
        assert rules.broken(places) == [[] for _ in range(10)]


def test_needs_are_met_and_those_that_cannot_be_are_told() -> None:
    found = pool(users=4, cands=12)
    worst = found.p_click.argsort(1)[:, :3]
    those = np.zeros(found.shape, bool)
    np.put_along_axis(those, worst, True, 1)
    rules = Rules(needs=[Need("two of the worst", those, 2)])
    places = compose(found, GOALS, {"clicks": 1.0}, 5, rules)
    assert (np.take_along_axis(those, places, 1).sum(1) == 2).all()
    impossible = Rules(needs=[Need("four of three", those, 4)])
    places = compose(found, GOALS, {"clicks": 1.0}, 5, impossible)
    assert impossible.broken(places) == [["four of three"]] * 4
    assert (places >= 0).all()


def test_pins_hold_their_slot_and_what_is_no_candidate_is_told() -> None:
    found = pool(users=2)
    place = np.array([7, -1], np.int32)
    rules = Rules(pins=[Pin("item at 2", 1, place)])
    places = compose(found, GOALS, {"clicks": 1.0, "diversity": 1.0}, 4, rules)
    assert places[0, 1] == 7
    assert (places[0] == 7).sum() == 1
    assert rules.broken(places) == [[], ["item at 2"]]


@pytest.mark.parametrize("how", [GREEDY, How("mmr", 0.5), How("dpp", 0.5)], ids=lambda how: how.composition)
@pytest.mark.parametrize("weights", [{"clicks": 1.0}, {"clicks": 1.0, "diversity": 1.0}], ids=str)
def test_what_is_pinned_later_counts_from_the_start(weights: dict[str, float], how: How) -> None:
    """A cap of one and a pin of the group: the slot before leaves it to the pin; slots that pins take fill no need."""
    found = pool(users=3, cands=12)
    best, worst = found.p_click.argsort(1)[:, -3:], found.p_click.argsort(1)[:, :2].astype(np.int32)
    of_brand, those = np.full(found.shape, -1, np.int32), np.zeros(found.shape, bool)
    np.put_along_axis(of_brand, best, 0, 1)
    np.put_along_axis(those, worst, True, 1)
    pins = [Pin("best", 1, best[:, -1].astype(np.int32)), Pin("second", 2, best[:, -2].astype(np.int32))]
    rules = Rules([Cap("brand", of_brand, 2)], [Need("one of the worst", those, 1)], pins)
    none = np.random.default_rng(0)
    for places in (
        compose(found, GOALS, weights, 3, rules, how=how),
        draw(found, GOALS, weights, 3, 0.1, none, rules, how).places,
    ):
        assert rules.broken(places) == [[], [], []]


def test_a_cap_gives_way_where_nothing_else_is_left() -> None:
    found = pool(users=1, cands=5)
    rules = Rules(caps=[Cap("one brand", np.zeros((1, 5), np.int32), 2)])
    places = compose(found, GOALS, {"clicks": 1.0}, 4, rules)
    assert (places >= 0).all()
    assert rules.broken(places) == [["one brand"]]


def test_boosted_items_rise_and_buried_ones_fall() -> None:
    found = pool(users=1)
    factor = np.ones(found.shape, np.float32)
    last, first = found.p_click[0].argmin(), found.p_click[0].argmax()
    factor[0, last], factor[0, first] = 1e6, 1e-6
    places = compose(found, GOALS, {"clicks": 1.0}, 4, Rules(factor=factor))
    assert places[0, 0] == last
    assert first not in places[0]


@pytest.mark.parametrize("lonely", [0.0, 0.01, 0.5])
def test_what_loses_money_is_boosted_and_buried_like_anything_else(lonely: float) -> None:
    found = pool(users=1)
    margin = np.full(found.wares.items, -0.5, np.float32)
    found = replace(found, wares=replace(found.wares, margin=margin))
    loss = -objective("profit").gains(found, 4).now[0]
    order = np.argsort(loss)
    factor = np.ones(found.shape, np.float32)
    factor[0, order[-1]], factor[0, order[0]] = 1e4, lonely
    places = compose(found, {"profit": objective("profit")}, {"profit": 1.0}, 4, Rules(factor=factor))
    assert places[0, 0] == order[-1]  # boosted: the greatest loss comes first all the same
    assert order[0] not in places[0] or lonely == 0.5


def test_pulls_name_the_goal_for_which_an_item_is_there() -> None:
    found = pool(users=1)
    weights = {"clicks": 1.0, "novelty": 0.4}
    places = compose(found, GOALS, weights, 6)
    told = pulls(found, GOALS, weights, places)
    p, rare = found.p_click[0], -np.log2(found.of(found.wares.seen_by)[0])
    for slot, place in enumerate(places[0].tolist()):
        by = {"clicks": (p[place] - p.mean()) * found.attention[slot], "novelty": 0.4 * (rare[place] - rare.mean()) / 6}
        assert {name: told[name][0, slot] for name in told} == pytest.approx(by, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_pool_narrowed_to_its_slate_is_worth_the_same(name: str) -> None:
    found = pool()
    places = np.array([[3, 1, 7, -1], [0, 5, 4, 9], [11, 2, -1, 8]], np.int32)
    near = found.narrowed(np.concatenate([places, [[6, 10]] * 3], axis=1).astype(np.int32))
    there = np.where(places >= 0, np.arange(4), -1).astype(np.int32)
    np.testing.assert_allclose(GOALS[name].value(near, there), GOALS[name].value(found, places), rtol=1e-5, atol=1e-6)
