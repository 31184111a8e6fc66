"""The true value of a policy: mean goals of many episodes in the simulator, and paired comparisons.

All policies of one seed meet the same users with the same luck (common random numbers), so that the difference of two
has a smaller standard error than their values have. A policy is a callable from an observation of many users to slates
`[lanes, slots]` of item rows, or an `Informed` one, which sees the state. A `reset` of the policy is called before each
block of episodes. Users who left are still asked for slates, which nobody sees, so that rows keep their place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.core.rng import rng_for
from paretail.sim.lives import draw, step
from paretail.sim.observe import Observation, Observer
from paretail.sim.rivals import Informed
from paretail.sim.truth import Values
from paretail.sim.visits import GOALS, Reward, State, Visits

Policy = Callable[[Observation], Rows]
#: Episodes that run side by side.
_BLOCK: Final = 250


@dataclass(frozen=True, eq=False)
class Rollout:
    """What each episode brought: `goals[episodes, goals]`, its reward, slates seen, visits, mean boredom, refunds."""

    user: Rows
    goals: Values
    reward: Values
    slates: NDArray[np.int64]
    visits: NDArray[np.int64]
    boredom: Values
    returned: NDArray[np.int64]

    def mean(self) -> dict[str, tuple[float, float]]:
        """Return mean and standard error of every goal, of the reward and of the slates of an episode."""
        columns = dict(zip(GOALS, self.goals.T, strict=True)) | {"reward": self.reward, "slates": self.slates}
        return {name: mean_se(column) for name, column in columns.items()}


def rollout(
    shop: Visits,
    policy: Policy | Informed,
    episodes: int = 1000,
    seed: int = 0,
    reward: Reward | None = None,
    users: Rows | None = None,
) -> Rollout:
    """Run the policy on users drawn evenly from `users`, by default all; the same seed brings the same luck."""
    weights = (reward or Reward()).weights
    pool = np.arange(shop.sizes.users, dtype=np.int32) if users is None else users
    parts = []
    for block, first in enumerate(range(0, episodes, _BLOCK)):
        rng, own = rng_for(f"sim/rollout/{block}", seed), rng_for(f"sim/rollout/{block}/policy", seed)
        state = shop.start(pool[rng.integers(len(pool), size=min(_BLOCK, episodes - first))])
        parts.append(_run(shop, policy, state, rng, own))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    user, goals, slates, visits, boredom, returned = columns
    return Rollout(user, goals, goals @ weights, slates, visits, boredom / np.maximum(slates, 1), returned)


def difference(one: Rollout, other: Rollout) -> tuple[float, float]:
    """Return mean and standard error of the reward of `one` minus that of `other`, episode by episode.

    Raises:
        ValueError: the two did not meet the same users.
    """
    if not np.array_equal(one.user, other.user):
        raise ValueError("the rollouts met other users: give both the same shop, seed and number of episodes")
    return mean_se(one.reward - other.reward)


def mean_se(values: NDArray[np.generic]) -> tuple[float, float]:
    """Return mean and standard error."""
    numbers = np.asarray(values, dtype=float)
    spread = numbers.std(ddof=1) / np.sqrt(len(numbers)) if len(numbers) > 1 else np.nan
    return float(numbers.mean()), float(spread)


def _run(
    shop: Visits, policy: Policy | Informed, state: State, rng: np.random.Generator, own: np.random.Generator
) -> tuple[NDArray[Any], ...]:
    """Run one block of episodes to their ends; `rng` is the users' luck, `own` the policy's."""
    lanes, observer = len(state), Observer(shop)
    goals, boredom = np.zeros((lanes, len(GOALS))), np.zeros(lanes)
    slates, returned = np.zeros(lanes, dtype=np.int64), np.zeros(lanes, dtype=np.int64)
    if (reset := getattr(policy, "reset", None)) is not None:
        reset()
    while state.here.any():
        slate = policy.slate(state, own) if isinstance(policy, Informed) else policy(observer(state))
        slates += state.here
        state, outcome = step(shop, state, slate, draw(shop, lanes, rng))
        goals, boredom = goals + outcome.goals, boredom + outcome.boredom
        returned += outcome.back.sum(axis=1)
    return state.user, goals, slates, state.visit.astype(np.int64) + 1, boredom, returned
