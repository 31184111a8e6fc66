"""What a setting would serve to the users of a log: how probable each candidate is at each place.

    pi_j(i) = P(i at place j),   without exploring 1 for the composed item and 0 for all others

Where `[policy] explore` is on, live slates are drawn at the setting's own heat (`policy/explore.py`), and so are these:
pi is the mean over DRAWS seeded draws of what is exact given the places above. Deviation: a shorter list is taken as
the top of a whole slate; live it would be drawn at the heat of its own length.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.core.rng import rng_for
from paretail.pipeline.requests import SEGMENTS
from paretail.pipeline.steering import Steering
from paretail.policy.explore import chances
from paretail.policy.goals import Goals
from paretail.policy.pool import Pool
from paretail.policy.slate import compose

#: Draws of each user's slates over which chances are averaged.
DRAWS: Final = 16
#: Users of whom chances are told at once.
BLOCK: Final = 64
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Shown:
    """Lists that were shown: `user[lists]` of a pool of `users`, `place[lists, slots]` among that user's candidates.

    -1 is none of them.
    """

    user: NDArray[np.int64]
    place: Rows
    users: int

    @classmethod
    def of(cls, pool: Pool, user: NDArray[np.int64], item_idx: Rows, items: int) -> "Shown":
        """Find the places of `item_idx[lists, slots]`, -1 for none, among the candidates of each list's user."""
        place = np.full(item_idx.shape, -1, np.int32)
        found = cls(user, place, pool.shape[0])
        for start in range(0, pool.shape[0], BLOCK):
            users = np.arange(start, min(start + BLOCK, pool.shape[0]))
            where = np.full((len(users), items), -1, np.int32)
            row, cand = np.nonzero(pool.item_idx[users] >= 0)
            where[row, pool.item_idx[users][row, cand]] = cand
            lists, own = found.of_users(users)
            mine = item_idx[lists]
            place[lists] = np.where(mine >= 0, where[own[:, None], np.maximum(mine, 0)], -1)
        return found

    def of_users(self, users: NDArray[np.integer]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the lists of some users, and of each list which of them it belongs to."""
        order, bounds = self._by_user
        first, last = bounds[users], bounds[np.asarray(users) + 1]
        lists = np.concatenate([order[a:b] for a, b in zip(first, last, strict=True)] or [order[:0]])
        return lists, np.repeat(np.arange(len(users)), last - first)

    @cached_property
    def _by_user(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Lists by user, and where each user's begin."""
        order = np.argsort(self.user, kind="stable")
        return order, np.searchsorted(self.user[order], np.arange(self.users + 1))


@dataclass(frozen=True, eq=False)
class Served:
    """A setting on lists that were shown.

    `odds[lists, slots]` is pi_j of what was shown at place j, `above[lists, slots]` that of what was shown above it;
    `expected[goal][users, slots]` what is expected there at position 1, `lacking[users, slots]` how much of pi falls on
    items that no list shows.
    """

    odds: Floats
    above: Floats
    expected: Mapping[str, Floats]
    lacking: Floats


def served(steering: Steering, goals: Goals | None, pool: Pool, shown: Shown, q: Mapping[str, Floats],
           never: NDArray[np.bool_]) -> Served:  # fmt: skip
    """Return what a setting would serve; `q[goal][users, cands]` is what is expected, `never[items]` are not shown."""
    k = shown.place.shape[1]
    odds, above = np.zeros(shown.place.shape), np.zeros(shown.place.shape)
    expected = {goal: np.zeros((pool.shape[0], k)) for goal in q}
    lacking = np.zeros((pool.shape[0], k))
    barred = (never[np.maximum(pool.item_idx, 0)] & pool.valid).astype(np.float64)
    for users, chance in _blocks(steering, goals, pool, k):
        lists, own = shown.of_users(users)
        place = shown.place[lists]
        at = chance[own[:, None, None], np.arange(k)[:, None], np.maximum(place, 0)[:, None, :]] * (place >= 0)[:, None]
        odds[lists] = np.diagonal(at, axis1=1, axis2=2)
        above[lists] = np.tril(at, -1).sum(axis=2)
        for goal, values in q.items():
            expected[goal][users] = np.einsum("usc,uc->us", chance, values[users])
        lacking[users] = np.einsum("usc,uc->us", chance, barred[users])
    return Served(odds, above, expected, lacking)


def _blocks(
    steering: Steering, goals: Goals | None, pool: Pool, k: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Yield blocks of users of one segment with the chances of their candidates, `[users, slots, cands]`."""
    segment, share = steering.segments(pool.past), steering.config.explore
    for number, name in enumerate(SEGMENTS):
        mine = np.flatnonzero(segment == number)
        if not len(mine):
            continue
        weights = steering.setting(goals, name, k).weights
        heat = steering.heat(goals, name, k, share)
        for start in range(0, len(mine), BLOCK):
            users = mine[start : start + BLOCK]
            part, rng = pool.rows(users), rng_for(f"pipeline/served/{name}/{start}", 0)
            if heat > 0:
                yield users, chances(part, steering.available, weights, k, heat, rng, DRAWS, steering.how)
            else:
                yield users, _certain(compose(part, steering.available, weights, k, how=steering.how), part.shape[1])


def _certain(places: Rows, cands: int) -> NDArray[np.float32]:
    """Return 1 where a slate has a candidate, `[users, slots, cands]`."""
    return np.asarray(places[:, :, None] == np.arange(cands), np.float32)
