"""Trending: popularity that forgets, over the whole shop and within each category.

    score(i) = sum over users of the greatest w(kind) 2^(-age / half-life)

The half-life is chosen by what it would have foretold: the newest week (at most a tenth of the time span) is kept
back, and the half-life whose popularity gives its events the greatest likelihood wins; "no forgetting" is among the
choices.

Source: exponential forgetting as in Y. Ding, X. Li, CIKM 2005, doi:10.1145/1099554.1099689. Deviations: applied to
popularity instead of a user's profile; the likelihood mixes in 5 % of a uniform choice so that new items have a
chance. Without clock time this model equals `popular`.
"""

from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat

from paretail.core.clock import DAY_MS
from paretail.core.config import Config
from paretail.core.ids import Rows
from paretail.data.held import Mode
from paretail.data.types import History
from paretail.graph.interactions import kind_weights
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Arrays, Scores
from paretail.retrieve.models.popular import popularity
from paretail.retrieve.topk import top_k

#: Half-lives tried, in days; None forgets nothing.
HALF_LIVES: Final = (1.0, 3.0, 7.0, 14.0, 30.0, 60.0, 120.0, None)
#: What the half-lives have to foretell: so many of the newest days, and at most this part of the time span.
FORETOLD_DAYS: Final = 7.0
FORETOLD: Final = 0.1
UNIFORM: Final = 0.05


class TrendingConfig(Config):
    """Settings of `trending`."""

    weights: dict[str, NonNegativeFloat] | None = Field(
        None, description="Weight of each kind; by default purchase 1, cart and favourite 0.6, click and view 0.3.",
    )  # fmt: skip
    half_life_days: float | None = Field(
        None, gt=0, description="Age at which an event counts half; by default the one that foretells best.",
    )  # fmt: skip


class Trending:
    """One score an item, whoever asks, and which items are in which category."""

    name: ClassVar[str] = "trending"
    config_type: ClassVar[type[Config]] = TrendingConfig

    def __init__(self, trend: NDArray[np.float32], indptr: NDArray[np.int64], indices: Rows) -> None:
        self.trend, self.indptr, self.indices = trend, indptr, indices

    @classmethod
    def fit(cls, graph: ShopGraph, config: Any, seed: int) -> Self:
        """Choose the half-life where none is given, and count; `seed` is not used."""
        history = graph.history
        weights = kind_weights(history.kinds, config.weights)
        half_life = config.half_life_days
        if history.time != "clock":
            half_life = None
        elif half_life is None:
            half_life = best_half_life(history, graph.items, weights)
        trend = popularity(history, graph.items, weights, half_life)
        if ("item", "in", "category") not in graph.edges:
            return cls(trend, np.zeros(1, np.int64), np.zeros(0, np.int32))
        members = graph.reverse(("item", "in", "category"))
        return cls(trend, members.indptr, members.indices)

    def falls(
        self, history: History, causes: Rows, listed: Rows, now_ms: int | None = None, mode: Mode = "target"
    ) -> Scores:
        """Return zeros: no score follows from what the user had."""
        return np.zeros((len(causes), len(listed)), np.float32)

    def score(self, history: History, now_ms: int | None = None, mode: Mode = "target") -> Scores:
        """Return the same scores for each user; time scales them all alike, so `now_ms` changes no order."""
        return np.tile(self.trend, (history.users, 1))

    def top(self, category: int | None = None, k: int = 20) -> tuple[Rows, NDArray[np.float32]]:
        """Return the items that trend in a category (its row in the graph), or everywhere, and their scores.

        Items without events do not trend, so that lists may be shorter than `k`.
        """
        members = self.indices[self.indptr[category] : self.indptr[category + 1]] if category is not None else None
        trend = self.trend if members is None else self.trend[members]
        place, score = top_k(np.where(trend > 0, trend, -np.inf)[None], k)
        place, score = place[0][place[0] >= 0], score[0][place[0] >= 0]
        return (place if members is None else members[place]), score

    def arrays(self) -> Arrays:
        """Return the trend of each item, and the items of each category."""
        return {"trend": self.trend, "category_indptr": self.indptr, "category_items": self.indices}

    @classmethod
    def from_arrays(cls, arrays: Arrays, config: Any) -> Self:
        """Rebuild from arrays."""
        return cls(arrays["trend"], arrays["category_indptr"], arrays["category_items"])


def best_half_life(history: History, items: int, weights: dict[str, float]) -> float | None:
    """Return the half-life whose popularity foretells the newest events best; None where forgetting does not help."""
    oldest, newest = int(history.ts_ms.min(initial=0)), int(history.ts_ms.max(initial=0))
    cut = newest - min(FORETOLD_DAYS * DAY_MS, FORETOLD * (newest - oldest))
    before, after = history.where(history.ts_ms < cut), history.where(history.ts_ms >= cut)
    if newest - oldest < DAY_MS or not len(before.item_idx):
        return None
    wanted = popularity(after, items, weights).astype(np.float64)
    fits = [_likelihood(popularity(before, items, weights, half_life), wanted) for half_life in HALF_LIVES]
    return HALF_LIVES[int(np.argmax(fits))]


def _likelihood(trend: NDArray[np.float32], wanted: NDArray[np.float64]) -> float:
    if not trend.any():
        return -np.inf
    share = (1 - UNIFORM) * trend.astype(np.float64) / trend.sum() + UNIFORM / len(trend)
    return float(wanted @ np.log(share))
