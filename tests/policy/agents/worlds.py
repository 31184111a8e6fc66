"""Small environments for agents."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class TwoStates(gymnasium.Env):
    """State 0: action 1 pays .1 and stays, action 0 pays nothing and leads to state 1; there action 0 pays 1 and leads
    back, action 1 pays nothing. Greed stays in state 0 for ever; the best earns 5 in 10 steps."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(self) -> None:
        self.observation_space, self.action_space = spaces.Discrete(2), spaces.Discrete(2)
        self.at = self.step_ = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.at = self.step_ = 0
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        assert isinstance(action, int)
        reward = [[0.0, 0.1], [1.0, 0.0]][self.at][action]
        self.at = 1 - self.at if action == 0 else self.at
        self.step_ += 1
        return self.at, reward, False, self.step_ >= 10, {}


class Bored(gymnasium.Env):
    """Forty items of five kinds; a kind that was in the last slate is never clicked on, the user likes two kinds best.

    `goals`: clicks, and how many items were of the kind that is liked least.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(self, slots: int = 3, seen: str = "dict", items: int = 40, fault: str = "") -> None:
        self.slots, self.items, self.seen, self.fault = slots, items, seen, fault
        self.kind = np.arange(items) % 5
        self.item_vectors = np.eye(5, dtype=np.float32)[self.kind]
        self.like = np.array([0.9, 0.8, 0.3, 0.2, 0.1])
        bits = spaces.MultiBinary(slots)
        self.observation_space: spaces.Space[Any] = (
            spaces.Dict({"slate": spaces.MultiDiscrete([items + 1] * slots), "clicked": bits}) if seen == "dict"
            else spaces.Box(0, 1, (2 * items,), np.float32)
        )  # fmt: skip
        self.action_space: spaces.Space[Any] = (
            spaces.Discrete(items) if slots == 1 else spaces.MultiDiscrete([items] * slots)
        )

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.step_, self.last = 0, np.full(self.slots, self.items)
        self.clicked = np.zeros(self.slots, np.int8)
        self.counts = np.zeros((2, self.items), np.float32)
        return self._look(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        rows, self.step_ = np.atleast_1d(action), self.step_ + 1
        bored = np.isin(self.kind[rows], self.kind[self.last[self.last < self.items]])
        self.clicked = (self.np_random.random(self.slots) < self.like[self.kind[rows]] * ~bored).astype(np.int8)
        self.last = rows
        self.counts[0, rows] += 1 / 8
        self.counts[1, rows] += self.clicked / 8
        reward = float("nan") if self.fault == "nan" and self.step_ == 3 else float(self.clicked.sum())
        if self.fault == "raise" and self.step_ == 3:
            raise RuntimeError("the shop is closed")
        goals = np.array([self.clicked.sum(), float((self.kind[rows] == 4).sum())])
        return self._look(), reward, False, self.step_ >= 8, {"goals": goals}

    def _look(self) -> Any:
        if self.seen == "dict":
            return {"slate": self.last.astype(np.int64), "clicked": self.clicked}
        return self.counts.ravel().copy()


def mean_return(agent: Any, env: gymnasium.Env, episodes: int = 10) -> float:
    """Return the mean return of greedy episodes."""
    total = 0.0
    for episode in range(episodes):
        seen, _ = env.reset(seed=1000 + episode)
        agent.reset()
        over = False
        while not over:
            seen, reward, ended, cut, _ = env.step(agent.act(seen))
            total, over = total + reward, ended or cut
    return total / episodes
