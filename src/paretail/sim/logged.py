"""Logs of the simulated shop: visits under an epsilon-greedy policy, with the probability of every slot."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.core.rng import rng_for
from paretail.data.odds import drawn
from paretail.data.sessions import SessionLog
from paretail.sim.lives import Outcome, draw, step
from paretail.sim.observe import Observation, Observer
from paretail.sim.rivals import Informed
from paretail.sim.rollout import Policy
from paretail.sim.visits import Reward, State, Visits

#: Visits that run side by side.
_BLOCK: Final = 250
_SIDES: Final = ("seen", "after")


def logged(
    shop: Visits, policy: Informed | Policy, visits: int, epsilon: float = 0.2, seed: int = 0,
    reward: Reward | None = None, users: Rows | None = None,
) -> SessionLog:  # fmt: skip
    """Return the log of so many visits under the policy, each slot a random item with probability `epsilon`.

    A policy that remembers what it showed has a method `shown`, which is told the slates with their random items, and
    `reset`, called before each block of visits.
    """
    rng, weights = rng_for("sim/logged", seed), (reward or Reward()).weights
    pool = np.arange(shop.sizes.users, dtype=np.int32) if users is None else users
    told: list[dict[str, Any]] = []
    for first in range(0, visits, _BLOCK):
        state = shop.start(pool[rng.integers(len(pool), size=min(_BLOCK, visits - first))])
        told += _block(shop, policy, state, first, epsilon, rng, weights)
    columns: dict[str, Any] = {
        name: np.concatenate([one[name] for one in told]) for name in told[0] if name not in _SIDES
    }
    for side in _SIDES:
        columns[side] = {key: np.concatenate([one[side][key] for one in told]) for key in told[0][side]}
    order = np.lexsort((columns.pop("step"), columns["session"]))
    return SessionLog(**{name: _ordered(column, order) for name, column in columns.items()})


def _ordered(column: Any, order: NDArray[np.int64]) -> Any:
    return {key: value[order] for key, value in column.items()} if isinstance(column, dict) else column[order]


def _block(
    shop: Visits, policy: Informed | Policy, state: State, first: int, epsilon: float, rng: np.random.Generator,
    weights: NDArray[np.float64],
) -> list[dict[str, Any]]:  # fmt: skip
    observer, told, count, items = Observer(shop), [], 0, np.arange(shop.sizes.items)
    seen = observer(state)
    if (reset := getattr(policy, "reset", None)) is not None:
        reset()
    while state.here.any():
        wanted = policy.slate(state, rng) if isinstance(policy, Informed) else policy(seen)
        chosen = [drawn(best, items, epsilon, rng) for best in wanted]
        rows, odds = (np.stack(column) for column in zip(*chosen, strict=True))
        if (shown := getattr(policy, "shown", None)) is not None:
            shown(rows)
        here, before = state.here, seen
        state, outcome = step(shop, state, rows, draw(shop, len(state), rng))
        seen = observer(state)
        told.append(_told(here, first, count, before, seen, rows, odds, outcome, outcome.goals @ weights, state.user))
        count += 1
    return told


def _told(
    here: NDArray[np.bool_], first: int, count: int, before: Observation, after: Observation, rows: Rows,
    odds: NDArray[np.float64], outcome: Outcome, reward: NDArray[np.float64], user: Rows,
) -> dict[str, Any]:  # fmt: skip
    which = np.flatnonzero(here)
    return {
        "session": first + which, "step": np.full(len(which), count), "user": user[which].astype(np.int64),
        "seen": {key: value[which] for key, value in before.items()},
        "after": {key: value[which] for key, value in after.items()}, "rows": rows[which].astype(np.int64),
        "clicks": outcome.clicked[which].astype(np.float32), "propensity": odds[which], "reward": reward[which],
        "ended": outcome.left[which],
    }  # fmt: skip
