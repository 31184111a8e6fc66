"""Policies in the simulator: rollouts pair, the oracle's values are true, greed loses the visit."""

from functools import lru_cache
from itertools import permutations

import numpy as np
import pytest

from paretail.core.rng import rng_for
from paretail.sim.observe import Observation
from paretail.sim.oracle import Greedy, Planner, exhaustive, plan_value
from paretail.sim.rivals import Constant, Informed, Popular, Random, Relevant, Rested
from paretail.sim.rollout import Rollout, difference, rollout
from paretail.sim.truth import SimConfig, grow
from paretail.sim.visits import Reward, VisitConfig, Visits

RIVALS: dict[str, type[Informed]] = {
    "constant": Constant, "random": Random, "popular": Popular, "relevant": Relevant, "greedy": Greedy,
    "rested": Rested,
}  # fmt: skip


@lru_cache
def shop(slots: int = 10, items: int = 400) -> Visits:
    return Visits(grow(SimConfig(users=200, items=items), rng_for("sim/truth", 3)), VisitConfig(slots=slots))


@lru_cache
def values() -> dict[str, Rollout]:
    return {name: rollout(shop(), rival(shop()), 120, seed=1) for name, rival in RIVALS.items()}


@pytest.mark.parametrize("greed", ["greedy", "relevant"])
def test_greed_loses_the_visit_to_a_heuristic_that_varies(greed: str) -> None:
    gain, error = difference(values()["rested"], values()[greed])
    assert gain - 2 * error > 0.15 * values()[greed].reward.mean()


def test_rivals_stand_in_the_order_that_they_should() -> None:
    reward = {name: run.reward.mean() for name, run in values().items()}
    assert reward["constant"] < reward["random"] < reward["popular"] < reward["rested"]
    assert reward["popular"] < reward["relevant"]


def test_greed_wins_the_first_step() -> None:
    visits, rng = shop(), np.random.default_rng(0)
    state = visits.start(np.arange(100, dtype=np.int32))
    first = {
        name: visits.chances(state, rival(visits).slate(state, rng)).goals()[:, :2].sum(1)
        for name, rival in RIVALS.items()
    }
    for name, worth in first.items():
        assert (first["greedy"] >= worth - 1e-9).all(), name


def test_greed_is_close_to_the_best_of_all_slates() -> None:
    visits = shop(slots=3)
    items = np.flatnonzero(visits.truth.on_sale() & (visits.leaf < 2))[:7]
    state = visits.start(np.arange(20, dtype=np.int32))
    fixed = np.full(state.tastes.appeal.shape, -np.inf)
    fixed[:, items] = state.tastes.appeal[:, items] + 2.0
    state.tastes.appeal[:] = fixed
    every = [visits.chances(state, np.tile(np.array(s, dtype=np.int32), (20, 1))) for s in permutations(items, 3)]
    best = np.max([chances.goals()[:, :2].sum(1) for chances in every], axis=0)
    greedy = visits.chances(state, Greedy(visits).slate(state, np.random.default_rng(0))).goals()[:, :2].sum(1)
    assert (greedy >= 0.97 * best).all()
    assert greedy.mean() >= 0.995 * best.mean()


def test_the_value_of_a_plan_is_what_it_earns() -> None:
    visits = shop()
    state = visits.start(np.arange(1, dtype=np.int32))
    plan = [np.flatnonzero(visits.truth.on_sale())[None, 10 * t : 10 * t + 10].astype(np.int32) for t in range(30)]
    expected = plan_value(visits, state, plan)[0]

    class Told(Informed):
        def slate(self, state, rng):  # type: ignore[no-untyped-def]
            return np.tile(plan[int(state.step.max())], (len(state), 1))

    run = rollout(visits, Told(visits), 1500, seed=9, users=np.array([0], dtype=np.int32))
    error = run.reward.std() / np.sqrt(len(run.reward))
    assert abs(run.reward.mean() - expected) < 4 * error


def test_the_planner_beats_greed_and_no_plan_beats_the_best_of_all() -> None:
    visits = shop()
    state = visits.start(np.arange(10, dtype=np.int32))
    planner = Planner(visits, prices=(0.0, 8.0))
    greed, patience = planner.value(state, 0.0), planner.value(state, 8.0)
    assert (patience > greed).mean() >= 0.8
    favourites = [Relevant(visits).slate(state, np.random.default_rng(0))[0], np.arange(10), np.arange(20, 30)]
    best, order = exhaustive(visits, state, favourites, steps=3)
    for name in ([0, 0, 0], [0, 1, 2], [1, 0, 2]):
        plan = [np.tile(favourites[i], (10, 1)) for i in name]
        assert (best >= plan_value(visits, state, plan) - 1e-12).all()
    assert order.shape == (10, 3)


def test_the_planner_chooses_a_price_for_each_user_once_a_visit() -> None:
    visits = shop(items=120)
    planner = Planner(visits, prices=(0.0, 8.0))
    run = rollout(visits, planner, 40, seed=2)
    greed = rollout(visits, Greedy(visits), 40, seed=2)
    assert difference(run, greed)[0] > 0
    np.testing.assert_array_equal(rollout(visits, planner, 40, seed=2).goals, run.goals)


def test_rollouts_are_repeatable_paired_and_less_uncertain_together() -> None:
    again = rollout(shop(), Random(shop()), 120, seed=1)
    np.testing.assert_array_equal(again.goals, values()["random"].goals)
    one, other = values()["popular"], values()["relevant"]
    np.testing.assert_array_equal(one.user, other.user)
    apart = np.hypot(one.mean()["reward"][1], other.mean()["reward"][1])
    assert difference(one, other)[1] < apart
    with pytest.raises(ValueError, match="other users"):
        difference(one, rollout(shop(), Random(shop()), 20, seed=1))


def test_a_policy_may_be_any_callable_that_sees_what_a_shop_sees() -> None:
    visits, resets = shop(), []

    class Policy:
        def __call__(self, seen: Observation) -> np.ndarray:
            assert {name: len(rows) for name, rows in seen.items()} == dict.fromkeys(seen, 30)
            return np.tile(np.arange(10), (30, 1))

        def reset(self) -> None:
            resets.append(1)

    run = rollout(visits, Policy(), 30, seed=4, reward=Reward(clicks=0, purchases=0, staying=1))
    assert resets == [1]
    np.testing.assert_array_equal(run.reward, run.slates - 1)
    assert set(run.mean()) == {"clicks", "purchases", "revenue", "profit", "staying", "reward", "slates"}
