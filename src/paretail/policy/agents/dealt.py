"""Sessions dealt to candidates, the next to whichever has fewest, and what they brought: how ways of acting compare.

Where no session has ended yet, rewards a step are compared.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from paretail.policy.agents.memory import State, picked
from paretail.policy.agents.sessions import Player, Round, Rows

if TYPE_CHECKING:
    from paretail.policy.agents.base import Agent

#: Fills slates for some lanes.
Way = Callable[[State], Rows]
_CHUNK: Final = 256


class Dealt:
    """Candidates by number: which lane plays which, the returns of each, and which are still `active`."""

    def __init__(self, agent: "Agent", player: Player, rng: np.random.Generator) -> None:
        self.agent, self.player, self.rng = agent, player, rng
        self.lane = np.zeros(player.lanes.count, np.int64)
        self.total = np.zeros(player.lanes.count)
        self.active: list[int] = []
        self.returns: list[list[float]] = []
        self.count: list[int] = []
        self.rate: NDArray[np.float64] = np.zeros((0, 2))

    def join(self, more: int) -> None:
        """Take in so many candidates."""
        self.active += range(len(self.count), len(self.count) + more)
        self.returns += [[] for _ in range(more)]
        self.count += [0] * more
        self.rate = np.vstack([self.rate, np.zeros((more, 2))])

    def keep(self, best: int) -> None:
        """Leave the best of the active ones, in their order."""
        self.active = sorted(self.active, key=self.worth, reverse=True)[:best]

    def worth(self, which: int) -> float:
        """Return the mean return of a candidate's sessions."""
        if not any(self.returns[one] for one in self.active):
            return float(self.rate[which, 0] / max(1.0, self.rate[which, 1]))
        return float(np.mean(self.returns[which])) if self.returns[which] else -np.inf

    def play(self, steps: int, ways: Callable[[], Callable[[int], Way]]) -> list[Round]:
        """Play `steps` of all lanes together, the model of clicks learning on; `ways` gives each candidate's anew."""
        played: list[Round] = []
        left = max(1, steps // len(self.lane))
        while left > 0 and not self.agent.late:
            length, way = min(left, max(1, _CHUNK // len(self.lane))), ways()
            told: list[NDArray[np.int64]] = []
            one = self.player.play(length, lambda state: self._choose(state, way, told), self.rng)  # noqa: B023  # it ends before
            self._take(one, np.stack(told))
            self.agent._respond(one, self.rng)
            played.append(one)
            left -= length
        return played

    def _choose(
        self, state: State, way: Callable[[int], Way], told: list[NDArray[np.int64]]
    ) -> tuple[Rows, NDArray[np.float64]]:
        for lane in np.flatnonzero(~self.player.sessions.begun):
            self.lane[lane] = min(self.active, key=lambda which: self.count[which])
            self.count[self.lane[lane]] += 1
        told.append(self.lane.copy())
        rows = np.zeros((len(self.lane), self.agent.slots), np.int64)
        for which in np.unique(self.lane):
            mine = np.flatnonzero(self.lane == which)
            rows[mine] = way(int(which))(picked(state, mine))
        return rows, np.zeros(rows.shape)

    def _take(self, played: Round, lane: NDArray[np.int64]) -> None:
        over = (played.terminated | played.truncated) & played.valid
        for t, rewards in enumerate(np.where(played.valid, played.reward, 0.0)):
            self.total += rewards
            np.add.at(self.rate, lane[t], np.stack([rewards, played.valid[t]], 1))
            for at in np.flatnonzero(over[t]):
                self.returns[lane[t, at]].append(float(self.total[at]))
                self.total[at] = 0.0


def best_way(dealt: Dealt, ways: Sequence[Way], steps: int, known: Mapping[int, list[float]]) -> int:
    """Return the number of the way whose sessions bring most; half-way the worse half is left.

    `known`: returns of sessions that a way had before.
    """
    dealt.join(len(ways))
    for which, returns in known.items():
        dealt.returns[which] += returns
    for part in range(2):
        dealt.play(steps // 2, lambda: ways.__getitem__)
        if part == 0:
            dealt.keep((len(ways) + 1) // 2)
    dealt.keep(1)
    return dealt.active[0]
