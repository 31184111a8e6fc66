"""What `mmr` and `dpp` share: worth as a share of each user's range, and how alike candidates are.

    r_i = (w_i - min w) / (max w - min w),   s_ij = (1 + cosine_ij) / 2,   s_ii = 1

w_i is what the weighted goals say of candidate i at the first position; an item without a vector is half alike to all.
"""

from abc import ABC, abstractmethod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import Problem
from paretail.core.ids import Rows
from paretail.policy import PolicyError
from paretail.policy.pool import Floats, Pool


class Worth(Protocol):
    """What candidates would add to slates as they stand (`policy/slate.py`: Total)."""

    def at(self, slot: int) -> Floats:
        """Return it, `[users, cands]`."""
        ...

    def add(self, places: Rows, slot: int) -> None:
        """Put each user's candidate `places[users]` at `slot`, -1 for none."""
        ...


class Arranging(ABC):
    """A composition slot by slot; raises PolicyError (POL-02) where no item has a vector."""

    def __init__(self, worth: Worth, pool: Pool, k: int, balance: float) -> None:
        if not pool.wares.has_vectors:
            expected = "Expected vectors of items, by which they are alike"
            raise PolicyError(Problem("POL-02", "the bundle knows no vectors of items", expected,
                                      'Compose as "greedy", with the goal `diversity`'))  # fmt: skip
        self.worth, self.balance = worth, balance
        self.users = np.arange(pool.shape[0])
        self._vectors = pool.of(pool.wares.vectors)
        first, valid = worth.at(0), pool.valid
        self._low = np.where(valid, first, np.inf).min(1, keepdims=True, initial=np.inf)
        high = np.where(valid, first, -np.inf).max(1, keepdims=True, initial=-np.inf)
        self._span = np.where(high > self._low, high - self._low, 1.0)
        self._low = np.where(np.isfinite(self._low), self._low, 0.0)

    def at(self, slot: int) -> Floats:
        """Return the score of each candidate for the next slot, `[users, cands]`."""
        share = (self.worth.at(0) - self._low) / self._span
        return np.asarray(self.balance * share + (1 - self.balance) * self._apart(), np.float32)

    def add(self, places: Rows, slot: int) -> None:
        """Put each user's candidate `places[users]` at `slot`, -1 for none."""
        self.worth.add(places, slot)
        there = np.flatnonzero(places >= 0)
        held = places[there]
        cosine = np.matmul(self._vectors[there], self._vectors[there, held][:, :, None])[:, :, 0]
        self._note(there, held, 0.5 + 0.5 * np.clip(cosine, -1.0, 1.0), slot)

    @abstractmethod
    def _apart(self) -> NDArray[Any]:
        """Return how far each candidate is from what slates hold."""

    @abstractmethod
    def _note(self, users: NDArray[np.intp], places: Rows, alike: NDArray[Any], slot: int) -> None:
        """Take note of `places[users]` at `slot`; `alike[users, cands]` are the candidates' similarities to them."""
