"""Trends: what many people want of late, over the bundle's events and the live ones.

    trend(i) = sum over events on i of w(kind) 2^(-age / HALF_LIFE_DAYS)

Ages count from the newest event, wherever it came from, so that a shop whose bundle is weeks old still has trends.
Source: exponential forgetting as in `retrieve/models/trending.py`, here with one half-life and kept up event by event.
Without clock time the bundle's events have no age.
"""

from collections.abc import Sequence
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.clock import DAY_MS
from paretail.core.ids import Rows
from paretail.data.types import History
from paretail.graph.interactions import STRENGTH

HALF_LIFE_DAYS: Final = 3.0
#: Weights grow by 2 every half-life; past so many doublings all are scaled down, by no more than a number can hold.
MOST_DOUBLINGS: Final = 500.0
#: A trend of a smaller share of the greatest counts beside others of its like alone: old logs keep their order.
FAINT: Final = 1e-30


class Trends:
    """The trend of each row of a shelf; safe to share by threads."""

    def __init__(self, history: History, items: int, now_ms: int) -> None:
        timed = history.time == "clock" and len(history.ts_ms) > 0
        self._base_ms = int(history.ts_ms.max()) if timed else now_ms
        age_days = (self._base_ms - history.ts_ms) / DAY_MS if timed else np.zeros(len(history.ts_ms))
        strength = np.array([STRENGTH.get(kind, 1.0) for kind in history.kinds] or [0.0])
        weight = strength[history.kind] * np.exp2(-age_days / HALF_LIFE_DAYS)
        self._trend = np.bincount(history.item_idx, weight, items).astype(np.float64)
        self._lock = Lock()

    def add(self, rows: Rows, kinds: Sequence[str], kind: NDArray[np.integer], ts_ms: NDArray[np.int64]) -> None:
        """Count live events on rows of the shelf (-1: none, which trends nowhere); `kind` numbers `kinds`."""
        known = rows >= 0
        rows, kind, ts_ms = rows[known], kind[known], ts_ms[known]
        if not len(rows):
            return
        strength = np.array([STRENGTH.get(name, 1.0) for name in kinds])[kind]
        with self._lock:
            if (most := int(rows.max())) >= len(self._trend):
                self._trend = np.concatenate([self._trend, np.zeros(max(most + 1, len(self._trend)))])
            ahead = (int(ts_ms.max()) - self._base_ms) / DAY_MS / HALF_LIFE_DAYS
            if ahead > MOST_DOUBLINGS:
                self._trend *= 2.0 ** -min(ahead, 2 * MOST_DOUBLINGS)
                self._base_ms = int(ts_ms.max())
            doublings = (ts_ms - self._base_ms) / DAY_MS / HALF_LIFE_DAYS
            np.add.at(self._trend, rows, strength * np.exp2(doublings))

    def scores(self, rows: int) -> NDArray[np.float32]:
        """Return the trend of the first `rows` rows, 1 for the greatest; -inf where there is none."""
        with self._lock:
            trend = self._trend[:rows].copy()
        trend = np.concatenate([trend, np.zeros(rows - len(trend))])
        share = trend / max(float(trend.max(initial=0)), np.finfo(np.float64).tiny)
        faint = (trend > 0) & (share < FAINT)
        share[faint] = FAINT * (trend[faint] / trend[faint].max(initial=0))
        return np.where(trend > 0, share, -np.inf).astype(np.float32)
