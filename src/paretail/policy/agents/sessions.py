"""Sessions that an agent is in: what it observed, remembers and was told, for each lane; and rounds of steps played.

An agent's only inputs are observations. Its own slates it knows; clicks it reads from the observation after them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretail.policy.agents.feedback import Reading
from paretail.policy.agents.items import Items
from paretail.policy.agents.lanes import Lanes, Mask
from paretail.policy.agents.memory import Memory, State, stacked
from paretail.policy.agents.spaces import Reader, Values

Rows = NDArray[np.int64]
#: From a state to slates `[lanes, slots]` and, of a policy that draws, their log-probabilities.
Choose = Callable[[State], tuple[Rows, NDArray[np.float64]]]


class Mind(Protocol):
    """What sessions need of an agent."""

    items: Items
    reader: Reader
    reading: Reading | None
    slots: int
    usual: float
    vectors: Values

    @property
    def draws(self) -> bool:
        """Whether anything that fills slates reads draws of tastes."""
        ...

    def memory(self, lanes: int, rng: np.random.Generator | None = None) -> Memory:
        """Return an empty memory, whose draws of tastes are this generator's."""
        ...

    def aims(self, lanes: int, rng: np.random.Generator | None) -> Values:
        """Return the goals' weights of each lane: drawn, or those that the agent is told."""
        ...


class Sessions:
    """Lanes of sessions; `state` before each slate, `shown` after it was chosen, `note` when more was observed."""

    def __init__(self, agent: Mind, lanes: int, rng: np.random.Generator | None = None) -> None:
        self.agent, self.lanes, self.memory = agent, lanes, agent.memory(lanes, rng)
        self.raw, self.rows = np.zeros((lanes, agent.reader.raw_width), np.float32), np.zeros((lanes, agent.slots), int)
        self.aim = agent.aims(lanes, None)
        self.begun = np.zeros(lanes, bool)

    def reset(self, lanes: Mask, rng: np.random.Generator | None = None) -> None:
        """Begin sessions anew."""
        self.memory.reset(lanes)
        self.aim = np.where(lanes[:, None], self.agent.aims(self.lanes, rng), self.aim)
        self.begun = self.begun & ~lanes

    def note(self, after: Values) -> Values | None:
        """Remember what came of the last slates of sessions that had one; return their clicks."""
        clicks = None
        if self.agent.reading is not None:
            clicks = self.agent.reading(self.raw, after, self.rows, self.agent.vectors)
        if self.begun.any():
            self.memory.note(self.rows, clicks, self.agent.usual)
            if not self.begun.all():
                self.memory.reset(~self.begun)
        return clicks

    def state(self, raw: Values) -> State:
        """Return the state of every lane after an observation."""
        return {"obs": self.agent.reader.features(raw), "aim": self.aim, **self.memory.state(self.agent.draws)}

    def shown(self, raw: Values, rows: Rows) -> None:
        """Take down that `rows` answer the observation."""
        self.raw, self.rows, self.begun = raw, rows, np.ones(self.lanes, bool)


@dataclass(eq=False)
class Round:
    """Steps that were played, `[steps, lanes]` or flat `[steps · lanes]` for states; `bridge` states follow cut ones.

    `next_at` is the row of the state after each step in `states`, in which the bridges come last. `raw` and
    `raw_after` are kept for the probe.
    """

    states: State
    next_at: NDArray[np.int64]
    rows: Rows
    log_p: NDArray[np.float64]
    clicks: Values | None
    reward: NDArray[np.float64]
    terminated: Mask
    truncated: Mask
    valid: Mask
    began: Mask
    returns: list[float] = field(default_factory=list)
    raw: Values = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    raw_after: Values = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    @property
    def chain(self) -> Mask:
        """Return whether the step after is the same session's."""
        return self.valid & ~self.terminated & ~self.truncated


class Player:
    """Plays rounds in an environment; sessions go on from round to round."""

    def __init__(self, agent: Mind, lanes: Lanes, seed: int, rng: np.random.Generator) -> None:
        drawing = rng.spawn(1)[0]
        self.agent, self.lanes, self.sessions = agent, lanes, Sessions(agent, lanes.count, drawing)
        self.now = lanes.reset(seed)
        self.sessions.reset(np.ones(lanes.count, bool), rng)
        self.total = np.zeros(lanes.count)

    def anew(self, rng: np.random.Generator) -> None:
        """Begin all sessions anew, in the environment too."""
        self.sessions.reset(np.ones(self.lanes.count, bool), rng)
        self.now = self.lanes.reset(int(rng.integers(2**31)))
        self.total[:] = 0.0

    def play(self, steps: int, choose: Choose, rng: np.random.Generator) -> Round:
        """Play `steps` steps in each lane; `rng` draws the goals of new sessions."""
        told: dict[str, list[Any]] = {name: [] for name in _TOLD}
        states: list[State] = []
        bridges: list[State] = []
        returns: list[float] = []
        count, next_at = self.lanes.count, np.zeros((steps, self.lanes.count), np.int64)
        for t in range(steps):
            state = self.sessions.state(self.now)
            rows, log_p = choose(state)
            before = self.now
            self.sessions.shown(before, rows)
            step = self.lanes.play(rows)
            reward = step.reward if step.goals is None or not self.sessions.aim.shape[1] else (
                (step.goals * self.sessions.aim).sum(1) * step.valid)  # fmt: skip
            clicks = self.sessions.note(step.after)
            self.total += np.where(step.valid, reward, 0.0)
            over = step.terminated | step.truncated
            next_at[t] = (t + 1) * count + np.arange(count)
            last = np.full(count, t == steps - 1)
            if (cut := (step.truncated | last) & step.valid).any():
                next_at[t, cut] = -1 - (_total(bridges) + np.arange(int(cut.sum())))
                after = self.sessions.state(step.after)
                bridges.append({name: column[cut] for name, column in after.items()})
            returns += self.total[over].tolist()
            self.total[over] = 0.0
            if step.began.any():
                self.sessions.reset(step.began, rng)
            self.now = step.now
            states.append(state)
            values = (rows, log_p, clicks, reward, step.terminated, step.truncated, step.valid, step.began, before,
                      step.after)  # fmt: skip
            for name, value in zip(_TOLD, values, strict=True):
                told[name].append(value)
        return _round(states, bridges, next_at, told, returns)


def _total(states: list[State]) -> int:
    return sum(len(state["obs"]) for state in states)


def remembered(agent: Mind, played: Round) -> Round:
    """Return the round with the clicks, and the memory of them, that the agent can read by now."""
    sessions, states, clicks = Sessions(agent, played.reward.shape[1]), [], []
    for raw, after, rows, began in zip(played.raw, played.raw_after, played.rows, played.began, strict=True):
        states.append(sessions.state(raw))
        sessions.shown(raw, rows)
        clicks.append(sessions.note(after))
        if began.any():
            sessions.reset(began)
    found = None if clicks[0] is None else np.stack([one for one in clicks if one is not None])
    return replace(played, states=stacked(states), clicks=found)


_TOLD = ("rows", "log_p", "clicks", "reward", "terminated", "truncated", "valid", "began", "raw", "raw_after")


def _round(
    states: list[State],
    bridges: list[State],
    next_at: NDArray[np.int64],
    told: dict[str, list[Any]],
    returns: list[float],
) -> Round:
    flat = stacked(states + bridges)
    steps = _total(states)
    next_at = np.where(next_at < 0, steps - 1 - next_at, np.minimum(next_at, steps - 1))
    columns = {name: np.stack(values) for name, values in told.items() if name != "clicks"}
    clicks = None if told["clicks"][0] is None else np.stack(told["clicks"])
    return Round(states=flat, next_at=next_at, clicks=clicks, returns=returns, **columns)


def tensors(state: State, which: NDArray[np.int64] | slice | None = None) -> dict[str, Tensor]:
    """Return a state's arrays, or some of its rows, as tensors."""
    chosen = state if which is None else {name: column[which] for name, column in state.items()}
    return {
        name: torch.from_numpy(np.ascontiguousarray(column, np.int32 if name == "rows" else np.float32))
        for name, column in chosen.items()
    }
