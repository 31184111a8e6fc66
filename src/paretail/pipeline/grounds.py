"""Where agents learn and by whom they are judged: the simulated shop, its logs, or a shop's own log.

| agent | `--env` | learns from | judged by |
|---|---|---|---|
| ppo, dqn, reinforce | sim | visits that it makes itself | visits of users that it did not learn on |
| cql, bcq, iql | sim | a log of the simulated shop under an epsilon-greedy policy | the same |
| cql, bcq, iql | logs | a shop's log of what was shown | fitted-Q evaluation on the log's other half of users |
"""

from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from paretail.core.progress import Progress

LANES: Final = 8
#: The log of the simulated shop: visits, and the share of slots that are random.
LOGGED_VISITS: Final = 2000
EPSILON: Final = 0.2


class Ground(Protocol):
    """What learning needs of a place."""

    #: What `learn` of an agent takes.
    source: Any
    #: What a value is, in the report.
    judged: str

    def new(self) -> Any:
        """Return an agent that has learned nothing."""
        ...

    def load(self, folder: Path) -> Any:
        """Return an agent that was saved."""
        ...

    def value(self, agent: Any) -> tuple[float, float]:
        """Return what the agent is worth, and the standard error; NaN where it cannot be told."""
        ...

    def rivals(self) -> dict[str, float]:
        """Return what others are worth."""
        ...


class Simulated:
    """The simulated shop: its visits, or for agents that learn from logs, a log of it."""

    judged = "Mean reward of a visit ± 95 %, all on the same held-out visits."

    def __init__(self, agent: str, seed: int, visits: int, progress: Progress) -> None:
        from paretail.policy.agents import AGENTS, FROM_LOGS
        from paretail.sim import preset
        from paretail.sim.environment import ShopVectorEnv
        from paretail.sim.logged import logged
        from paretail.sim.rivals import Relevant

        self.seed, self.visits, self.shop = seed, visits, preset.frozen_shop(seed)
        self.env = ShopVectorEnv(LANES, self.shop, preset.REWARD, preset.learners(self.shop))
        self.kind: Any = AGENTS.get(agent) or FROM_LOGS[agent]
        self.reward, self.users = preset.REWARD, preset.judges(self.shop)
        self.source: Any = self.env
        if agent in FROM_LOGS:
            progress("Logging visits of the simulated shop")
            known = Relevant(self.shop)
            self.source = logged(
                self.shop, known, LOGGED_VISITS, EPSILON, seed, self.reward, preset.learners(self.shop)
            )

    def new(self) -> Any:
        """Return an agent that has learned nothing."""
        return self.kind(self.env.single_observation_space, self.env.item_vectors, self.shop.config.slots)

    def load(self, folder: Path) -> Any:
        """Return an agent that was saved."""
        return self.kind.load(folder)

    def value(self, agent: Any) -> tuple[float, float]:
        """Return mean and standard error of held-out visits."""
        from paretail.sim.rollout import mean_se, rollout

        return mean_se(rollout(self.shop, agent.crowd(), self.visits, self.seed, self.reward, self.users).reward)

    def rivals(self) -> dict[str, float]:
        """Return the mean rewards of others on the same visits, and of the log."""
        from paretail.sim.rivals import Popular, Relevant, Rested
        from paretail.sim.rollout import rollout

        found = {
            rival.__name__.lower(): float(
                rollout(self.shop, rival(self.shop), self.visits, self.seed, users=self.users).reward.mean()
            )
            for rival in (Popular, Relevant, Rested)
        }
        return found if self.source is self.env else found | {"log": float(self.source.returns.mean())}


class Logged:
    """A shop's log: an agent learns from the visits of one half of the users, and is judged on the others'."""

    judged = "Estimated reward of a visit ± 95 %, by fitted-Q evaluation on users that it did not learn on."

    def __init__(self, agent: str, seed: int, bundle: Path, log: Path, slots: int, progress: Progress) -> None:
        from paretail.pipeline.holdout import read_events
        from paretail.pipeline.recommender import Recommender
        from paretail.pipeline.sessions import Wares, sessions_of
        from paretail.policy.agents import FROM_LOGS
        from paretail.policy.agents.judging import Judge
        from paretail.policy.agents.shop import shop_space
        from paretail.policy.agents.users import UserModel

        progress("Reading visits")
        self.recommender = Recommender.load(bundle)
        self.wares = Wares.of(self.recommender)
        events = read_events(log, self.recommender.manifest.config)
        sessions = sessions_of(self.recommender, events, slots, self.wares)
        self.source, other = sessions.halves()
        self.kind, self.slots = FROM_LOGS[agent], slots
        self.space = shop_space(self.wares.width, len(self.wares.vectors), slots)
        progress("Fitting a model of users")
        self.judge = Judge(UserModel.fit(self.new(), self.source, seed), other)
        self.other = other

    def new(self) -> Any:
        """Return an agent that has learned nothing."""
        return self.kind(self.space, self.wares.vectors, self.slots)

    def load(self, folder: Path) -> Any:
        """Return an agent that was saved."""
        return self.kind.load(folder)

    def value(self, agent: Any) -> tuple[float, float]:
        """Return the estimate and its standard error, NaN where a guard refuses it."""
        found = self.judge.estimate(agent)
        return (np.nan, np.nan) if found.refused else (found.value, (found.high - found.low) / 3.92)

    def rivals(self) -> dict[str, float]:
        """Return what the log's own visits brought."""
        return {"log": float(self.other.returns.mean())}
