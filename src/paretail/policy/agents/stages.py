"""What `learn` does: a probe, trials of starts, rounds, and in the end a comparison of ways to act."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from paretail.core.errors import Problem
from paretail.core.rng import rng_for
from paretail.policy.agents import AgentError
from paretail.policy.agents.dealt import Dealt, best_way
from paretail.policy.agents.feedback import Probe, find
from paretail.policy.agents.lanes import Lanes
from paretail.policy.agents.sessions import Player, Rows, remembered
from paretail.policy.agents.trials import Start, fading, found

if TYPE_CHECKING:
    from paretail.policy.agents.base import Agent

#: Sessions before the newest by whose mean return an agent's progress is told.
RECENT: Final = 100
#: Steps of a lane below which starts are not tried, nor ways compared.
_LEAST: Final = 40
#: Steps of the probe whatever its share is, unless that is more than half of all: an agent reads clicks by it for ever.
_PROBE: Final = 100


@dataclass(frozen=True)
class Told:
    """What a round brought: steps so far, mean return of the newest sessions, losses."""

    steps: int
    seconds: float
    mean_return: float | None
    figures: Mapping[str, float] = field(default_factory=dict)


Progress = Callable[[Told], None]


def rounds(agent: "Agent", lanes: Lanes, steps: int, seed: int, progress: Progress | None, of: int,
           told: list[Told]) -> None:  # fmt: skip
    """Learn as `Agent.learn` says, and add to `told` what each round brought."""
    began, before, done = monotonic(), agent.seconds, 0
    agent._rng = rng_for(f"agents/ways/{agent.rounds}", seed)
    agent._horizon = (0, of) if of else (agent.steps, steps)
    if agent.probed and not of:
        agent._anew()
    player = Player(agent, lanes, seed, rng_for(f"agents/aims/{agent.rounds}", seed))
    if not agent.probed:
        done += met(agent, player, of or steps, seed)
    last = spare(agent, steps, lanes.count)
    while done < steps - last and not agent.late:
        rng = rng_for(f"agents/round/{agent.rounds}", seed)
        count = max(1, min(agent.round_steps, steps - last - done) // lanes.count)
        played = player.play(count, lambda state: agent._choose(state, rng, True), rng)  # noqa: B023  # it ends before
        figures = agent._learned(played, rng)
        done += count * lanes.count
        agent.steps += count * lanes.count
        agent.rounds += 1
        agent.seconds = before + monotonic() - began
        told.append(Told(agent.steps, agent.seconds, agent.mean_return, figures))
        if progress is not None:
            progress(told[-1])
    ended(agent, player, last, rng_for(f"agents/ways/{agent.rounds}", seed))
    agent.seconds = before + monotonic() - began


def met(agent: "Agent", player: Player, steps: int, seed: int) -> int:
    """Probe and try, or leave an agent that has learned nothing; return the steps that it took."""
    try:
        done = probe(agent, player, steps, rng_for("agents/probe", seed))
        return done + tried(agent, player, steps, rng_for("agents/trials", seed))
    except BaseException:
        agent._forget()
        agent._make(agent.vectors, seed)
        raise


def probe(agent: "Agent", player: Player, steps: int, rng: np.random.Generator) -> int:
    """Play random slates and learn how to read what is seen; return the steps that it took."""
    lanes = player.lanes.count
    share = min(agent.config.probe, int(steps * agent.config.probe_share))
    count = max(1, max(share, min(agent.config.probe, _PROBE, steps // 2)) // lanes)
    played = player.play(count, lambda state: _random(agent, len(state["obs"]), rng), rng)
    flat = played.valid.ravel()
    raw, after = (part.reshape(count * lanes, -1)[flat] for part in (played.raw, played.raw_after))
    rows, reward = played.rows.reshape(count * lanes, -1)[flat], played.reward.ravel()[flat]
    agent.reading, _ = find(Probe(raw, after, rows, reward), agent.reader.leaves, agent.vectors)
    if agent.reading is not None:
        agent.usual = float(agent.reading(raw, after, rows, agent.vectors).mean())
        with torch.no_grad():
            agent.eyes.usual.fill_(agent.usual)
            agent.response.bias.fill_(float(np.log(agent.usual / (1 - agent.usual))))
        agent._respond(remembered(agent, played), rng)
    agent._scale(played)
    agent._begin(Start(), [played])
    agent._acting = None
    agent.recent = played.returns[-RECENT:]
    agent.steps, agent.probed = agent.steps + count * lanes, True
    player.anew(rng)
    return count * lanes


def tried(agent: "Agent", player: Player, steps: int, rng: np.random.Generator) -> int:
    """Find the policy to begin with; return the steps that it took."""
    count = min(agent.config.trial, int(steps * agent.config.trial_share))
    if agent.reading is None or not agent.items.groups:
        return 0
    if agent.late or count < _LEAST * player.lanes.count:
        agent._begin(fading(agent.config.fade), [])
        return 0
    before = player.lanes.steps
    agent.trying = True
    try:
        start, played = found(agent, player, count, rng)
    finally:
        agent.trying = False
    for one in played:
        agent._scale(one)
    agent._begin(start, played)
    agent._acting = None
    agent.recent = [total for one in played for total in one.returns][-RECENT:]
    agent.steps += player.lanes.steps - before
    player.anew(rng)
    return player.lanes.steps - before


def _random(agent: "Agent", lanes: int, rng: np.random.Generator) -> tuple[Rows, NDArray[np.float64]]:
    items = len(agent.vectors)
    rows = rng.random((lanes, items)).argpartition(agent.slots - 1, 1)[:, : agent.slots]
    return rows.astype(np.int64), np.zeros((lanes, agent.slots))


def spare(agent: "Agent", steps: int, lanes: int) -> int:
    """Return the steps by which ways to act are compared in the end."""
    asked = min(agent.config.settle, int(steps * agent.config.settle_share))
    return asked if agent.reading is not None and asked >= _LEAST * lanes and len(agent._ways()) > 1 else 0


def ended(agent: "Agent", player: Player, steps: int, rng: np.random.Generator) -> None:
    """Settle, and find the way to act that brings most in `steps` of all lanes together, or leave all as it was."""
    parts: tuple[Any, ...] = (agent.networks, agent.response, agent.response_optimiser)
    past, kept = list(agent._past), [deepcopy(part.state_dict()) for part in parts] if steps else []
    agent._settle()
    agent._acting = None
    if not steps or agent.late:
        return
    before = player.lanes.steps
    try:
        player.anew(rng)
        agent.way = best_way(Dealt(agent, player, rng), agent._ways(), steps, agent._known())
    except BaseException:
        agent._past = past
        for part, state in zip(parts, kept, strict=True):
            part.load_state_dict(state)
        raise
    agent.steps += player.lanes.steps - before


def few(steps: int) -> AgentError:
    """Return the error of a call for no steps (AGENT-17)."""
    do = "Ask for the steps of all lanes together: learn(env, 100_000)"
    return AgentError(Problem("AGENT-17", f"learn for {steps} steps", "Expected 1 or more", do))
