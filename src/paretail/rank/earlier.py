"""Earlier: a retriever's score of a pair as a feature of the ranker, from a model that knows nothing of its moment.

    z(u, i) = (s_ui - mean_j s_uj) / sd_j s_uj,   x = sign(z) log(1 + |z|)

The log's impressions are cut into WINDOWS of equal number by time. What is read of those in one window is what the
retriever says that was fitted on the events before the window, asked with the users' events before it; of the first
window nothing is known. Serving asks the bundle's own model, which was fitted on all of the log, with the user's events
until now: the same code, at the next cut. A score that had seen the click which it is to predict would be believed.

Source: the cross-fitting of stacked models, D. Wolpert, "Stacked generalization", 1992,
doi:10.1016/S0893-6080(05)80023-1. Deviations: 1. Folds are of time, each told by what lies before it alone.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.data.features.pairs import standard_of, standardised, wished
from paretail.data.types import History

Dense = NDArray[np.float32]
Ints = NDArray[np.int64]
#: Scores `[users, items]` of the users of a history, whose events all lie before the moment.
Score = Callable[[History], Dense]
#: Fits a retriever to a log.
Fit = Callable[[History], Score]

NAMES: Final = ("retriever's score",)
WINDOWS: Final = 5
#: With fewer events that show a wish before a window nothing is fitted.
FEWEST: Final = 200
#: Scores that are in memory at once.
CELLS: Final = 1 << 24


def crossfitted(history: History, user: Rows, item: Rows, ts_ms: Ints, fit: Fit) -> Dense:
    """Return `[pairs, NAMES]` of pairs that are sorted by time, NaN where nothing is known.

    Cost: WINDOWS - 1 fits, and a score of every user of each window.
    """
    found = np.full((len(user), len(NAMES)), np.nan, np.float32)
    for start, end, log in windows(history, ts_ms):
        if wished(log).sum() >= FEWEST:
            found[start:end] = told(fit(log), log, user[start:end], item[start:end])
    return found


def windows(history: History, ts_ms: Ints) -> Iterator[tuple[int, int, History]]:
    """Yield the first pair of each window but the first, the one after its last, and the log before the window."""
    if not len(ts_ms):
        return
    starts = np.unique(np.searchsorted(ts_ms, ts_ms[np.arange(1, WINDOWS) * len(ts_ms) // WINDOWS]))
    bounds = [*starts.tolist(), len(ts_ms)]
    for start, end in itertools.pairwise(bounds):
        yield start, end, history.where(history.ts_ms < ts_ms[start])


def told(score: Score, history: History, user: Rows, item: Rows) -> Dense:
    """Return `[pairs, NAMES]` of pairs of users of `history`."""
    found = np.empty((len(user), len(NAMES)), np.float32)
    people, place = np.unique(user, return_inverse=True)
    start, size = 0, None
    while start < len(people):
        block = people[start : start + (size or 1)]
        scores = score(history.of_users(block)).astype(np.float64)
        size = size or max(1, CELLS // scores.shape[1])
        inside = (place >= start) & (place < start + len(block))
        row, start = place[inside] - start, start + len(block)
        z = (scores - scores.mean(1, keepdims=True)) / np.maximum(scores.std(1, keepdims=True), 1e-12)
        told_of = z[row, item[inside]]
        found[inside, 0] = np.sign(told_of) * np.log1p(np.abs(told_of))
    return found


@dataclass(frozen=True, eq=False)
class Earlier:
    """Asks the bundle's model, and standardises by `mean` and `scale` of what training read; unknown is 0."""

    score: Score
    mean: Dense
    scale: Dense

    @classmethod
    def of(cls, raw: Dense) -> Self:
        """Take the standard from what training reads, NaN where nothing was known; there is no model to ask yet."""
        return cls(_unasked, *standard_of(raw[np.isfinite(raw).all(1)]))

    def standard(self, raw: Dense) -> Dense:
        """Standardise."""
        return np.nan_to_num(standardised(raw, self.mean, self.scale))

    def matrix(self, history: History, user: Rows, item: Rows, ts_ms: Ints) -> Dense:
        """Return standardised `[pairs, NAMES]`, by the events before the first moment that is asked of each user."""
        first = np.full(history.users, np.iinfo(np.int64).max)
        np.minimum.at(first, user, ts_ms)
        before = history.ts_ms < first[history.user_idx]
        return self.standard(told(self.score, history if before.all() else history.where(before), user, item))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what a bundle keeps beside its model."""
        return {"mean": self.mean, "scale": self.scale}

    @classmethod
    def from_arrays(cls, score: Score, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild from `arrays()` and the bundle's model."""
        return cls(score, arrays["mean"], arrays["scale"])


def _unasked(_: History) -> Dense:
    raise AssertionError("a ranker asks the model of the bundle that it is read from")
