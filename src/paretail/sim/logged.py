"""Logs of the simulated shop: visits under an epsilon-greedy policy, with the probability of every slot."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.core.rng import rng_for
from paretail.data.odds import drawn
from paretail.data.sessions import SessionLog
from paretail.sim.lives import Draws, Outcome, draw, step
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

    All policies of one seed meet the same users with the same luck. One that remembers what it showed has the methods
    `reset`, called before each block of visits, `shown`, which is told the slates with their random items, and `keep`,
    which is told who of those asked for last is still there; without `keep` it is asked for those who left, too.
    """
    rng, weights = rng_for("sim/logged", seed), (reward or Reward()).weights
    pool = np.arange(shop.sizes.users, dtype=np.int32) if users is None else users
    told: list[dict[str, Any]] = []
    for first in range(0, visits, _BLOCK):
        state = shop.start(pool[rng.integers(len(pool), size=min(_BLOCK, visits - first))])
        told += _block(shop, policy, state, first, epsilon, seed, weights)
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
    shop: Visits, policy: Informed | Policy, state: State, first: int, epsilon: float, seed: int,
    weights: NDArray[np.float64],
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the decisions, step by step; only who is there is asked for slates, where the policy allows it."""
    luck, own = (rng_for(f"sim/logged/{first}{name}", seed) for name in ("", "/policy"))
    told: list[dict[str, Any]] = []
    observer, items = Observer(shop), np.arange(shop.sizes.items)
    visits, count = np.arange(len(state)), len(state)
    seen = observer(state)
    if (reset := getattr(policy, "reset", None)) is not None:
        reset()
    keep = getattr(policy, "keep", None)
    while state.here.any():
        if not state.here.all() and (keep is not None or reset is None):
            here = state.here
            state, visits, seen = state.pick(here), visits[here], {name: part[here] for name, part in seen.items()}
            if keep is not None:
                keep(here)
        wanted = policy.slate(state, own) if isinstance(policy, Informed) else policy(seen)
        chosen = [drawn(best, items, epsilon, own) for best in wanted]
        rows, odds = (np.stack(column) for column in zip(*chosen, strict=True))
        if (shown := getattr(policy, "shown", None)) is not None:
            shown(rows)
        here, before, draws = state.here, seen, draw(shop, count, luck)
        state, outcome = step(shop, state, rows, Draws(draws.of_slot[visits], draws.of_user[visits]))
        seen = observer(state)
        number = {"session": first + visits, "step": np.full(len(visits), len(told)), "user": state.user}
        told.append(_told(here, number, before, seen, rows, odds, outcome, outcome.goals @ weights))
    return told


def _told(
    here: NDArray[np.bool_], number: dict[str, NDArray[Any]], before: Observation, after: Observation, rows: Rows,
    odds: NDArray[np.float64], outcome: Outcome, reward: NDArray[np.float64],
) -> dict[str, Any]:  # fmt: skip
    return {
        **{name: column[here].astype(np.int64) for name, column in number.items()},
        "seen": {key: value[here] for key, value in before.items()},
        "after": {key: value[here] for key, value in after.items()}, "rows": rows[here].astype(np.int64),
        "clicks": outcome.clicked[here].astype(np.float32), "propensity": odds[here], "reward": reward[here],
        "ended": outcome.left[here],
    }  # fmt: skip
