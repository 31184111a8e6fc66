"""Agents among candidates: none but these are shown, in the agent's own order, by every kind of agent."""

import numpy as np
import pytest

pytest.importorskip("torch")

from paretail.policy.agents import AGENTS, FROM_LOGS
from paretail.policy.agents.restricted import best_of
from paretail.policy.agents.sessions import Sessions

from .worlds import Bored

KINDS = {**AGENTS, **FROM_LOGS}


@pytest.mark.parametrize("name", KINDS)
def test_only_candidates_are_shown_and_all_of_them_in_the_agents_order(name: str) -> None:
    env = Bored()
    agent = KINDS[name](env.observation_space, env.item_vectors, 3, {"dim": 8, "kept": 12})
    seen = agent.reader.raw(env.reset(seed=0)[0], 1)
    state = Sessions(agent, 1).state(seen)
    some = np.array([3, 8, 11, 20, 31], np.int64)
    found = best_of(agent, state, some, 4)
    assert len(set(found.tolist())) == 4
    assert set(found.tolist()) <= set(some.tolist())
    every = best_of(agent, state, np.arange(env.items), 3)
    own, _ = agent.hands.composed(state, 3, None)
    assert (every == own[0]).all()
