"""Logged sessions as an agent sees them: its memory replayed along each session, so that states are those of acting."""

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from paretail.core.errors import Problem
from paretail.data.sessions import Columns, SessionLog
from paretail.policy.agents import AgentError
from paretail.policy.agents.base import Agent
from paretail.policy.agents.memory import State, picked, stacked
from paretail.policy.agents.sessions import Mind, Round
from paretail.policy.agents.spaces import Values

#: What a memory has of each session.
_OF_LANES = ("traces", "rows", "clicked", "clock", "_inverse", "_moved")
#: Sessions that are replayed side by side: those of a block have about the same length.
_BLOCK = 512


def replayed(agent: Mind, log: SessionLog) -> Round:
    """Return the log as one round of `[decisions, 1]`, in the log's order.

    Raises AgentError (AGENT-12) where slates do not fit the agent's, AGENT-03 where observations do not.
    """
    fits(agent, log)
    raw, after = (raw_of(agent, part, len(log)) for part in (log.seen, log.after))
    starts, lengths = log.starts, log.lengths
    order = np.argsort(-lengths, kind="stable")
    parts: list[Any] = []
    at: list[Any] = []
    bridges: list[Any] = []
    cut: list[Any] = []
    for first in range(0, len(order), _BLOCK):
        block = order[first : first + _BLOCK]
        for rows, state, last, then in _stepped(agent, log, raw, after, starts[block], lengths[block]):
            for column, value in ((parts, state), (at, rows), (bridges, then), (cut, last)):
                column.append(value)
    place = np.argsort(np.concatenate(at))
    states = picked(stacked(parts), place)
    next_at = np.minimum(np.arange(len(log)) + 1, len(log) - 1)
    lasts = np.concatenate(cut)
    next_at[lasts] = len(log) + np.arange(len(lasts))
    return _round(log, stacked([states, *bridges]), next_at, raw, after)


class Told:
    """An agent in many sessions side by side whose slates are changed before they are shown: it is told by `shown`."""

    def __init__(self, agent: Agent) -> None:
        self._crowd = agent.crowd()

    def reset(self) -> None:
        """Begin all sessions."""
        self._crowd.reset()

    def __call__(self, observation: Any) -> NDArray[np.int32]:
        """Return the agent's own slates."""
        return self._crowd(observation)

    def shown(self, rows: NDArray[np.integer]) -> None:
        """Take note of what was shown in the end."""
        sessions = self._crowd._sessions
        assert sessions is not None
        sessions.rows = rows.astype(np.int64)

    def keep(self, here: NDArray[np.bool_]) -> None:
        """Go on with some of the sessions alone."""
        sessions = self._crowd._sessions
        if sessions is None:
            return
        sessions.lanes = int(here.sum())
        for part, names in ((sessions, ("raw", "rows", "aim", "begun")), (sessions.memory, _OF_LANES)):
            for name in names:
                setattr(part, name, getattr(part, name)[here])


def fits(agent: Mind, log: SessionLog) -> None:
    """Raise AgentError (AGENT-12) where the log's slates are none of this agent."""
    items = len(agent.vectors)
    if log.rows.shape[1] != agent.slots or log.rows.min() < 0 or log.rows.max() >= items:
        found = f"slates of {log.rows.shape[1]} items, rows {log.rows.min()} to {log.rows.max()}"
        raise AgentError(
            Problem("AGENT-12", f"the log has {found}", f"Expected slates of {agent.slots} of {items} items",
                    "Make the agent with the log's item vectors and slate size")
        )  # fmt: skip


def raw_of(agent: Mind, part: Columns, count: int) -> Values:
    """Return the raw rows of logged observations; one without names has a single column."""
    plain: Any = part if isinstance(agent.reader.space, spaces.Dict) else next(iter(part.values()))
    return agent.reader.raw(plain, count)


def _stepped(agent: Mind, log: SessionLog, raw: Values, after: Values, starts: NDArray[np.int64],
             lengths: NDArray[np.int64]) -> Any:  # fmt: skip
    """Yield, step by step, the rows of the log, their states, which of them are cut, and the states after those."""
    memory, lanes = agent.memory(len(starts)), len(starts)
    aim, usual = agent.aims(lanes, None), agent.usual
    for step in range(int(lengths.max())):
        there = lengths > step
        rows = starts[there] + step
        state = {"aim": aim, **memory.state()}
        yield_state = {"obs": agent.reader.features(raw[rows]), **picked(state, there)}
        shown, clicks = np.zeros((lanes, agent.slots), np.int64), None
        shown[there] = log.rows[rows]
        if agent.reading is not None:  # the clicks that observations tell: acting sees no others
            clicks = np.zeros((lanes, agent.slots), np.float32)
            clicks[there] = agent.reading(raw[rows], after[rows], log.rows[rows], agent.vectors)
        memory.note(shown, clicks, usual)
        last = there & (lengths == step + 1)
        last[there] &= ~log.ended[rows]
        cut = starts[last] + step
        then = {"obs": agent.reader.features(after[cut]), **picked({"aim": aim, **memory.state()}, last)}
        yield rows, yield_state, cut, then


def _round(log: SessionLog, states: State, next_at: NDArray[np.int64], raw: Values, after: Values) -> Round:
    last = np.zeros(len(log), bool)
    last[np.r_[log.starts[1:], len(log)] - 1] = True
    began = np.zeros(len(log), bool)
    began[log.starts] = True
    with np.errstate(divide="ignore", invalid="ignore"):
        log_p = np.log(log.propensity)
    return Round(
        states, next_at[:, None], log.rows[:, None], log_p[:, None], log.clicks[:, None], log.reward[:, None],
        log.ended[:, None], (last & ~log.ended)[:, None], np.ones((len(log), 1), bool), began[:, None],
        log.returns.tolist(), raw[:, None], after[:, None],
    )  # fmt: skip
