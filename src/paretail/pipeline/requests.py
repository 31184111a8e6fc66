"""Requests: who came to the shop of late, as its log tells, with what was known of each.

Where a log does not tell what was shown, a request is a user's day with events, as it was when the day began. Of each
segment the newest of the last LATELY_DAYS count, older ones where those are fewer than LEAST: what a setting brings
drifts with the season, and with how lately users bought, so that people as they are at the log's end, most of whom do
not come back soon, are no sample of those who ask.

Where it tells, users are asked as they are at the log's end, each as often as the days say on which they were shown
something: they come often, and a ranker that learned from those very lists knows too well what followed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from paretail.core.clock import DAY_MS
from paretail.core.ids import Rows
from paretail.data.kinds import NOT_TARGETS
from paretail.data.types import History

#: Users by what is known of them: nothing; at most as much as the median user; more.
SEGMENTS: Final = ("new", "light", "heavy")
#: What tells in the log that somebody asked.
SHOWN: Final = "impression"
LATELY_DAYS, LEAST = 28, 128
#: Days are below 2^DAY_BITS, so that a user and a day are one number.
DAY_BITS: Final = 20


@dataclass(frozen=True, eq=False)
class Requests:
    """Requests: the user's row, the moment (events before it are known), and the number of the segment then."""

    user: Rows
    moment_ms: NDArray[np.int64]
    segment: NDArray[np.intp]

    @classmethod
    def of(cls, log: History, median: float, most: int, rng: np.random.Generator) -> Self:
        """Return requests, `most` of each segment at most; `median` bounds the light segment, in wishes."""
        days = log.time == "clock" and len(log.ts_ms) and SHOWN not in log.kinds
        return (cls.of_days if days else cls.of_users)(log, median, most, rng)

    @classmethod
    def of_days(cls, log: History, median: float, most: int, rng: np.random.Generator) -> Self:
        """Return the newest days of users, as they were when the day began."""
        came, wished = np.unique(_days(log, _asking(log.kinds))), np.sort(_days(log, _wishing(log.kinds)))
        user, day = came >> DAY_BITS, came & ((1 << DAY_BITS) - 1)
        known = np.searchsorted(wished, came) - np.searchsorted(wished, user << DAY_BITS)
        segment, order = segments(known, median), np.lexsort((rng.random(len(came)), -day))
        newest = []
        for number in range(len(SEGMENTS)):
            rows = order[segment[order] == number]
            lately = int((day[rows] > day.max() - LATELY_DAYS).sum())
            newest.append(rows[: min(most, max(lately, LEAST))])
        kept = np.concatenate(newest)
        return cls(user[kept].astype(np.int32), day[kept] * DAY_MS, segment[kept])

    @classmethod
    def of_users(cls, log: History, median: float, most: int, rng: np.random.Generator) -> Self:
        """Return users as they are at the end, each as often as its days say; without clock time its events."""
        came = _days(log, _asking(log.kinds))
        came = np.unique(came) if log.time == "clock" else came
        segment, weight = segments(known_events(log), median), np.bincount(came >> DAY_BITS, minlength=log.users) + 1e-3
        drawn: list[Rows] = []
        for number in range(len(SEGMENTS)):
            users = np.flatnonzero(segment == number).astype(np.int32)
            drawn.append(users[_evenly(weight[users], min(most, len(users)), rng)])
        user = np.concatenate(drawn)
        return cls(user, np.full(len(user), int(log.ts_ms.max(initial=0)) + 1), segment[user])

    def known(self, log: History) -> History:
        """Return the history of each request, as it was then."""
        taken = log.of_users(self.user)
        return taken.where(taken.ts_ms < np.repeat(self.moment_ms, np.diff(taken.indptr)))


def _evenly(weight: NDArray[np.floating], count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return `count` rows, each so often as its share of the weights says to less than one: a systematic sample.

    W. Madow, L. Madow, "On the theory of systematic sampling, I", 1944, doi:10.1214/aoms/1177731312.
    Deviations: units have weights, where theirs are alike, and who weighs more than a step is taken more than once.
    """
    ends = np.cumsum(weight) * (count / max(float(weight.sum()), 1e-9))
    return np.minimum(np.searchsorted(ends, rng.random() + np.arange(count), side="right"), max(len(weight) - 1, 0))


def segments(known: NDArray[np.integer], median: float) -> NDArray[np.intp]:
    """Return the numbers in SEGMENTS of users with so many known wishes."""
    return np.where(known == 0, 0, np.where(known <= median, 1, 2))


def known_events(history: History) -> NDArray[np.int64]:
    """Return how many events of each user show a wish."""
    kept = np.concatenate([[0], np.cumsum(_wishing(history.kinds)[history.kind])])
    return np.diff(kept[history.indptr])


def _wishing(kinds: Sequence[str]) -> NDArray[np.bool_]:
    return np.array([kind not in NOT_TARGETS for kind in kinds] or [False])


def _asking(kinds: Sequence[str]) -> NDArray[np.bool_]:
    return np.array([kind == SHOWN or SHOWN not in kinds for kind in kinds] or [False])


def _days(log: History, of_kinds: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return user and day of the events of some kinds, as one number each."""
    keep = of_kinds[log.kind]
    return (log.user_idx[keep].astype(np.int64) << DAY_BITS) | (log.ts_ms[keep] // DAY_MS)
