"""An agent in many sessions side by side."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from paretail.core.rng import rng_for
from paretail.policy.agents.sessions import Sessions

if TYPE_CHECKING:
    from paretail.policy.agents.base import Agent


class Crowd:
    """An agent in many sessions side by side: a policy for rollouts; `reset` begins all of them, with the same luck."""

    def __init__(self, agent: "Agent") -> None:
        self.agent = agent
        self.reset()

    def reset(self) -> None:
        """Begin all sessions."""
        self._sessions: Sessions | None = None
        self._rng = acting_rng()

    def __call__(self, observation: Any) -> NDArray[np.int32]:
        """Return slates `[lanes, slots]`; the number of lanes may change where sessions begin."""
        if self._sessions is None:
            self._sessions = Sessions(self.agent, self.agent.reader.lanes(observation), self._rng)
        return self.agent._next(self._sessions, observation, False, self._rng).astype(np.int32)


def acting_rng() -> np.random.Generator:
    """Return the luck of an agent at work: the same after learning as after loading."""
    return rng_for("agents/act", 0)
