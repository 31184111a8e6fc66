"""The visited shop as gymnasium environments: one user (`ShopEnv`), or many at once (`ShopVectorEnv`).

Observation: a Dict, see `sim/observe.py`. Action: a slate, `MultiDiscrete` of one item row a slot, best position first;
a row that stands twice is an empty place the second time. Reward: the goals of the step weighted by `Reward`;
`info["goals"]` is the vector in the order of GOALS, and `info["carted"]`, `["bought"]`, `["back"]` tell which slots. An
episode is one visit or, with `life=True` in `VisitConfig`, all visits within `days`: it terminates when the visit ends
(when the user never comes back) and is truncated when the days are over. Same seed and actions, same bytes.

`ShopVectorEnv` resets a user who left at the step after (`AutoresetMode.NEXT_STEP`), as gymnasium's own do by default.
Needs the extra `agents` (SIM-02).
"""

from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import need_extra
from paretail.core.ids import Rows
from paretail.core.rng import rng_for
from paretail.sim.lives import Outcome, draw, step
from paretail.sim.observe import LARGEST, Observation, Observer
from paretail.sim.truth import SimConfig, Values, grow
from paretail.sim.visits import Reward, State, Tastes, VisitConfig, Visits

need_extra(
    "SIM-02", ("gymnasium",), "Environments need the extra `agents`", "Install it: pip install 'paretail[agents]'"
)

import gymnasium  # noqa: E402  # only where it is there
from gymnasium import spaces  # noqa: E402  # only where it is there
from gymnasium.vector import AutoresetMode, VectorEnv  # noqa: E402  # only where it is there
from gymnasium.vector.utils import batch_space  # noqa: E402  # only where it is there

_REWARD: Final = Reward()


def visited(sizes: SimConfig | None = None, config: VisitConfig | None = None, seed: int = 0) -> Visits:
    """Return a shop to visit: by default 1,000 items and 2,000 users, the tastes of `seed`."""
    sizes = sizes or SimConfig(users=2000, items=1000)
    return Visits(grow(sizes, rng_for("sim/truth", seed)), config)


def observation_space(observer: Observer) -> spaces.Dict[Any]:
    """Return the space of one user's observations."""
    shop = observer.shop
    slots, items = shop.config.slots, shop.sizes.items
    return spaces.Dict(
        {
            "user": spaces.Box(-LARGEST, LARGEST, observer.users.shape[1:], np.float32),
            "session": spaces.Box(0.0, 1.0, (2 * shop.categories + 3,), np.float32),
            "last": spaces.Box(-LARGEST, LARGEST, observer.items.shape[1:], np.float32),
            "slate": spaces.Box(-1, items - 1, (slots,), np.int64),
            "clicked": spaces.MultiBinary(slots),
        }
    )


class ShopEnv(gymnasium.Env[Observation, NDArray[np.int64]]):
    """One user at a time, drawn evenly, or told: `reset(options={"user": row})`."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  # gymnasium declares it as an attribute of instances

    def __init__(self, shop: Visits | None = None, reward: Reward = _REWARD) -> None:
        self.shop, self.reward_weights = shop or visited(), reward.weights
        self._observer = Observer(self.shop)
        self.item_vectors = self._observer.items
        self.observation_space = cast("spaces.Space[Observation]", observation_space(self._observer))
        self.action_space = spaces.MultiDiscrete([self.shop.sizes.items] * self.shop.config.slots)
        self._state: State | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode with a new user."""
        super().reset(seed=seed)
        drawn = self.np_random.integers(self.shop.sizes.users)
        user = int((options or {}).get("user", drawn))
        self._state = self.shop.start(np.array([user], dtype=np.int32))
        return self._seen(), {"user": user}

    def step(self, action: NDArray[np.int64]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Show a slate.

        Raises:
            DataError: no slate of rows of items (SIM-01).
            gymnasium.error.ResetNeeded: nobody is there.
        """
        if self._state is None or not self._state.here[0]:
            raise gymnasium.error.ResetNeeded("nobody is there: call reset() to begin an episode")
        luck = draw(self.shop, 1, self.np_random)
        self._state, outcome = step(self.shop, self._state, np.asarray(action)[None], luck)
        reward = float(outcome.goals[0] @ self.reward_weights)
        info = {name: value[0] for name, value in _info(outcome).items()}
        return self._seen(), reward, bool(outcome.left[0]), bool(outcome.over[0]), info

    def _seen(self) -> Observation:
        assert self._state is not None
        return {name: rows[0] for name, rows in self._observer(self._state).items()}


class ShopVectorEnv(VectorEnv[Observation, NDArray[np.int64], NDArray[np.generic]]):
    """Many users side by side; as fast as the arrays allow."""

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(
        self, num_envs: int, shop: Visits | None = None, reward: Reward = _REWARD, users: Rows | None = None
    ) -> None:
        """`users`: who may come, evenly drawn; by default all."""
        self._users = users
        self.num_envs, self.shop, self.reward_weights = num_envs, shop or visited(), reward.weights
        self._observer = Observer(self.shop)
        self.item_vectors = self._observer.items
        self.single_observation_space = observation_space(self._observer)
        self.single_action_space = spaces.MultiDiscrete([self.shop.sizes.items] * self.shop.config.slots)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._state: State | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode in every lane."""
        super().reset(seed=seed)
        self._state = self.shop.start(self._newcomers(self.num_envs))
        return self._observer(self._state), {"user": self._state.user}

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[Observation, Values, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Show a slate to each user; lanes whose user left get a new one instead, at no reward.

        Raises:
            DataError: no slates of rows of items (SIM-01).
            gymnasium.error.ResetNeeded: nobody is there yet.
        """
        if self._state is None:
            raise gymnasium.error.ResetNeeded("nobody is there: call reset() to begin")
        anew = np.flatnonzero(~self._state.here)
        self._state, outcome = step(self.shop, self._state, actions, draw(self.shop, self.num_envs, self.np_random))
        if len(anew):
            self._state = _with(self._state, anew, self.shop.start(self._newcomers(len(anew))))
        rewards = outcome.goals @ self.reward_weights
        return self._observer(self._state), rewards, outcome.left, outcome.over, _info(outcome)

    def _newcomers(self, count: int) -> Rows:
        if self._users is not None:
            return self._users[self.np_random.integers(len(self._users), size=count)]
        return self.np_random.integers(self.shop.sizes.users, size=count).astype(np.int32)


def _info(outcome: Outcome) -> dict[str, NDArray[np.generic]]:
    return {"goals": outcome.goals, "carted": outcome.carted, "bought": outcome.bought, "back": outcome.back}


def _with(state: State, lanes: NDArray[np.integer], fresh: State) -> State:
    """Return the state with `lanes` replaced by the fresh ones."""
    tastes = _put(vars(state.tastes), vars(fresh.tastes), lanes)
    columns = {name: column for name, column in vars(state).items() if name != "tastes"}
    return State(**_put(columns, vars(fresh), lanes), tastes=Tastes(**tastes))


def _put(columns: dict[str, Any], fresh: dict[str, Any], lanes: NDArray[np.integer]) -> dict[str, Any]:
    columns = {name: column.copy() for name, column in columns.items()}
    for name, column in columns.items():
        column[lanes] = fresh[name]
    return columns
