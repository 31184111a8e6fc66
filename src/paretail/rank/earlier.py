"""Earlier: what a retriever says of a pair as features of the ranker, from a model that knows nothing of its moment.

    z(u, i) = (s_ui - mean_j s_uj) / sd_j s_uj,   x = sign(z) log(1 + |z|)          of the score, and of each part of it
    cos(p_u, q_i),   log (1 + |q_i| / mean_j |q_j|),   max and mean of cos(q_j, q_i) over the LAST items of u

The log's impressions are cut into WINDOWS of equal number by time. What is read of those in one window is what the
retriever says that was fitted on the events before the window, asked with the users' events before it; of the first
window nothing is known. Serving asks the bundle's own model, which was fitted on all of the log, with the user's events
until now: the same code, at the next cut. A score that had seen the click which it is to predict would be believed.

Vectors are told by angles and lengths alone: each window's model has axes of its own, turned and scaled against the
last one's, so that numbers of vectors would mean something else in each; products among them do not depend on axes.

Source: the cross-fitting of stacked models, D. Wolpert, "Stacked generalization", 1992,
doi:10.1016/S0893-6080(05)80023-1. Deviations: 1. Folds are of time, each told by what lies before it alone.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import Problem
from paretail.core.ids import Rows
from paretail.data.features.pairs import standard_of, standardised, wished
from paretail.data.types import History
from paretail.rank import RankError

Dense = NDArray[np.float32]
Ints = NDArray[np.int64]

NAMES: Final[tuple[str, ...]] = ("retriever's score",)
OF_VECTORS: Final = ("angle to the user", "length", "nearest of the last", "mean of the last")
#: So many of the items that a user turned to last are compared with the item.
LAST: Final = 5
WINDOWS: Final = 5
#: With fewer events that show a wish before a window nothing is fitted.
FEWEST: Final = 200
#: Scores that are in memory at once, and pairs whose vectors are compared at once.
CELLS: Final = 1 << 24
PAIRS: Final = 1 << 14


@dataclass(frozen=True, eq=False)
class Said:
    """What a retriever says of some users: scores and each of their parts `[users, items]`; vectors of both ends.

    `vectors` are of the retriever itself, under "", or of its members, under their names.
    """

    scores: Dense
    parts: Mapping[str, Dense] = field(default_factory=dict)
    vectors: Mapping[str, tuple[Dense, Dense]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """What each of its columns is called."""
        return (*NAMES, *self.parts, *(f"{whose}{name}" for whose in self.vectors for name in OF_VECTORS))


#: Says what a retriever thinks of the users of a history, whose events all lie before the moment.
Score = Callable[[History], Said]
#: Fits a retriever to a log.
Fit = Callable[[History], Score]


def crossfitted(history: History, user: Rows, item: Rows, ts_ms: Ints, fit: Fit) -> tuple[Dense, tuple[str, ...]]:
    """Return `[pairs, columns]` of pairs that are sorted by time, NaN where nothing is known, and the columns' names.

    Cost: WINDOWS - 1 fits, and a score of every user of each window.
    """
    known: list[tuple[int, int, Dense]] = []
    names: tuple[str, ...] | None = None
    for start, end, log in windows(history, ts_ms):
        if wished(log).sum() >= FEWEST:
            part, told_of = told(fit(log), log, user[start:end], item[start:end])
            names = names or told_of
            known.append((start, end, part[:, places(told_of, names)]))
    names = names or NAMES
    found = np.full((len(user), len(names)), np.nan, np.float32)
    for start, end, part in known:
        found[start:end] = part
    return found, names


def places(there: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Return where each column that is wanted is among those there; raises RankError (RANK-19) without one of them."""
    missing = [name for name in wanted if name not in there]
    if missing or len(there) != len(wanted):
        other = missing or [name for name in there if name not in wanted]
        found = f"the model tells {len(there)} columns of a pair, {len(wanted)} before; not in both: {', '.join(other)}"
        expected = "The same columns from each part of the log, and of the bundle's model"
        raise RankError(Problem("RANK-19", found, expected, "Set [rank] retrieved = true, which reads its score alone"))
    return [there.index(name) for name in wanted]


def windows(history: History, ts_ms: Ints) -> Iterator[tuple[int, int, History]]:
    """Yield the first pair of each window but the first, the one after its last, and the log before the window."""
    if not len(ts_ms):
        return
    starts = np.unique(np.searchsorted(ts_ms, ts_ms[np.arange(1, WINDOWS) * len(ts_ms) // WINDOWS]))
    bounds = [*starts.tolist(), len(ts_ms)]
    for start, end in itertools.pairwise(bounds):
        yield start, end, history.where(history.ts_ms < ts_ms[start])


def told(score: Score, history: History, user: Rows, item: Rows) -> tuple[Dense, tuple[str, ...]]:
    """Return `[pairs, columns]` of pairs of users of `history`, and what the columns are called."""
    people, place = np.unique(user, return_inverse=True)
    parts, start, size, names = [], 0, None, NAMES
    order = np.argsort(place, kind="stable")
    bounds = np.searchsorted(place[order], np.arange(len(people) + 1))
    while start < len(people):
        stop = min(len(people), start + (size or 1))
        theirs = history.of_users(people[start:stop])
        said = score(theirs)
        size, names = size or max(1, CELLS // said.scores.shape[1]), said.names
        inside = order[bounds[start] : bounds[stop]]
        parts.append(_columns(said, theirs, place[inside] - start, item[inside]))
        start = stop
    found = np.empty((len(user), len(names)), np.float32)
    found[order] = np.concatenate(parts) if parts else found
    return found, names


def _columns(said: Said, history: History, row: Ints, item: Rows) -> Dense:
    """Return what is said of pairs of the users of one block."""
    columns = [_standing(scores, row, item) for scores in (said.scores, *said.parts.values())]
    for ends in said.vectors.values():
        columns += _angles(*ends, _last(history), row, item)
    return np.stack(columns, axis=1).astype(np.float32)


def _standing(scores: Dense, row: Ints, item: Rows) -> NDArray[np.float64]:
    """Return how far above the user's other items each pair's is."""
    every = scores.astype(np.float64)
    z = (every - every.mean(1, keepdims=True)) / np.maximum(every.std(1, keepdims=True), 1e-12)
    of_pairs = z[row, item]
    return np.asarray(np.sign(of_pairs) * np.log1p(np.abs(of_pairs)))


def _angles(users: Dense, items: Dense, last: Rows, row: Ints, item: Rows) -> list[NDArray[Any]]:
    """Return OF_VECTORS of pairs; `last[users, LAST]` are items, -1 for none."""
    length = np.linalg.norm(items, axis=1)
    p, q = (_unit(part) for part in (users, items))
    nearest, mean = np.zeros(len(row)), np.zeros(len(row))
    for start in range(0, len(row), PAIRS):
        at = slice(start, start + PAIRS)
        theirs = last[row[at]]
        alike = np.where(theirs >= 0, np.einsum("pld,pd->pl", q[theirs], q[item[at]]), np.nan)
        there = (theirs >= 0).any(1)
        nearest[at][there], mean[at][there] = np.nanmax(alike[there], 1), np.nanmean(alike[there], 1)
    angle = np.einsum("pd,pd->p", p[row], q[item])
    return [angle, np.log1p(length / max(float(length.mean()), 1e-12))[item], nearest, mean]


def _unit(vectors: Dense) -> Dense:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float32)


def _last(history: History) -> Rows:
    """Return the LAST items `[users, LAST]` that each user turned to, -1 for none."""
    turned = history.where(wished(history))
    at = turned.indptr[1:, None] - 1 - np.arange(LAST)
    there = at >= turned.indptr[:-1, None]
    return np.where(there, np.append(turned.item_idx, -1)[np.where(there, at, -1)], -1).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Earlier:
    """Asks the bundle's model, and standardises by `mean` and `scale` of what training read; unknown is 0.

    `names` are those of its columns.
    """

    score: Score
    mean: Dense
    scale: Dense
    names: tuple[str, ...] = NAMES

    @classmethod
    def of(cls, raw: Dense, names: tuple[str, ...] = NAMES) -> Self:
        """Take the standard from what training reads, NaN where nothing was known; there is no model to ask yet."""
        return cls(_unasked, *standard_of(raw[np.isfinite(raw).all(1)]), names)

    def standard(self, raw: Dense) -> Dense:
        """Standardise."""
        return np.nan_to_num(standardised(raw, self.mean, self.scale))

    def matrix(self, history: History, user: Rows, item: Rows, ts_ms: Ints) -> Dense:
        """Return standardised `[pairs, names]`, by the events before the first moment that is asked of each user."""
        if not len(user):
            return np.zeros((0, len(self.names)), np.float32)
        first = np.full(history.users, np.iinfo(np.int64).max)
        np.minimum.at(first, user, ts_ms)
        before = history.ts_ms < first[history.user_idx]
        raw, names = told(self.score, history if before.all() else history.where(before), user, item)
        return self.standard(raw[:, places(names, self.names)])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what a bundle keeps beside its model."""
        return {"mean": self.mean, "scale": self.scale}

    @classmethod
    def from_arrays(cls, score: Score, arrays: Mapping[str, NDArray[Any]], names: tuple[str, ...] = NAMES) -> Self:
        """Rebuild from `arrays()`, the names of the columns and the bundle's model."""
        return cls(score, arrays["mean"], arrays["scale"], names)


def learned_from(history: History, user: Rows, item: Rows, ts_ms: Ints,
                 fit: Fit | None) -> tuple[Earlier | None, list[Dense]]:  # fmt: skip
    """Return what asks the retriever, and its columns of pairs that are sorted by time; nothing without a `fit`."""
    if fit is None:
        return None, []
    raw, names = crossfitted(history, user, item, ts_ms, fit)
    earlier = Earlier.of(raw, names)
    return earlier, [earlier.standard(raw)]


def _unasked(_: History) -> Said:
    raise AssertionError("a ranker asks the model of the bundle that it is read from")
