"""Rests: clicks that count, rules in scores, and that a rule which users live by is read off what was played."""

from copy import deepcopy
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from paretail.core.rng import rng_for  # noqa: E402
from paretail.policy.agents import SlatePPO  # noqa: E402
from paretail.policy.agents.hands import Hands  # noqa: E402
from paretail.policy.agents.items import items_of  # noqa: E402
from paretail.policy.agents.rests import Rests, proposed  # noqa: E402
from paretail.policy.agents.sessions import Player, tensors  # noqa: E402
from paretail.policy.agents.slates import composed  # noqa: E402
from paretail.policy.agents.trials import Start, changed, greedy, merged, ruled  # noqa: E402

from .worlds import Bored  # noqa: E402


class FedUp(Bored):
    """Single items; three clicks on a kind among the last six steps, and nothing is clicked for four."""

    def __init__(self) -> None:
        super().__init__(slots=1)
        self.like = np.array([0.9, 0.8, 0.7, 0.05, 0.05])

    def reset(self, **how: Any) -> tuple[Any, dict[str, Any]]:
        self.kinds, self.silent = [-1] * 6, 0
        return super().reset(**how)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        kind, self.step_ = int(self.kind[action]), self.step_ + 1
        clicked = self.silent == 0 and self.np_random.random() < self.like[kind]
        self.silent = max(0, self.silent - 1)
        self.kinds = [*self.kinds[1:], kind if clicked else -1]
        if self.kinds.count(kind) >= 3:
            self.silent, self.kinds = 4, [-1] * 6
        self.last, self.clicked = np.array([action]), np.array([clicked], np.int8)
        return self._look(), float(clicked), False, self.step_ >= 40, {}


@pytest.fixture(scope="module")
def played() -> tuple[SlatePPO, list[Any]]:
    env = FedUp()
    settings = {"dim": 16, "probe": 200, "probe_share": 0.5, "kept": 40, "trial": 0}
    agent = SlatePPO(env.observation_space, env.item_vectors, 1, settings)
    agent.learn(env, 300, seed=0)
    player = Player(agent, agent._fitted(env, 0), 0, rng_for("test", 0))
    way, rng = greedy(agent, Start(doubt=0.5)), rng_for("test/rests", 0)
    one = player.play(800, lambda state: (way(state), np.zeros((1, 1))), rng)
    return agent, [one]


def test_clicks_count_by_how_many_came_since_and_by_age() -> None:
    items = items_of(np.eye(2, dtype=np.float32)[np.arange(40) % 2], 24, 24)
    rows = torch.tensor([[0, 1, 2, 4, 3, 6, -1, -1]], dtype=torch.int32)
    clicked = torch.tensor([[1.0, 0, 1, 1, 1, 1, 0, 0]])
    rests = Rests(items, 2)
    even, odd = rests.group[0], rests.group[1]
    for last, within, expected in ((10, 4, (4, 1)), (3, 4, (3, 0)), (4, 4, (3, 1)), (10, 1, (1, 0))):
        found = rests.counts(rows, clicked, last, within)[0]
        assert (found[even], found[odd]) == expected
    assert rests(rows, clicked).sum() == 0  # no rule


def test_a_rule_takes_the_groups_that_had_enough_and_both_ways_to_fill_slates_agree() -> None:
    env = Bored(slots=3)
    agent = SlatePPO(env.observation_space, env.item_vectors, 3, {"dim": 16, "kept": 12})
    start = Start(doubt=0.3, most=1, last=5, within=2)
    scorer = merged(agent.response.scorer, start)
    agent._sessions = None
    memory = agent.memory(1)
    memory.note(np.array([[0, 1, 2]]), np.array([[1, 0, 0]], np.float32), 0.5)
    state = {"obs": np.zeros((1, agent.reader.width), np.float32), "aim": agent.aims(1, None), **memory.state()}
    hands = Hands(agent.items, agent.eyes, [scorer], lambda parts: parts[0])
    rows = hands.composed(state, 3, None)[0][0]
    assert env.kind[0] not in env.kind[rows]
    assert len(set(env.kind[rows])) == 3  # and no two of a kind in the slate
    model: Any = type("One", (), {"scorers": [scorer], "mix": staticmethod(lambda parts: parts[0])})()
    assert composed(model, agent.eyes(tensors(state)), 3)[0][0].tolist() == rows.tolist()


def test_the_rule_that_users_live_by_is_found_and_pays(played: tuple[SlatePPO, list[Any]]) -> None:
    agent, rounds = played
    most, last, within = proposed(agent, rounds, 3)[0]
    assert (most, within) == (2, 5) or (most == 2 and 4 <= within <= 10)
    starts = ruled(agent, rounds, Start(again=1.0))
    assert starts[0] == Start(most=most, last=last, within=within)
    assert starts[-1].again == 1.0
    silent = deepcopy(rounds[0])
    silent.clicks = np.ones_like(silent.clicks)
    assert proposed(agent, [silent], 3) == []  # nothing stays away


def test_changed_rules_are_of_sizes_that_can_be() -> None:
    rng, start = np.random.default_rng(0), Start(most=1, last=5, within=3)
    for _ in range(40):
        start = changed(start, rng)
        assert start.most >= 1
        assert 0 < start.each <= 1
