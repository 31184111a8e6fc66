"""Gains from the pairs of a slate: what `diversity` and `distance` share.

value = 2 / (k (k - 1)) Σ_{i < j} d(i, j)
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.policy.objectives.base import Gains, Values
from paretail.policy.pool import Floats


class Pairs(Gains):
    """Gains from pairs: `_to(places)[users, slots, cands]` is the distance of each candidate to those of a slate."""

    def __init__(self, shape: tuple[int, ...], k: int) -> None:
        super().__init__(np.zeros(shape, np.float32))
        self.users = np.arange(shape[0])
        self.per_pair = np.float32(2.0 / (k * (k - 1)) if k > 1 else 0.0)

    def add(self, places: Rows, slot: int) -> None:
        """Put a candidate in: the others gain their distance to it."""
        self.now += self._worth(places[:, None])[:, 0]

    def drop(self, places: Rows, slot: int) -> None:
        """Take it away again."""
        self.now -= self._worth(places[:, None])[:, 0]

    def without_each(self, places: Rows) -> Iterator[Floats]:
        """Yield the gains beside all of the slates' items but those of one slot, slot by slot."""
        worth = self._worth(places)
        yield from np.moveaxis(worth.sum(1, keepdims=True) - worth, 1, 0)

    def _worth(self, places: Rows) -> Floats:
        far = self._to(np.maximum(places, 0))
        far *= self.per_pair
        if places.min(initial=0) < 0:
            far[places < 0] = 0.0
        return far

    def _to(self, places: Rows) -> Floats:
        """Return the distance of each candidate to those at `places[users, slots]`, an array of its own."""
        raise NotImplementedError


def both(there: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `[users, slots, slots]`: whether slots i < j hold something both."""
    return there[:, :, None] & there[:, None, :] & _above(there.shape[1])


@lru_cache(maxsize=64)
def _above(slots: int) -> NDArray[np.bool_]:
    """Return `[slots, slots]`: whether i < j."""
    found = np.triu(np.ones((slots, slots), np.bool_), 1)
    found.flags.writeable = False
    return found


def mean_of_pairs(apart: NDArray[Any], k: int) -> Values:
    """Return the mean of `apart[users, i, j]` over the pairs of slates of length `k`."""
    return np.asarray(apart.sum((1, 2)) * (2.0 / (k * (k - 1)) if k > 1 else 0.0), np.float64)
