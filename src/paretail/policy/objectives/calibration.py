"""Category calibration: a slate shows categories in the proportions in which the user was interested in them.

    value = -KL(p ‖ q̃) = -Σ_c p_c ln(p_c / q̃_c),   q̃ = (1 - α) q + α p

p is the share of each category among the user's events, q among the slate. For somebody without events any slate is
worth 0.

Unit: nats, 0 at best; higher is better. Source: H. Steck, "Calibrated recommendations", RecSys 2018,
doi:10.1145/3240323.3240372. Deviations: events count alike.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from paretail.core.config import Config
from paretail.core.ids import Rows
from paretail.data.kinds import NOT_TARGETS
from paretail.policy.objectives.base import Gains, Objective, Values, codes_of
from paretail.policy.objectives.forms import Form, Matching
from paretail.policy.pool import Pool


class CalibrationConfig(Config):
    """Settings of `calibration`."""

    by: str = Field("category", description="The attribute in whose proportions the user's interest is measured.")
    alpha: float = Field(0.01, gt=0, lt=1, description="How much of p is mixed into q, so that KL is finite.")


class Calibration(Objective[CalibrationConfig]):
    """How close a slate's categories are to the user's."""

    unit = "nats, 0 at best"
    additive = False
    config_type = CalibrationConfig

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return gains that count the categories of what slates hold."""
        return _Matching(codes_of(pool, self.config.by), self._wanted(pool), k, self.config.alpha)

    def value(self, pool: Pool, places: Rows) -> Values:
        """Return -KL of slates, `[users]`."""
        wanted, alpha = self._wanted(pool), self.config.alpha
        label = np.where(places >= 0, pool.at(codes_of(pool, self.config.by), places), -1)
        held = _counted(np.arange(len(places))[:, None], label, wanted.shape) / places.shape[1]
        some = wanted > 0
        p, q = wanted[some], ((1 - alpha) * held + alpha * wanted)[some]
        return np.asarray(-np.bincount(np.nonzero(some)[0], p * np.log(p / q), len(places)), np.float64)

    def _wanted(self, pool: Pool) -> Values:
        """Return p, `[users, labels]`; of somebody without events zeros."""
        codes, past = pool.wares.labels[self.config.by], pool.past
        shows = np.array([kind not in NOT_TARGETS for kind in past.kinds] or [False])
        label = codes[past.item_idx]
        label = label if shows.all() else np.where(shows[past.kind], label, np.int32(-1))
        counts = _counted(past.user_idx, label, (past.users, pool.wares.sizes[self.config.by]))
        return np.asarray(counts / np.maximum(counts.sum(1, keepdims=True), 1.0))


def _counted(user: Rows | NDArray[np.int64], label: Rows, shape: tuple[int, ...]) -> Values:
    """Return how often each user has each label, `[users, labels]`; -1 is none."""
    there = label >= 0
    users = np.broadcast_to(user, label.shape)[there].astype(np.int64)
    flat = users * shape[1] + label[there]
    return np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)


class _Matching(Gains):
    """Each label's part of KL(p ‖ q̃) falls with each item of it, by an amount that its count alone decides."""

    def __init__(self, codes: Rows, wanted: Values, k: int, alpha: float) -> None:
        super().__init__(np.zeros(codes.shape, np.float32))
        self.users, self.codes = np.arange(len(codes)), codes
        held = np.arange(k + 2)[None, None, :]
        p = wanted[:, :, None]
        q = (1 - alpha) * held / k + alpha * p
        kl = p * np.log(np.where(p > 0, p, 1.0) / np.where(p > 0, q, 1.0))
        self.steps = (kl[:, :, :-1] - kl[:, :, 1:]).astype(np.float32)  # [users, labels, held]
        self.held = np.zeros(wanted.shape, np.int64)
        first = self.steps[:, :, 0]
        self.now = np.where(codes >= 0, np.take_along_axis(first, np.maximum(codes, 0), 1), np.float32(0.0))

    def add(self, places: Rows, slot: int) -> None:
        """Count a label once more; what it gains next is less."""
        self._count(places, 1)

    def drop(self, places: Rows, slot: int) -> None:
        """Count it once less."""
        self._count(places, -1)

    def form(self) -> Form:
        """Return what each label gains, step by step."""
        return Matching(self.codes, self.steps)

    def _count(self, places: Rows, by: int) -> None:
        label = self.codes[self.users, np.maximum(places, 0)]
        for user in np.flatnonzero((places >= 0) & (label >= 0)).tolist():
            mine = label[user]
            self.held[user, mine] += by
            self.now[user, self.codes[user] == mine] = self.steps[user, mine, self.held[user, mine]]
