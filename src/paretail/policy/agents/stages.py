"""What an agent does before its rounds, and after them: a probe, trials of starts, and a comparison of ways to act."""

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray

from paretail.core.rng import rng_for
from paretail.policy.agents.dealt import Dealt, best_way
from paretail.policy.agents.feedback import Probe, find
from paretail.policy.agents.sessions import Player, Rows, remembered
from paretail.policy.agents.trials import Start, fading, found

if TYPE_CHECKING:
    from paretail.policy.agents.base import Agent

#: Sessions before the newest by whose mean return an agent's progress is told.
RECENT: Final = 100
#: Steps of a lane below which starts are not tried, nor ways compared.
_LEAST: Final = 40


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
    count = max(1, min(agent.config.probe, int(steps * agent.config.probe_share)) // lanes)
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


def way(agent: "Agent", player: Player, steps: int, rng: np.random.Generator) -> int:
    """Return the way to act that brings most in `steps` of all lanes together."""
    before = player.lanes.steps
    player.anew(rng)
    which = best_way(Dealt(agent, player, rng), agent._ways(), steps, agent._known())
    agent.steps += player.lanes.steps - before
    return which
