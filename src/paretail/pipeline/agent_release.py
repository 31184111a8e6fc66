"""Whether an agent of a bundle may fill the lists that a log shows: the gate of `evaluate/release.py`, by visit.

The agent goes through the log's visits as it would have, and its slates there tell with which odds it would have shown
what was shown. Weights multiply over a visit (`evaluate/offpolicy/sequential.py`, `wpdis`), so the guards refuse
agents far from what is served, which begin as an experiment. Deviation: the agent chooses among all its items, where at
work it has the retriever's candidates.
"""

import numpy as np

from paretail.data.odds import odds
from paretail.data.sessions import SessionLog
from paretail.data.types import Events
from paretail.evaluate.offpolicy.guards import looked_at
from paretail.evaluate.offpolicy.logged import Values
from paretail.evaluate.offpolicy.sequential import Episodes, wpdis
from paretail.evaluate.offpolicy.terms import Terms
from paretail.evaluate.release import Release, gate
from paretail.pipeline.agents import agent_of
from paretail.pipeline.ranking import CANDIDATES
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.sessions import sessions_of


def release_policy(
    recommender: Recommender, events: Events, policy: str, explore: float, margin: float, candidates: int = 1
) -> Release:
    """Say whether an agent may replace what a log shows; the reward of a visit is its clicks and purchases.

    Raises BundleError (AGENT-13), and DataError: SESS-02 for too few visits, OFFP-01 where propensities lack.
    """
    from paretail.policy.agents.judging import slates
    from paretail.policy.agents.logs import replayed
    from paretail.policy.agents.memory import picked

    known = agent_of(recommender, policy)
    log = sessions_of(recommender, events, known.agent.slots, known.wares)
    mine = log.of_items(known.of_bundle)
    best = slates(known.agent, picked(replayed(known.agent, mine).states, np.arange(len(mine))))
    among = min(CANDIDATES, len(known.rows))
    target = [
        odds(own, shown, among, explore).prod() for own, shown in zip(best, mine.rows.astype(np.int32), strict=True)
    ]
    episodes = _episodes(mine, np.array(target))
    seen = looked_at(episodes.weights, None, episodes.groups)
    incumbent = Terms.mean(mine.returns)
    return gate(wpdis(episodes), incumbent, seen, margin, candidates=candidates, groups=episodes.groups)


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
