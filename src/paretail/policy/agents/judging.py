"""What agents would have earned on logged sessions: fitted-Q evaluation on the features of a model of users.

The model of users is fitted to users from whom no agent learned; on yet others each target's slates, in the states that
the log went through, are turned into features (`users.py`), and `evaluate/offpolicy/fitted.py` sums up. An estimate is
refused by the guards there, and where the same with fewer features says something else (OFFP-10).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import Problem
from paretail.data.sessions import SessionLog
from paretail.evaluate.offpolicy.estimate import Estimate
from paretail.evaluate.offpolicy.fitted import Transitions, fitted_q
from paretail.policy.agents.base import Agent
from paretail.policy.agents.logs import replayed
from paretail.policy.agents.memory import State, picked
from paretail.policy.agents.sessions import Rows
from paretail.policy.agents.users import UserModel

#: From states to the slates of a policy.
Acts = Callable[[State], Rows]
#: Features of the plain model beside the full one, and by which share both may differ.
PLAIN: Final = 5
DIFFERENT: Final = 0.1
_BLOCK: Final = 512


class Judge:
    """A model of users and the sessions on which policies are judged, which it has not seen."""

    def __init__(self, users: UserModel, log: SessionLog) -> None:
        self.users, self.log = users, log
        self.played = replayed(users.mind, log)
        self.calibration = users.calibration(log)
        self.phi = users.features(picked(self.played.states, np.arange(len(log))), log.rows)

    def estimate(self, agent: Agent, level: float = 0.95) -> Estimate:
        """Return what a session under the agent would have brought, its slates as served, or why none can tell."""
        mine = replayed(agent, self.log)
        return self.of(lambda rows: slates(agent, picked(mine.states, rows)), level)

    def of(self, acts: Callable[[NDArray[np.int64]], Rows], level: float = 0.95) -> Estimate:
        """Return the estimate of a policy that shows `acts(rows)` in these states of `replayed`: rows of the log, and
        behind them the states that follow visits which the log cuts."""
        log, starts, states = self.log, self.log.starts, self.played.states
        stayed = np.flatnonzero(~log.ended)  # where the log ends before a visit does, the visit goes on all the same
        then = self.played.next_at[stayed, 0]
        asked = np.union1d(starts, then)
        found = np.zeros((len(states["obs"]), self.phi.shape[1]))
        found[asked] = self.users.features(picked(states, asked), acts(asked))
        after = np.zeros_like(self.phi)
        after[stayed] = found[then]
        session = np.repeat(np.arange(len(starts)), log.lengths)
        steps = Transitions(self.phi, after, log.reward, session, found[starts], users=log.user[starts])
        return _agreed(fitted_q(steps, level=level), fitted_q(_narrowed(steps), level=level))


def slates(agent: Agent, states: State) -> Rows:
    """Return the slates that the agent serves in these states."""
    count = len(states["obs"])
    parts = [agent.served(picked(states, np.arange(at, min(at + _BLOCK, count)))) for at in range(0, count, _BLOCK)]
    return np.concatenate(parts)


def _narrowed(steps: Transitions) -> Transitions:
    return replace(steps, phi=steps.phi[:, :PLAIN], after=steps.after[:, :PLAIN], first=steps.first[:, :PLAIN])


def _agreed(full: Estimate, plain: Estimate) -> Estimate:
    """Return the estimate, refused where the one with fewer features differs by more than DIFFERENT."""
    if full.refused or plain.refused or abs(plain.value - full.value) <= DIFFERENT * abs(full.value):
        return full
    found = f"with fewer features the value is {plain.value:.4g} in place of {full.value:.4g}"
    refused = Problem("OFFP-10", found, f"Expected both within {DIFFERENT:.0%}",
                      "Ask for a policy nearer to the logged one, or try it in a small experiment")  # fmt: skip
    return Estimate(np.nan, np.nan, np.nan, full.weights, (refused,))
