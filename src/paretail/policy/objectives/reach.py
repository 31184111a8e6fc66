"""Reach, the coverage of users: the share of them who are expected to find something to click.

    value = 1 - Π_j (1 - a_j p_click)

Its mean over users is the expected share of users who find something.

Unit: share of users with a click; higher is better. Source: R. Agrawal et al., "Diversifying search results", WSDM
2009, doi:10.1145/1498759.1498766 (submodular, with one intent an item). Deviations: clicks on a slate are independent.
"""

import numpy as np

from paretail.core.ids import Rows
from paretail.policy.objectives.base import Gains, Objective, Plain, Values, told
from paretail.policy.objectives.forms import First, Form
from paretail.policy.pool import Floats, Pool


class Reach(Objective[Plain]):
    """The probability that a slate gets a click."""

    unit = "share of users with a click"
    attended = True
    additive = False

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return gains that know how likely there was no click yet."""
        p = told(pool.p_click, pool, "the ranker predicts no clicks", "Train on a log with clicks")
        return _First(p, pool.attention.astype(np.float32))

    def value(self, pool: Pool, places: Rows) -> Values:
        """Return the probability of a click, `[users]`."""
        p = told(pool.p_click, pool, "the ranker predicts no clicks", "Train on a log with clicks")
        return np.asarray(1 - np.prod(1.0 - pool.attention[: places.shape[1]] * pool.at(p, places), axis=1))


class _First(Gains):
    def __init__(self, p: Floats, attention: Floats) -> None:
        super().__init__(p.copy())
        self.p, self.attention = p, attention
        self.none = np.ones((len(p), 1), np.float32)

    def add(self, places: Rows, slot: int) -> None:
        self._now(self.none * self._unclicked(places, slot))

    def drop(self, places: Rows, slot: int) -> None:
        self._now(self.none / self._unclicked(places, slot))

    def form(self) -> Form:
        """Return the probabilities."""
        return First(self.p)

    def _unclicked(self, places: Rows, slot: int) -> Floats:
        p = self.p[np.arange(len(places)), np.maximum(places, 0)][:, None]
        return np.where(places[:, None] >= 0, 1 - np.minimum(self.attention[slot] * p, 0.999), np.float32(1.0))

    def _now(self, none: Floats) -> None:
        self.none = none
        self.now = none * self.p
