"""Visits as a model of users tells them: an environment in which agents try what a shop would not try on people.

The model (`users.py`) is fitted to a log. Each lane is a visit: a user of the log, as it began a visit there, is shown
slates; by the model's chances slots are clicked and the user stays for another,

    c_j ~ P(click at j | visit, slots above),   stay ~ P(stay | visit, slate),   goals = Σ_j c_j worth(i_j)

and a click on item i is worth what clicks on it brought, on average, of each goal (`worth_of`). Visits are cut at the
length of the log's longest. What an agent earns here is the model's own word, by which no agent is judged: whoever
evaluates takes users to whom nothing here was fitted (`judging.py`).
Source: learning in a model of users, as X. Chen et al., "Generative Adversarial User Model for Reinforcement Learning
Based Recommendation System", 2019, arXiv:1812.10613; deviations: the model is fitted by likelihood, not adversarially.
"""

from typing import Any, Final

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from paretail.data.sessions import SessionLog
from paretail.policy.agents.users import UserModel

#: Clicks on an item that what is known of all items is worth.
_PRIOR: Final = 20.0
Values = NDArray[np.float64]
Rows = NDArray[np.int64]


class Imagined(VectorEnv[dict[str, NDArray[Any]], Rows, NDArray[np.generic]]):
    """Visits side by side; a lane whose user left gets a new one at the step after, at no reward."""

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012  # gymnasium declares it as an attribute of instances

    def __init__(self, users: UserModel, log: SessionLog, worth: Values, weights: Values, lanes: int = 8) -> None:
        """`worth[items, goals]`: what a click brings; `weights[goals]`: what goals count in the reward."""
        mind = users.mind
        self.users, self.num_envs, self.worth, self.weights = users, lanes, worth, weights
        self._who = np.asarray(log.seen["user"])[log.starts]
        self.longest = int(log.lengths.max())
        self.single_observation_space = mind.observation_space
        self.single_action_space = spaces.MultiDiscrete([len(mind.vectors)] * mind.slots)
        self.observation_space = batch_space(self.single_observation_space, lanes)
        self.action_space = batch_space(self.single_action_space, lanes)
        self._over = np.zeros(lanes, bool)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Begin a visit in every lane."""
        super().reset(seed=seed)
        self._memory = self.users.mind.memory(self.num_envs)
        self._user, self._step = self._newcomers(self.num_envs), np.zeros(self.num_envs, np.int64)
        self._rows = np.full((self.num_envs, self.users.mind.slots), -1, np.int64)
        self._clicked = np.zeros(self._rows.shape, np.int8)
        self._over[:] = False
        return self._seen(), {}

    def step(
        self, actions: Rows
    ) -> tuple[dict[str, NDArray[Any]], Values, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Show a slate to each user."""
        anew, rows = self._over.copy(), np.asarray(actions, np.int64)
        clicks, stays = self.users.predicted(self._states(), rows)
        clicked = self.np_random.random(clicks.shape) < clicks
        left = (self.np_random.random(self.num_envs) >= stays) & ~anew
        self._memory.note(rows, clicked.astype(np.float32), self.users.mind.usual)
        self._rows, self._clicked, self._step = rows, clicked.astype(np.int8), self._step + 1
        goals = (clicked[..., None] * self.worth[rows]).sum(1) * ~anew[:, None]
        cut = (self._step >= self.longest) & ~left & ~anew
        self._begin(anew)
        self._over = left | cut
        return self._seen(), goals @ self.weights, left, cut, {"goals": goals}

    def _begin(self, lanes: NDArray[np.bool_]) -> None:
        if not lanes.any():
            return
        self._memory.reset(lanes)
        self._user = self._user.copy()
        self._user[lanes], self._step[lanes] = self._newcomers(int(lanes.sum())), 0
        self._rows = np.where(lanes[:, None], -1, self._rows)
        self._clicked = np.where(lanes[:, None], 0, self._clicked).astype(np.int8)

    def _newcomers(self, count: int) -> NDArray[Any]:
        return np.asarray(self._who[self.np_random.integers(len(self._who), size=count)])

    def _seen(self) -> dict[str, NDArray[Any]]:
        return {"user": self._user, "slate": self._rows, "clicked": self._clicked}

    def _states(self) -> dict[str, NDArray[np.generic]]:
        mind = self.users.mind
        raw = mind.reader.raw(self._seen(), self.num_envs)
        return {"obs": mind.reader.features(raw), "aim": mind.aims(self.num_envs, None), **self._memory.state(False)}


def worth_of(log: SessionLog, items: int) -> Values:
    """Return `[items, goals]`: what a click on each item brings, drawn to what one brings on any."""
    clicks = np.bincount(log.rows.ravel(), log.clicks.ravel(), items)
    flat = log.brought.reshape(-1, log.brought.shape[2])
    brought = np.stack([np.bincount(log.rows.ravel(), goal, items) for goal in flat.T], 1)
    usual = brought.sum(0) / max(clicks.sum(), 1.0)
    return np.asarray((brought + _PRIOR * usual) / (clicks[:, None] + _PRIOR))
