"""Goals as functions of a set: the slates of plain greedy with fewer questions; who says submodular is."""

from typing import Any

import numpy as np
import pytest

from paretail.policy import PolicyError
from paretail.policy.objectives import OBJECTIVES, objective
from paretail.policy.objectives.base import Objective, Plain
from paretail.policy.objectives.sets import SetObjective
from paretail.policy.pool import Pool
from paretail.policy.rules import Cap, Need, Rules
from paretail.policy.slate import compose
from tests.policy.pools import pool

GOALS = {name: objective(name) for name in OBJECTIVES}
TOPICS = 12


class Topics(SetObjective[Plain]):
    """How many topics a slate covers; in whole numbers, so that many candidates are equal."""

    unit = "topics"
    submodular = True

    def __init__(self, config: Plain = Plain()) -> None:  # noqa: B008  # frozen
        super().__init__(config)
        self.asked = 0

    def worth(self, pool: Pool, user: int, places: tuple[int, ...]) -> float:
        self.asked += 1
        items = pool.item_idx[user, list(places)].tolist()
        return float(len({topic for item in items for topic in (item % TOPICS, 7 * item % TOPICS, item // 9)}))


class Plainly(Topics):
    """The same, without saying so."""

    submodular = False


class Company(SetObjective[Plain]):
    """Items are worth more together: it says that they are not."""

    unit = "pairs"
    submodular = True

    def worth(self, pool: Pool, user: int, places: tuple[int, ...]) -> float:
        return float(len(places) * (len(places) - 1) / 2)


def _rules(found: Pool, seed: int) -> Rules:
    cap = Cap("brand", found.of(found.wares.labels["brand"]), 2)
    need = Need("some", np.random.default_rng(seed).random(found.shape) < 0.3, 2)
    return [Rules(), Rules([cap]), Rules([cap], [need])][seed % 3]


@pytest.mark.parametrize("seed", range(12))
def test_lazy_slates_are_the_plain_ones_ties_and_all(seed: int) -> None:
    found = pool(users=3, cands=40, seed=seed)
    if seed % 4 == 0:
        found.item_idx[:, 25:] = -1
    weights = {"topics": 1.0} | ({"clicks": 0.5, "diversity": 1.0} if seed % 2 else {})
    lazy, plain = Topics(), Plainly()
    rules = _rules(found, seed)
    slates = [compose(found, {**GOALS, "topics": goal}, weights, 6, rules) for goal in (lazy, plain)]
    np.testing.assert_array_equal(*slates)
    assert lazy.asked < plain.asked
    assert (lazy.value(found, slates[0]) == super(SetObjective, lazy).value(found, slates[0])).all()


def test_many_candidates_are_hardly_asked_again() -> None:
    found, lazy, plain = pool(users=1, cands=500, seed=1), Topics(), Plainly()
    for goal in (lazy, plain):
        compose(found, {**GOALS, "topics": goal}, {"topics": 1.0, "clicks": 20.0}, 10)
    assert lazy.asked < plain.asked / 5


def test_a_weight_below_nothing_is_composed_plainly() -> None:
    found = pool(users=2, cands=20)
    slates = [compose(found, {**GOALS, "topics": goal}, {"topics": -1.0, "clicks": 1.0}, 5)
              for goal in (Topics(), Plainly())]  # fmt: skip
    np.testing.assert_array_equal(*slates)


def test_who_says_submodular_and_is_not_is_refused() -> None:
    Topics().check(pool(users=5, cands=20))
    with pytest.raises(PolicyError, match=r"(?s)Company.*POL-13"):
        Company(Plain()).check(pool(users=5, cands=20))


def _grows(goal: Objective[Any], seed: int) -> bool:
    """Say whether some candidate adds more to a larger slate than to its beginning."""
    rng, found = np.random.default_rng(seed), pool(users=4, cands=20, seed=seed)
    gains = goal.gains(found, 6)
    before, grown = gains.now.copy(), False
    order = np.array([rng.permutation(20) for _ in range(4)], np.int32)
    for slot in range(6):
        gains.add(order[:, slot], slot)
        left = np.arange(20)[None] != order[:, : slot + 1, None]
        grown |= bool((gains.now - before > 1e-6)[left.all(1)].any())
        before = gains.now.copy()
    return grown


@pytest.mark.parametrize("name", OBJECTIVES)
def test_goals_say_whether_they_are_submodular(name: str) -> None:
    assert GOALS[name].submodular == (not any(_grows(GOALS[name], seed) for seed in range(10)))
