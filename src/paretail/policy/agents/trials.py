"""The policy that an agent begins with, found by trying a few on whole sessions.

What is clicked now is known from the model of clicks; by how much what was shown or clicked must rest for the sake of
later is not, and differs by orders of magnitude between environments. Six numbers say it (`Start`), and

    slate = greedy by logit P(click) + start · (what the session had of the group, and of the item)

is played for whole sessions, a session a candidate: the best by mean return go on to more sessions (successive halving:
K. Jamieson, A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", 2016,
arXiv:1502.07943), and changed copies of the best join them half-way. Deviations: 1. Sessions are dealt to the candidate
that has fewest. 2. Where no session ends within a stage, rewards a step are compared. 3. The model of clicks learns on.
"""

from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from paretail.policy.agents.hands import Hands
from paretail.policy.agents.memory import State, picked
from paretail.policy.agents.networks import Scorer
from paretail.policy.agents.sessions import Player, Round, Rows

if TYPE_CHECKING:
    from paretail.policy.agents.base import Agent

#: Share of the steps of each stage, and how many candidates go on after it.
_STAGES: Final = ((0.3, 6), (0.2, 3), (0.25, 3), (0.25, 1))
#: Candidates of the first stage, and those of the third.
_FIRST: Final = 16
_THIRD: Final = 10
_CHUNK: Final = 256


@dataclass(frozen=True)
class Start:
    """How much the logit of an item falls for each slot of its group shown, and clicked, at one decay; for each slot of
    the group above it in the slate; for the item itself, shown before; and rises where it was clicked then."""

    shown: float = 0.0
    clicked: float = 0.0
    decay: int = 2
    above: float = 0.0
    again: float = 0.0
    liked: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain values."""
        return asdict(self)


def fading(much: float) -> Start:
    """Return the start in which all that was shown rests by one number."""
    return Start(shown=much, above=much, again=2 * much)


def begin(scorer: Scorer, start: Start, unit: float = 1.0) -> Scorer:
    """Add the start to a scorer's scores, times `unit`, and return it."""
    with torch.no_grad():
        rests = torch.tensor([start.shown, start.clicked]) * unit / scorer.slot_weight
        scorer.omega_group[start.decay] = scorer.omega_group[start.decay] - rests
        scorer.above_group.sub_(start.above * unit)
        scorer.own[:, 1] = scorer.own[:, 1] + torch.tensor([-start.again, start.liked]) * unit
    return scorer


def merged(scorer: Scorer, start: Start) -> Scorer:
    """Return a copy that scores by both."""
    return begin(deepcopy(scorer), start)


def drawn(rng: np.random.Generator) -> Start:
    """Return a start of any size."""

    def size(least: float, most: float, none: float) -> float:
        return 0.0 if rng.random() < none else float(np.exp(rng.uniform(np.log(least), np.log(most))))

    return Start(size(0.02, 1, 0.4), size(0.05, 2, 0.4), int(rng.integers(1, 4)), size(0.05, 1.5, 0.3),
                 size(0.3, 5, 0.4), size(0.3, 5, 0.5))  # fmt: skip


def changed(start: Start, rng: np.random.Generator) -> Start:
    """Return a start near another: sizes times a factor, one of them anew."""
    factor = {name: getattr(start, name) * float(np.exp(0.4 * rng.standard_normal())) for name in _SIZES}
    anew = str(rng.choice([*_SIZES, "decay"]))
    return replace(start, **(factor | {anew: getattr(drawn(rng), anew)}))


_SIZES: Final = ("shown", "clicked", "above", "again", "liked")


class Trials:
    """Candidates in play: which lane plays which, and what their sessions brought."""

    def __init__(self, agent: "Agent", player: Player, rng: np.random.Generator) -> None:
        self.agent, self.player, self.rng = agent, player, rng
        self.lane = np.zeros(player.lanes.count, np.int64)
        self.total = np.zeros(player.lanes.count)
        self.candidates: list[Start] = []
        self.active: list[int] = []
        self.returns: list[list[float]] = []
        self.dealt: list[int] = []
        self.rate: NDArray[np.float64] = np.zeros((0, 2))
        self._hands: dict[int, Hands] = {}

    def best(self, steps: int) -> tuple[Start, list[Round]]:
        """Play `steps` of all lanes together; return the best start and what was played."""
        self._join([fading(much) for much in (0.0, 0.1, self.agent.config.fade)])
        self._join([drawn(self.rng) for _ in range(_FIRST - len(self.candidates))])
        played: list[Round] = []
        for stage, (share, keep) in enumerate(_STAGES):
            if stage == 2:
                best = [self.candidates[which] for which in self.active]
                self._join([changed(best[n % len(best)], self.rng) for n in range(_THIRD - len(best))])
            played += self._stage(max(1, int(share * steps) // len(self.lane)))
            self.active = sorted(self.active, key=self._worth, reverse=True)[:keep]
        return self.candidates[self.active[0]], played

    def _join(self, more: list[Start]) -> None:
        self.active += range(len(self.candidates), len(self.candidates) + len(more))
        self.candidates += more
        self.returns += [[] for _ in more]
        self.dealt += [0] * len(more)
        self.rate = np.vstack([self.rate, np.zeros((len(more), 2))])

    def _worth(self, which: int) -> float:
        if not any(self.returns[one] for one in self.active):
            return float(self.rate[which, 0] / max(1.0, self.rate[which, 1]))
        return float(np.mean(self.returns[which])) if self.returns[which] else -np.inf

    def _stage(self, count: int) -> list[Round]:
        played: list[Round] = []
        while count > 0 and not self.agent.late:
            steps = min(count, max(1, _CHUNK // len(self.lane)))
            told: list[NDArray[np.int64]] = []
            self._hands = {}
            one = self.player.play(steps, lambda state: self._choose(state, told), self.rng)  # noqa: B023  # it ends before
            self._take(one, np.stack(told))
            self.agent._respond(one, self.rng)
            played.append(one)
            count -= steps
        return played

    def _choose(self, state: State, told: list[NDArray[np.int64]]) -> tuple[Rows, NDArray[np.float64]]:
        for lane in np.flatnonzero(~self.player.sessions.begun):
            self.lane[lane] = min(self.active, key=lambda which: self.dealt[which])
            self.dealt[self.lane[lane]] += 1
        told.append(self.lane.copy())
        rows = np.zeros((len(self.lane), self.agent.slots), np.int64)
        for which in np.unique(self.lane):
            mine = np.flatnonzero(self.lane == which)
            rows[mine] = self._fills(int(which)).composed(picked(state, mine), self.agent.slots, None)[0]
        return rows, np.zeros(rows.shape)

    def _fills(self, which: int) -> Hands:
        if which not in self._hands:
            scorer = merged(self.agent.response.scorer, self.candidates[which])
            self._hands[which] = Hands(self.agent.items, self.agent.eyes, [scorer], lambda parts: parts[0])
        return self._hands[which]

    def _take(self, played: Round, lane: NDArray[np.int64]) -> None:
        over = (played.terminated | played.truncated) & played.valid
        for t, rewards in enumerate(np.where(played.valid, played.reward, 0.0)):
            self.total += rewards
            np.add.at(self.rate, lane[t], np.stack([rewards, played.valid[t]], 1))
            for at in np.flatnonzero(over[t]):
                self.returns[lane[t, at]].append(float(self.total[at]))
                self.total[at] = 0.0
