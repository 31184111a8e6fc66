"""Environments as lanes: one gymnasium environment or a vector of them, stepped alike, with clear errors.

A step gives two observations: `after` is what the action led to, `now` what the next action answers; they differ where
an episode ended and the next began at once. All of gymnasium's ways to begin anew are met: single environments are
reset here, `NEXT_STEP` vectors spend a step on it (no lane's `valid` then), `SAME_STEP` ones tell the last observation
in `info["final_obs"]`, `DISABLED` ones are asked with a mask.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from paretail.core.errors import Problem
from paretail.policy.agents import AgentError
from paretail.policy.agents.spaces import Reader, Values

Mask = NDArray[np.bool_]
Environment = gymnasium.Env[Any, Any] | VectorEnv[Any, Any, Any]


@dataclass(frozen=True, eq=False)
class Step:
    """What a step of all lanes brought; `began` where `now` is the first observation of an episode."""

    after: Values
    now: Values
    reward: NDArray[np.float64]
    terminated: Mask
    truncated: Mask
    goals: NDArray[np.float64] | None
    valid: Mask
    began: Mask


class Lanes:
    """One environment or many; actions are `[lanes, slots]` always."""

    def __init__(self, env: Environment, reader: Reader, single: bool, goals: int = 0) -> None:
        self.env, self.reader, self.single, self.goals = env, reader, single, goals
        self.many = isinstance(env, VectorEnv)
        self.count = int(env.num_envs) if isinstance(env, VectorEnv) else 1
        mode = (env.metadata or {}).get("autoreset_mode", AutoresetMode.NEXT_STEP)
        self.mode = AutoresetMode(mode) if self.many else AutoresetMode.DISABLED
        self._pending = np.zeros(self.count, bool)
        self.steps = 0

    def reset(self, seed: int) -> Values:
        """Begin an episode in every lane and return what is seen."""
        self._pending[:] = False
        return self.reader.raw(self._asked("reset", lambda: self.env.reset(seed=seed))[0], self.count)

    def play(self, rows: NDArray[np.int64]) -> Step:
        """Act in every lane.

        Raises AgentError: AGENT-05 where a reward is not finite, AGENT-06 where the environment breaks.
        """
        action: Any = rows[:, 0] if self.single else rows
        found = self._asked("step", lambda: _whole(self.env.step(action if self.many else self._plain(action[0]))))
        seen, reward, terminated, truncated, info = found
        self.steps += self.count
        rewards = self._rewards(reward)
        ended, cut = (np.atleast_1d(np.asarray(flag, bool)) for flag in (terminated, truncated))
        goals = self._goals(info)
        after = self.reader.raw(seen, self.count)
        valid = ~self._pending
        if self.mode is AutoresetMode.NEXT_STEP:
            began, self._pending = self._pending, (ended | cut) & valid
            return Step(after, after, rewards, ended & valid, cut & valid, goals, valid, began)
        over = ended | cut
        now = after
        if over.any():
            after, now = self._anew(after, info, over)
        return Step(after, now, rewards, ended, cut, goals, valid, over)

    def _plain(self, action: Any) -> Any:
        return int(action) if self.single else action

    def _anew(self, after: Values, info: dict[str, Any], over: Mask) -> tuple[Values, Values]:
        if self.mode is AutoresetMode.SAME_STEP:
            last = after.copy()
            for lane in np.flatnonzero(over):
                last[lane] = self.reader.raw(info["final_obs"][lane], 1)[0]
            return last, after
        options: Any = {"options": {"reset_mask": over}} if self.many else {}
        fresh = self.reader.raw(self._asked("reset", lambda: self.env.reset(**options))[0], self.count)
        return after, np.where(over[:, None], fresh, after)

    def _rewards(self, reward: Any) -> NDArray[np.float64]:
        try:
            rewards = np.atleast_1d(np.asarray(reward, np.float64))
        except (TypeError, ValueError):
            rewards = np.full(self.count, np.nan)
        if rewards.shape != (self.count,) or not np.isfinite(rewards).all():
            found = f"step {self.steps:,} of the environment gave the reward {reward}"
            raise AgentError(
                Problem("AGENT-05", found, "Expected a finite number a lane",
                        "Mend the environment's reward; the agent is as it was after the last round")
            )  # fmt: skip
        return rewards

    def _goals(self, info: dict[str, Any]) -> NDArray[np.float64] | None:
        if not self.goals:
            return None
        if "goals" not in info and self._pending.all():  # a step on which every lane began anew
            return np.zeros((self.count, self.goals))
        goals, told = np.zeros((self.count, self.goals)), "`info` has no goals"
        for source in (info, info.get("final_info", {})):  # of lanes that began anew at once, the last step's goals
            if "goals" not in source:
                continue
            found, mine = np.asarray(source["goals"], np.float64), np.asarray(source.get("_goals", True))
            told = f"`info` has goals of shape {found.shape}"
            if found.size != goals.size or not np.isfinite(found).all():
                break
            goals = np.where(mine.reshape(-1, 1), found.reshape(goals.shape), goals)
        else:
            if told != "`info` has no goals":
                return goals
        raise AgentError(
            Problem("AGENT-09", told, f"Expected {self.goals} finite numbers a lane",
                    "Set `goals` of the agent's configuration to how many the environment has, or to 0")
        )  # fmt: skip

    def _asked(self, what: str, call: Any) -> Any:
        try:
            return call()
        except Exception as error:
            found = f"the environment's {what} raised {type(error).__name__} at step {self.steps:,}: {error}"
            raise AgentError(
                Problem("AGENT-06", found, "Expected an environment that keeps gymnasium's interface",
                        "Try gymnasium.utils.env_checker.check_env; the agent is as it was after the last round")
            ) from error  # fmt: skip


def _whole(found: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
    """Return what a step gave; raises ValueError for another number of parts, as environments older than gymnasium's
    interface have."""
    if not isinstance(found, tuple) or len(found) != 5 or not isinstance(found[4], Mapping):
        told = f"a tuple of {len(found)}" if isinstance(found, tuple) else type(found).__name__
        raise ValueError(f"expected (observation, reward, terminated, truncated, info), got {told}")
    return found
