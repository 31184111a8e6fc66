"""Whether an agent of a bundle may fill the lists that a log shows: the gate of `evaluate/release.py`, by visit.

The agent goes through the log's visits as it would have, and its slates there tell with which odds it would have shown
what was shown. Weights multiply over a visit (`evaluate/offpolicy/sequential.py`, `wpdis`), so the guards refuse
agents far from what is served, which begin as an experiment. Deviation: the agent chooses among all its items, where at
work it has the retriever's candidates.

The bundle keeps on which visits its agent learned (`grounds.py`): of those, only the users count of whom neither the
agent knows nor a look at it was taken; visits before and after count all. Where too few are left nothing is judged
(AGENT-16).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from paretail.core.errors import DataError, Problem
from paretail.data.odds import odds
from paretail.data.sessions import SessionLog, drawn_users
from paretail.data.types import Events
from paretail.evaluate.offpolicy.guards import looked_at
from paretail.evaluate.offpolicy.logged import Values
from paretail.evaluate.offpolicy.sequential import Episodes, wpdis
from paretail.evaluate.offpolicy.terms import Terms
from paretail.evaluate.release import Release, gate
from paretail.pipeline.agents import FACT, agent_of
from paretail.pipeline.ranking import CANDIDATES
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.sessions import FEWEST_SESSIONS, Visited, visits_of
from paretail.policy.goals import Goals


@dataclass(frozen=True)
class PolicyRelease:
    """A verdict on an agent, and what whoever reads it must know of its visits."""

    release: Release
    remarks: tuple[str, ...]


def release_policy(
    recommender: Recommender, events: Events, policy: str, explore: float, margin: float, candidates: int = 1,
    setting: Goals | None = None,
) -> PolicyRelease:  # fmt: skip
    """Say whether an agent may replace what a log shows; the reward of a visit is its clicks and purchases.

    Under a `setting` of goals it is what goals bring by the weights that the agent is aimed at. Raises BundleError
    (AGENT-13), UsageError (AGENT-15) for goals that the agent has not, and DataError: SESS-02 for too few visits,
    AGENT-16 where too few are left that the agent did not learn on, OFFP-01 where propensities lack.
    """
    from paretail.policy.agents.judging import slates
    from paretail.policy.agents.logs import replayed
    from paretail.policy.agents.memory import picked

    known = agent_of(recommender, policy)
    visited = visits_of(recommender, events, known.agent.slots, known.wares)
    learned = recommender.manifest.facts[FACT][policy].get("learned")
    log, remarks = unlearned(visited, learned)
    if (weights := known.weights(setting)) is not None and known.goals is not None:
        known.agent.aim(weights)
        log = replace(log, reward=log.brought.sum(1) @ (weights / known.goals.units))
    mine = log.of_items(known.of_bundle)
    best = slates(known.agent, picked(replayed(known.agent, mine).states, np.arange(len(mine))))
    among = min(CANDIDATES, len(known.rows))
    target = [
        odds(own, shown, among, explore).prod() for own, shown in zip(best, mine.rows.astype(np.int32), strict=True)
    ]
    episodes = _episodes(mine, np.array(target))
    seen = looked_at(episodes.weights, None, episodes.groups)
    incumbent = Terms.mean(mine.returns)
    found = gate(wpdis(episodes), incumbent, seen, margin, candidates=candidates, groups=episodes.groups)
    return PolicyRelease(found, (*remarks, f"The log has {visited.told()}"))


def unlearned(visited: Visited, learned: Mapping[str, Any] | None) -> tuple[SessionLog, tuple[str, ...]]:
    """Return the visits on which an agent may be judged, and what to tell of it; raises DataError (AGENT-16)."""
    if learned is None:
        return visited.log, ("It is not known on which visits this agent learned: if on these, it looks too good",)
    log, (known, fitted, _) = visited.log, np.cumsum(learned["shares"])
    began = visited.ts_ms[log.starts]
    outside = (began < learned["from_ms"]) | (began > learned["to_ms"])
    drawn = drawn_users(log.user[log.starts])
    free = outside | ((drawn >= known) & (drawn < fitted))
    if free.sum() < FEWEST_SESSIONS:
        found = f"of {len(free):,} visits the agent learned on or was chosen by all but {free.sum():,}"
        do = "Give a log that goes on after what the agent learned from, or begin it as an experiment"
        raise DataError(Problem("AGENT-16", found, f"Expected {FEWEST_SESSIONS} others at least", do))
    told = f"Judged on {free.sum():,} of {len(free):,} visits: the agent learned on the others, or was chosen by them"
    return visited.pick(free).log, () if free.all() else (told,)


def _episodes(log: SessionLog, target: Values) -> Episodes:
    """Return the visits of a log as rows of decisions."""
    session = np.repeat(np.arange(len(log.starts)), log.lengths)
    step = np.arange(len(log)) - np.repeat(log.starts, log.lengths)
    shape = (len(log.starts), int(log.lengths.max()))

    def spread(values: Values) -> Values:
        full = np.zeros(shape)
        full[session, step] = values
        return full

    there = spread(np.ones(len(log))) > 0
    return Episodes(
        spread(log.reward), spread(log.propensity.prod(axis=1)), spread(target), there, groups=log.user[log.starts]
    )
