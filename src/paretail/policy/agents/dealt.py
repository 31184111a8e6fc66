"""Sessions dealt to candidates by Thompson's rule, and what they brought: how ways of acting compare.

W. R. Thompson, 1933, doi:10.1093/biomet/25.3-4.285, with a normal prior that is estimated from the candidates
themselves (B. Efron, C. Morris, 1973, doi:10.2307/2284155), so that few lucky sessions make no winner:

    x ~ N(θ_i, σ²),   θ_i ~ N(μ, τ²);   the next session goes to the largest draw of θ_i given its sessions

Deviations: 1. Each candidate has two sessions first. 2. Where no session has ended yet, rewards a step are compared.
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
#: Steps of all lanes together after which returns are known.
_CHUNK: Final = 64
#: Sessions that each candidate has in any case.
_FIRST: Final = 2
#: Candidates' means differ at least so much, as a share of the variance of sessions.
_LEAST_APART: Final = 0.01


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
        """Leave the best of the active ones, best first."""
        believed = self.beliefs()[0]
        self.active = sorted(self.active, key=lambda which: believed[which], reverse=True)[:best]

    def beliefs(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and spread of what is believed of each candidate's mean return."""
        count = np.array([len(found) for found in self.returns], float)
        if not count.any():
            rate = self.rate[:, 0] / np.maximum(self.rate[:, 1], 1)
            return rate, np.zeros(len(rate))
        mean = np.array([np.mean(found) if found else 0.0 for found in self.returns])
        seen = count > 0
        within = sum(np.sum((np.array(found) - m) ** 2) for found, m in zip(self.returns, mean, strict=True))
        noise = max(float(within) / max(1.0, count.sum() - seen.sum()), 1e-12)
        usual = float(mean[seen].mean())
        apart = max(float(mean[seen].var()) - noise * float((1 / count[seen]).mean()), _LEAST_APART * noise)
        weight = count / noise + 1 / apart
        return (mean * count / noise + usual / apart) / weight, weight**-0.5

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
        if (begins := np.flatnonzero(~self.player.sessions.begun)).size:
            mean, spread = self.beliefs()
        for lane in begins:
            self.lane[lane] = self._next(mean, spread)
            self.count[self.lane[lane]] += 1
        told.append(self.lane.copy())
        rows = np.zeros((len(self.lane), self.agent.slots), np.int64)
        for which in np.unique(self.lane):
            mine = np.flatnonzero(self.lane == which)
            rows[mine] = way(int(which))(picked(state, mine))
        return rows, np.zeros(rows.shape)

    def _next(self, mean: NDArray[np.float64], spread: NDArray[np.float64]) -> int:
        fewest = min(self.active, key=lambda which: self.count[which])
        if self.count[fewest] < _FIRST or not any(self.returns):
            return fewest
        drawn = mean + spread * self.rng.standard_normal(len(mean))
        return max(self.active, key=lambda which: drawn[which])

    def _take(self, played: Round, lane: NDArray[np.int64]) -> None:
        over = (played.terminated | played.truncated) & played.valid
        for t, rewards in enumerate(np.where(played.valid, played.reward, 0.0)):
            self.total += rewards
            np.add.at(self.rate, lane[t], np.stack([rewards, played.valid[t]], 1))
            for at in np.flatnonzero(over[t]):
                self.returns[lane[t, at]].append(float(self.total[at]))
                self.total[at] = 0.0


def best_way(dealt: Dealt, ways: Sequence[Way], steps: int, known: Mapping[int, list[float]]) -> int:
    """Return the number of the way whose sessions bring most; `known`: returns of sessions that a way had before."""
    dealt.join(len(ways))
    for which, returns in known.items():
        dealt.returns[which] += returns
    dealt.play(steps, lambda: ways.__getitem__)
    dealt.keep(1)
    return dealt.active[0]
