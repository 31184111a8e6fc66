"""Where agents learn and by whom they are judged: the simulated shop, its logs, or a shop's own log.

| agent | `--env` | learns from | judged by |
|---|---|---|---|
| ppo, dqn, reinforce | sim | visits that it makes itself | visits of users that it did not learn on |
| cql, bcq, iql | sim | a log of the simulated shop under an epsilon-greedy policy | the same |
| cql, bcq, iql | logs | a shop's log of what was shown | fitted-Q evaluation on other users of the log |
| ppo, dqn, reinforce | logs | visits to a model of users fitted to that log | the same |

The users of a log are divided in three by their ids (`SHARES`): an agent, and the model of users that it learns in,
know the first part; the model of users whose features evaluation stands on is fitted to the second; the looks at an
agent are at the third. So no model of users judges what was learned from it.
"""

from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.progress import Progress

Values = NDArray[np.float64]
LANES: Final = 8
#: The log of the simulated shop: visits, and the share of slots that are random.
LOGGED_VISITS: Final = 2000
EPSILON: Final = 0.2
#: Users of a log from whom is learned, to whom the judge's model of users is fitted, and at whom agents are looked at.
SHARES: Final = (0.5, 0.25, 0.25)
#: Luck of the simulated shop at looks, and at the last one, at which nothing is chosen.
LOOKS: Final = 1_000_000
LAST: Final = 2_000_000


class Ground(Protocol):
    """What learning needs of a place."""

    #: What `learn` of an agent takes.
    source: Any
    #: What a value is, in the report.
    judged: str

    @property
    def mark(self) -> Mapping[str, str]:
        """By what a run that was stopped knows that this is where it learned."""
        ...

    def new(self) -> Any:
        """Return an agent that has learned nothing."""
        ...

    def load(self, folder: Path) -> Any:
        """Return an agent that was saved."""
        ...

    def value(self, agent: Any) -> tuple[float, float]:
        """Return what the agent is worth, and the standard error; NaN where it cannot be told."""
        ...

    def tested(self, agent: Any) -> tuple[float, float] | None:
        """Return what an agent that was chosen by looks is worth where none was taken; None where nothing is left."""
        ...

    def rivals(self) -> dict[str, float]:
        """Return what others are worth."""
        ...

    def users(self) -> dict[str, Any] | None:
        """Return how models of users are calibrated on visits that they were not fitted to, by what they are for."""
        ...


class Simulated:
    """The simulated shop: its visits, or for agents that learn from logs, a log of it."""

    mark: Final[Mapping[str, str]] = {}  # the seed says it all
    judged = "Mean reward of a visit ± 95 %, all on the same visits of users that nobody learned on."

    def __init__(self, agent: str, seed: int, visits: int, progress: Progress) -> None:
        from paretail.policy.agents import AGENTS, FROM_LOGS
        from paretail.sim import preset
        from paretail.sim.environment import ShopVectorEnv
        from paretail.sim.logged import logged
        from paretail.sim.rivals import Relevant

        self.seed, self.visits, self.shop = seed, visits, preset.frozen_shop(seed)
        self.env = ShopVectorEnv(LANES, self.shop, preset.REWARD, preset.learners(self.shop))
        self.kind: Any = AGENTS.get(agent) or FROM_LOGS[agent]
        self.reward, self.judges = preset.REWARD, preset.judges(self.shop)
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
        from paretail.sim.rollout import mean_se

        return mean_se(self._visited(agent.crowd(), LOOKS).reward)

    def tested(self, agent: Any) -> tuple[float, float] | None:
        """Return mean and standard error of visits with other luck."""
        from paretail.sim.rollout import mean_se

        return mean_se(self._visited(agent.crowd(), LAST).reward)

    def _visited(self, policy: Any, luck: int) -> Any:
        from paretail.sim.rollout import rollout

        return rollout(self.shop, policy, self.visits, luck + self.seed, self.reward, self.judges)

    def rivals(self) -> dict[str, float]:
        """Return the mean rewards of others on the visits of the last look, and of the log."""
        from paretail.sim.rivals import Popular, Relevant, Rested

        found = {
            rival.__name__.lower(): float(self._visited(rival(self.shop), LAST).reward.mean())
            for rival in (Popular, Relevant, Rested)
        }
        return found if self.source is self.env else found | {"log": float(self.source.returns.mean())}

    def users(self) -> dict[str, Any] | None:
        """Return None: people of the simulated shop are no model of a log's."""
        return None


class Logged:
    """A shop's log: an agent learns from the visits of some users, or in a model fitted to them; others judge it."""

    def __init__(
        self, agent: str, seed: int, bundle: Path, log: Path, slots: int, dials: bool, progress: Progress
    ) -> None:
        from paretail.pipeline.holdout import read_events
        from paretail.pipeline.recommender import Recommender
        from paretail.pipeline.sessions import Wares, visits_of
        from paretail.policy.agents import AGENTS, FROM_LOGS
        from paretail.policy.agents.judging import Judge
        from paretail.policy.agents.shop import shop_space
        from paretail.policy.agents.users import UserModel

        progress("Reading visits")
        self.recommender = Recommender.load(bundle)
        self.wares = Wares.of(self.recommender)
        events = read_events(log, self.recommender.manifest.config)
        self.visited = visits_of(self.recommender, events, slots, self.wares)
        self.mark = {"data": mark(self.recommender, self.visited.log)}
        self.learned, fitted, self.other = self.visited.log.parts(*SHARES)
        self.kind: Any = AGENTS.get(agent) or FROM_LOGS[agent]
        self.slots, self.dials = slots, dials
        self.space = shop_space(self.wares.width, len(self.wares.vectors), slots)
        mind = FROM_LOGS["iql"](self.space, self.wares.vectors, slots)
        progress("Fitting the judge's model of users")
        self.judge = Judge(UserModel.fit(mind, fitted, seed), self.other)
        self.inside: UserModel | None = None
        self.source: Any = self.learned
        self.worth = Worth.of(self.learned, self.recommender)
        if agent in AGENTS:
            progress("Fitting the model of users to learn in")
            self._imagine(seed)
        self.judged = (
            f"Estimated reward of a visit ± 95 %, by fitted-Q evaluation on {len(self.other.starts):,} visits; its "
            f"features are those of a model of users fitted to {len(fitted.starts):,} others. The agent learned "
            f"{'in a model of users fitted to' if self.inside else 'from'} {len(self.learned.starts):,} visits. No "
            f"user is in two of the three. The log has {self.visited.told()}."
        )

    def _imagine(self, seed: int) -> None:
        from paretail.policy.agents import FROM_LOGS
        from paretail.policy.agents.imagined import Imagined
        from paretail.policy.agents.users import UserModel

        mind = FROM_LOGS["iql"](self.space, self.wares.vectors, self.slots)
        self.inside = UserModel.fit(mind, self.learned, seed)
        self.source = Imagined(self.inside, self.learned, self.worth.items, self.worth.reward, LANES)

    def new(self) -> Any:
        """Return an agent that has learned nothing."""
        goals = len(self.worth.reward) if self.dials else 0
        agent = self.kind(self.space, self.wares.vectors, self.slots, {"greedy": True, "goals": goals})
        if goals:
            agent.aim(self.worth.usual)
        return agent

    def load(self, folder: Path) -> Any:
        """Return an agent that was saved."""
        return self.kind.load(folder)

    def value(self, agent: Any) -> tuple[float, float]:
        """Return the estimate and its standard error, NaN where a guard refuses it."""
        found = self.judge.estimate(agent)
        return (np.nan, np.nan) if found.refused else (found.value, (found.high - found.low) / 3.92)

    def tested(self, agent: Any) -> tuple[float, float] | None:
        """Return None: the release gate judges on what is left."""
        return None

    def rivals(self) -> dict[str, float]:
        """Return what the log's own visits brought."""
        return {"log": float(self.other.returns.mean())}

    def users(self) -> dict[str, Any] | None:
        """Return how the judge's model of users, and the one that was learned in, are calibrated."""
        found = {"judge": self.judge.calibration}
        if self.inside is not None:
            found["learned in"] = self.inside.calibration(self.other)
        return {name: {what: [asdict(one) for one in bins] for what, bins in told.items()}
                for name, told in found.items()}  # fmt: skip

    def facts(self) -> dict[str, Any]:
        """Return what a bundle keeps of where its agent learned, and of the goals that move it."""
        ts_ms = self.visited.ts_ms
        told = {"learned": {"from_ms": int(ts_ms.min()), "to_ms": int(ts_ms.max()), "shares": list(SHARES),
                            "visits": len(self.learned.starts)}}  # fmt: skip
        return told if not self.dials else told | {"goals": self.worth.to_json()}


def mark(recommender: Any, log: Any) -> str:
    """Return a fingerprint of the events and ids that a bundle was trained on and of the visits of a log."""
    names = "\n".join([recommender.manifest.data_fingerprint, *recommender.items.ids.to_list()])
    columns = [part.tobytes() for part in (log.session, log.rows, log.clicks, log.reward)]
    return sha256(b"".join([names.encode(), *columns])).hexdigest()[:16]


class Worth:
    """What clicks on items bring of each goal, in units of which a click brings one on average."""

    def __init__(self, names: tuple[str, ...], items: Values, units: Values, reward: Values) -> None:
        self.names, self.items, self.units, self.reward = names, items, units, reward

    @classmethod
    def of(cls, log: Any, recommender: Any) -> "Worth":
        """Return it by a log; revenue by prices and chances of a purchase, where the catalogue has prices."""
        from paretail.pipeline.sessions import GOALS
        from paretail.policy.agents.imagined import worth_of

        found = worth_of(log, len(recommender.items))
        if "price_minor" in recommender.catalogue.columns:
            price = recommender.catalogue["price_minor"].cast(pl.Float64).fill_null(strategy="mean").fill_null(0)
            bought, revenue = GOALS.index("purchases"), GOALS.index("revenue")
            found[:, revenue] = found[:, bought] * np.maximum(price.to_numpy(), 0)
        shown = np.bincount(log.rows.ravel(), log.clicks.ravel(), len(found))
        units = np.maximum((shown[:, None] * found).sum(0) / max(shown.sum(), 1.0), 1e-9)
        counts = np.array([float(name in ("clicks", "purchases")) for name in GOALS])
        return cls(GOALS, found / units, units, counts * units)

    @property
    def usual(self) -> Values:
        """Weights of the goals, together 1, that are the reward: clicks + purchases."""
        return np.asarray(self.reward / self.reward.sum())

    def to_json(self) -> dict[str, Any]:
        """Return names, units and the usual weights as plain values."""
        return {"names": list(self.names), "units": self.units.tolist(), "usual": self.usual.tolist()}
