"""Goals of a shop's own that are functions of what a slate holds: `worth` is written, gains follow from it.

    gain(i | S) = worth(S + i) - worth(S),   value(S) = worth(S) - worth(nothing)

Where more items never make another one worth more (`submodular`: gain(i | S) >= gain(i | T) for S within T), an old
gain is an upper bound of the new one: only the candidate on top is asked anew, until it stays there (lazy evaluation:
M. Minoux, "Accelerated greedy algorithms for maximizing submodular set functions", Optimization Techniques, 1978,
doi:10.1007/BFb0006528), and slates are the same. Deviations: 1. The bound of each slot's refill is the gain of an empty
slate, kept with the candidates. 2. Bounds are single precision: gains that differ by less may change places.

Goals that come with paretail are not evaluated so: all their gains are one pass over the candidates.
"""

from abc import abstractmethod
from typing import ClassVar, Final
from weakref import WeakKeyDictionary

import numpy as np

from paretail.core.errors import Problem
from paretail.core.ids import Rows
from paretail.core.rng import rng_for
from paretail.policy import PolicyError
from paretail.policy.objectives.base import C, Gains, Objective, Values
from paretail.policy.pool import Floats, Pool

#: Random slates on which the claim to be submodular is tried, their length, and by how much a gain may grow.
TRIALS: Final = 64
LENGTH: Final = 6
SLACK: Final = 1e-6


class SetObjective(Objective[C]):
    """See the module. A shop writes `unit`, `worth`, and `submodular = True` where that is so."""

    additive = False
    submodular: ClassVar[bool] = False

    def __init__(self, config: C) -> None:
        super().__init__(config)
        self._alone: WeakKeyDictionary[Pool, Floats] = WeakKeyDictionary()

    @abstractmethod
    def worth(self, pool: Pool, user: int, places: tuple[int, ...]) -> float:
        """Return what the candidates `places` of a user, a row of `pool`, are worth together, in any order."""

    def alone(self, pool: Pool) -> Floats:
        """Return what each candidate adds to an empty slate, `[users, cands]`."""
        found = self._alone.get(pool)
        if found is None:
            found = np.zeros(pool.shape, np.float32)
            nothing = [self.worth(pool, user, ()) for user in range(len(found))]
            for user, place in np.argwhere(pool.valid).tolist():
                found[user, place] = self.worth(pool, user, (place,)) - nothing[user]
            self._alone[pool] = found
        return found

    def gains(self, pool: Pool, k: int) -> "Evaluated":
        """Return gains that ask `worth` where they are read."""
        return Evaluated(self, pool)

    def value(self, pool: Pool, places: Rows) -> Values:
        """Return what slates are worth more than nothing, `[users]`."""
        held = [tuple(place for place in row if place >= 0) for row in places.tolist()]
        return np.array([self.worth(pool, user, row) - self.worth(pool, user, ()) for user, row in enumerate(held)])

    def check(self, sample: Pool) -> None:
        """Raise PolicyError (POL-13) where the goal says that it is submodular and requests show that it is not."""
        rng = rng_for("policy/submodular", 0)
        for _ in range(TRIALS if self.submodular else 0):
            user = int(rng.integers(sample.shape[0]))
            few = tuple(rng.permutation(np.flatnonzero(sample.valid[user]))[:LENGTH].tolist())
            if len(few) < 2:
                continue
            size = int(rng.integers(1, len(few)))
            less, more = (self._gain(sample, user, held, few[-1]) for held in (few[: size - 1], few[:-1]))
            if more > less + SLACK * max(1.0, abs(less)):
                raise PolicyError(_grown(type(self).__name__, size - 1, less, len(few) - 1, more))

    def _gain(self, pool: Pool, user: int, held: tuple[int, ...], place: int) -> float:
        return self.worth(pool, user, (*held, place)) - self.worth(pool, user, held)


def _grown(name: str, few: int, less: float, many: int, more: float) -> Problem:
    found = (
        f"the goal {name} says that it is submodular, and an item adds {less:.6g} to {few} others, {more:.6g} to {many}"
    )
    return Problem("POL-13", found, "Expected it never to add more to more", "Set submodular = False")


class Evaluated(Gains):
    """Gains by `worth`: `bound[users, cands]` as last asked, of slates that are not larger; `now` asks all anew."""

    def __init__(self, goal: SetObjective[C], pool: Pool) -> None:
        self.goal, self.pool, self.lazy = goal, pool, goal.submodular
        self._held: list[list[int]] = [[] for _ in range(pool.shape[0])]
        self._worth: list[float | None] = [None] * pool.shape[0]  # of what is held; None: not asked yet
        self._bound, self._fresh = goal.alone(pool).copy(), np.ones(pool.shape, np.bool_)

    @property
    def now(self) -> Floats:  # type: ignore[override]  # plain gains keep them as they are
        """The gain of each candidate."""
        for user, place in np.argwhere(~self._fresh & self.pool.valid).tolist():
            self._ask(user, place)
        return self._bound

    @property
    def bound(self) -> Floats:
        """What no gain exceeds, where the goal is submodular."""
        return self._bound

    def settle(self, user: int, place: int) -> float:
        """Make the bound of one candidate exact; return by how much it falls."""
        if self._fresh[user, place]:
            return 0.0
        before = self._bound[user, place]
        self._ask(user, place)
        return float(before - self._bound[user, place])

    def add(self, places: Rows, slot: int) -> None:
        """Put the candidate `places[users]` of each user into the slate; -1 puts none there."""
        for user in np.flatnonzero(places >= 0).tolist():
            self._held[user].append(int(places[user]))
            self._worth[user], self._fresh[user] = None, False

    def drop(self, places: Rows, slot: int) -> None:
        """Take it away again."""
        for user in np.flatnonzero(places >= 0).tolist():
            self._held[user].remove(int(places[user]))
            self._worth[user] = None
            self._bound[user], self._fresh[user] = self.goal.alone(self.pool)[user], not self._held[user]

    def _ask(self, user: int, place: int) -> None:
        held = tuple(self._held[user])
        if place in held:
            before = self.goal.worth(self.pool, user, tuple(each for each in held if each != place))
            gain = self._of(user) - before
        else:
            gain = self.goal.worth(self.pool, user, (*held, place)) - self._of(user)
        self._bound[user, place], self._fresh[user, place] = gain, True

    def _of(self, user: int) -> float:
        """Return what a slate is worth as it stands."""
        known = self._worth[user]
        if known is None:
            known = self._worth[user] = self.goal.worth(self.pool, user, tuple(self._held[user]))
        return known
