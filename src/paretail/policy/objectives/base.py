"""What an objective is: what a slate is worth in one goal's own unit, higher always better.

    value(S) = sum over positions j of  a_j^attended · gain(item at j | the other items of S)

An objective whose gain does not depend on the others is additive. `attended` ones count as far as a position is looked
at; of the others a slate has the mean over its length.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from paretail.core.config import Config
from paretail.core.errors import Problem
from paretail.core.ids import Rows
from paretail.policy import PolicyError
from paretail.policy.objectives.forms import Form
from paretail.policy.pool import Floats, Pool

Values = NDArray[np.float64]
C = TypeVar("C", bound=Config)


class Plain(Config):
    """An objective without settings."""


class Gains:
    """What each candidate would add to slates as they stand: `now[users, cands]`.

    This one is of additive objectives: what a slate holds changes nothing. `lazy` ones have a `bound` that is cheaper.
    """

    lazy = False

    def __init__(self, now: Floats) -> None:
        self.now = now

    def add(self, places: Rows, slot: int) -> None:
        """Put the candidate `places[users]` of each user at `slot`; -1 puts none there."""

    def drop(self, places: Rows, slot: int) -> None:
        """Take it away again."""

    def without_each(self, places: Rows) -> Iterator[Floats]:
        """Yield the gains beside all items of the slates `places[users, slots]` but those of one slot, slot by slot.

        Called of empty slates.
        """
        for slot in range(places.shape[1]):
            self.add(places[:, slot], slot)
        for slot in range(places.shape[1]):
            self.drop(places[:, slot], slot)
            yield self.now
            self.add(places[:, slot], slot)

    @property
    def bound(self) -> Floats:
        """What no gain exceeds."""
        return self.now

    def settle(self, user: int, place: int) -> float:
        """Make the bound of one candidate exact; return by how much it falls."""
        return 0.0

    def form(self) -> Form | None:
        """Return the same as numbers for compiled composition; None: it asks `now` slot by slot."""
        return None


class Objective(ABC, Generic[C]):
    """One goal. `unit` is what `value` counts in; `money` says that it is minor units of the shop's currency,
    `shared` that what some users are shown changes what it says of others, `submodular` that more items never make
    another one worth more."""

    unit: ClassVar[str]
    attended: ClassVar[bool] = False
    additive: ClassVar[bool] = True
    submodular: ClassVar[bool] = True
    money: ClassVar[bool] = False
    shared: ClassVar[bool] = False
    config_type: ClassVar[type[Config]] = Plain

    def __init__(self, config: C) -> None:
        self.config = config

    @abstractmethod
    def gains(self, pool: Pool, k: int) -> Gains:
        """Return the gains of empty slates of length `k`; raises PolicyError (POL-02) where a prediction is missing.

        What `check` found in the catalogue is not asked again: a pool in which no item has it is worth 0.
        """

    def check(self, sample: Pool) -> None:
        """Raise PolicyError (POL-02) where a shop's catalogue or requests show that the goal cannot be had there."""
        self.gains(sample, 2)

    def value(self, pool: Pool, places: Rows) -> Values:
        """Return what slates `places[users, slots]` (-1: empty) are worth, `[users]`."""
        k = places.shape[1]
        gains = self.gains(pool, k)
        if self.additive:
            got = pool.at(gains.now, places).astype(np.float64)
            return np.asarray(got @ pool.attention[:k] if self.attended else got.sum(1))
        total = np.zeros(len(places))
        for slot in range(k):
            gain = pool.at(gains.now, places[:, slot : slot + 1])[:, 0]
            total += gain * (pool.attention[slot] if self.attended else 1.0)
            gains.add(places[:, slot], slot)
        return total


def told(values: Floats, pool: Pool, found: str, do: str) -> Floats:
    """Return candidates' values, NaN as 0; raises PolicyError (POL-02) where there are some and all are unknown."""
    unknown = np.isnan(values)
    if not unknown.any():
        return values
    if pool.valid.any() and unknown[pool.valid].all():
        raise PolicyError(Problem("POL-02", found, "Expected it for some candidates at least", do))
    return np.where(unknown, np.float32(0.0), values)


def codes_of(pool: Pool, name: str) -> Rows:
    """Return the number of each candidate's label `name`, -1 for none; raises PolicyError (POL-02) without any."""
    return np.where(pool.valid, pool.of(labels_of(pool, name)), np.int32(-1))


def labels_of(pool: Pool, name: str) -> Rows:
    """Return the number of each item's label `name`, -1 for none; raises PolicyError (POL-02) without any."""
    if pool.wares.sizes.get(name, 0) > 0:
        return pool.wares.labels[name]
    found = f"no item has a {name}"
    do = f"Map a column of the items to `{name}`, or name another goal"
    raise PolicyError(Problem("POL-02", found, f"Expected items with a {name}", do))
