"""Agents among candidates: the slate that an agent composes of some of its items alone.

Slates are filled greedily from the top, by the agent's scores. Deviations: 1. An agent that found drawing from its
policy better than its best slate (`ppo.py`) is greedy here; so whoever judges what will be served asks for that too
(`Agent.served`), and agents that learn for a service compare no other ways (`greedy`). 2. So is `SlateDQN` with
`choice = "one"`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretail.policy.agents.base import Agent
from paretail.policy.agents.hands import Hands
from paretail.policy.agents.memory import State
from paretail.policy.agents.sessions import Rows


class Among:
    """A mix of scores that leaves all but the candidates far behind."""

    def __init__(self, hands: Hands) -> None:
        self._mix = hands.mix
        self.out: NDArray[np.float32] = np.zeros(0, np.float32)

    def __call__(self, parts: Sequence[Any]) -> Any:
        """Return the scores of candidates."""
        return self._mix(parts) + self.out


def best_of(agent: Agent, state: State, candidates: NDArray[np.int64], slots: int) -> Rows:
    """Return the agent's best `slots` of the candidates, in the state of one session.

    An agent that was made for shorter slates goes on filling: what it shows is what stands above.
    """
    hands = agent.hands
    if not isinstance(hands.mix, Among):
        hands.mix = Among(hands)
    out = np.full(len(agent.vectors), -np.inf, np.float32)
    out[candidates] = 0
    hands.mix.out = out
    try:
        rows, _ = hands.composed(state, slots, None)
    finally:
        hands.mix.out = np.zeros(1, np.float32)
    return np.asarray(rows[0], np.int64)
