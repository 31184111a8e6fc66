"""Popular: how many users wished for each item, stronger wishes counting more; the same list for everyone.

    score(i) = sum over users of w(u, i)        w: `graph.interactions`, the greatest weight of a pair's events

Source: the most-popular baseline of P. Cremonesi, Y. Koren, R. Turrin, RecSys 2010, doi:10.1145/1864708.1864721.
Deviations: weights by kind; optional forgetting by age, and a window that drops old events.
"""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat

from paretail.core.clock import DAY_MS
from paretail.core.config import Config
from paretail.core.ids import Rows
from paretail.data.held import Mode
from paretail.data.types import History
from paretail.graph.interactions import interactions, kind_weights, needs_clock
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Arrays, Scores


class PopularConfig(Config):
    """Settings of `popular`."""

    weights: dict[str, NonNegativeFloat] | None = Field(
        None, description="Weight of each kind; by default purchase 1, cart and favourite 0.6, click and view 0.3.",
    )  # fmt: skip
    half_life_days: float | None = Field(None, gt=0, description="Age at which an event counts half; needs time.")
    window_days: float | None = Field(None, gt=0, description="Older events do not count; needs time.")


class Popular:
    """One score an item, whoever asks."""

    name: ClassVar[str] = "popular"
    config_type: ClassVar[type[Config]] = PopularConfig

    def __init__(self, popularity: NDArray[np.float32]) -> None:
        self.popularity = popularity

    @classmethod
    def fit(cls, graph: ShopGraph, config: Any, seed: int) -> Self:
        """Count; `seed` is not used. Raises DataError (GRAPH-02) where age is asked of events without time."""
        history = graph.history
        if config.window_days is not None:
            history = within(history, config.window_days)
        weights = kind_weights(history.kinds, config.weights)
        return cls(popularity(history, graph.items, weights, config.half_life_days))

    def falls(
        self, history: History, causes: Rows, listed: Rows, now_ms: int | None = None, mode: Mode = "target"
    ) -> Scores:
        """Return zeros: no score follows from what the user had."""
        return np.zeros((len(causes), len(listed)), np.float32)

    def score(self, history: History, now_ms: int | None = None, mode: Mode = "target") -> Scores:
        """Return the same scores for each user."""
        return np.tile(self.popularity, (history.users, 1))

    def arrays(self) -> Arrays:
        """Return the popularity of each item."""
        return {"popularity": self.popularity}

    @classmethod
    def from_arrays(cls, arrays: Arrays, config: Any) -> Self:
        """Rebuild from arrays."""
        return cls(arrays["popularity"])


def popularity(
    history: History, items: int, weights: dict[str, float], half_life_days: float | None = None
) -> NDArray[np.float32]:
    """Return the summed weight of each item's users."""
    pairs = interactions(history, items, weights, half_life_days)
    return np.bincount(pairs.indices, pairs.data, minlength=items).astype(np.float32)


def within(history: History, window_days: float) -> History:
    """Return the events of the last `window_days` before the newest one."""
    needs_clock(history, f"a window of {window_days} days")
    oldest = int(history.ts_ms.max(initial=0)) - window_days * DAY_MS
    return history.where(history.ts_ms >= oldest)
