"""Windows: how much users did, and what came of items, in the last day, week and month before each asked moment.

    did(u, k, w, t) = n / (n + c_k)                        n events of kind k by u with t - w <= t_e < t
    lift(i, w, t) = log ((n + a r) / ((m + a) r))          n of m that went on, r the share in the whole log

Shares that saturate, and lifts drawn to 0 by a pseudo-events: neither grows with the log. What a user was shown is no
window: a service keeps what its users did, and a window of the rest would empty. What all people did with an item is
counted until the last full hour before the moment, so that answers within an hour share one table of all items, and
not beyond the end of the log: of later moments it tells what it told then.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from paretail.core.clock import DAY_MS
from paretail.core.ids import Rows
from paretail.data.features.past import BOUGHT, SHOWN, TURNED, Recent

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

HOUR_MS: Final = DAY_MS // 24
WEEK_MS: Final = 7 * DAY_MS
MONTH_MS: Final = 4 * WEEK_MS
#: Windows of what a user did, and the counts at which a share is a half: of what was wished, bought.
SPANS: Final = {"day": DAY_MS, "week": WEEK_MS, "month": MONTH_MS}
HALF: Final = {"wished": 5.0, "bought": 1.0}
#: Columns of `activity`.
ACTIVITY: Final = (*(f"{kind}_{span}" for span in SPANS for kind in HALF), "active")
#: Pseudo-events of what came of an item: of being shown, and of being wished.
OF_SHOWN, OF_WISHED = 50.0, 10.0
#: Rows of counts of items: what happened, how long ago at most.
COUNTED: Final = (("wished", WEEK_MS), ("wished", MONTH_MS), ("shown", WEEK_MS), ("shown", MONTH_MS),
                  ("bought", MONTH_MS))  # fmt: skip
#: What `lifts` tells.
LIFTS: Final = ("wished_week_lift", "wished_month_lift", "bought_month_lift")
#: All items are counted at once where so many of them at most come on one that is asked for.
WORTH: Final = 100


def activity(indptr: Ints, says: NDArray[np.uint8], when: Ints, user: Ints, ts_ms: Ints, order: Ints) -> Floats:
    """Return `[pairs, ACTIVITY]`; `order` sorts the pairs by user and time."""
    told = np.empty((len(user), len(ACTIVITY)))
    spans, half = np.array([*SPANS.values()], np.int64), np.array([*HALF.values()])
    _walk(indptr, says, when, user, ts_ms, order, spans, half, told)
    return told


@dataclass(eq=False)
class Demand:
    """When each item was shown, turned to and bought in a log from `start_ms` to `end_ms`; and how often in all.

    `rates` are the shares of wishes among what was shown, and of purchases among wishes.
    """

    of: Mapping[str, Recent]
    start_ms: int
    end_ms: int
    items: int
    _latest: tuple[int, Floats] = field(default=(-1, np.zeros((0, 0))), init=False, repr=False)

    @classmethod
    def counted(cls, items: int, item: Rows, says: NDArray[np.uint8], ts_ms: Ints) -> Self:
        """Sort the events of a log."""
        there = {"shown": says == SHOWN, "wished": says >= TURNED, "bought": says == BOUGHT}
        of = {name: Recent.of(items, item[rows], ts_ms[rows]) for name, rows in there.items()}
        ends = (int(ts_ms.min()), int(ts_ms.max())) if len(ts_ms) else (0, 0)
        return cls(of, *ends, items)

    @property
    def rates(self) -> Floats:
        """How often what was shown was turned to in all of the log, and what was turned to bought."""
        shown, wished, bought = (len(self.of[name].ts_ms) for name in ("shown", "wished", "bought"))
        return np.clip([(wished + 1) / (shown + 1), (bought + 1) / (wished + 1)], 1e-4, 1.0)

    def known(self, ts_ms: Ints) -> Ints:
        """Return the moments, those after the log as its end."""
        return np.minimum(ts_ms, self.end_ms + 1)

    def before(self, item: Ints, ts_ms: Ints) -> Floats:
        """Return `[COUNTED, pairs]` until the full hours before the moments, which are `known`."""
        hour = ts_ms - ts_ms % HOUR_MS
        if len(hour) * WORTH < self.items or (hour != hour[0]).any():
            return self._at(item, hour)
        latest = self._latest  # another thread may replace it
        if latest[0] != hour[0]:
            every = np.arange(self.items)
            latest = int(hour[0]), self._at(every, np.full(self.items, hour[0]))
            self._latest = latest
        return latest[1][:, item]

    def _at(self, item: Ints, ts_ms: Ints) -> Floats:
        found = np.empty((len(COUNTED), len(item)))
        for name in self.of:
            rows = [place for place, (what, _) in enumerate(COUNTED) if what == name]
            found[rows] = self.of[name].before(item, ts_ms, tuple(COUNTED[row][1] for row in rows))
        return found


def lifts(counts: Floats, rates: Floats) -> dict[str, NDArray[Any]]:
    """Return how much more than other items those of `Demand.before` are wished when shown, and bought when wished."""
    told = np.empty((len(LIFTS), counts.shape[1]))
    _fill_ratios(counts, rates[0], rates[1], told)
    return dict(zip(LIFTS, np.log(told, out=told), strict=True))


@njit(cache=True, nogil=True)
def _fill_ratios(counts, of_shown, of_wished, told):  # type: ignore[no-untyped-def]
    for pair in range(counts.shape[1]):
        for window in range(2):
            wished, shown = counts[window, pair], counts[2 + window, pair]
            told[window, pair] = (wished + OF_SHOWN * of_shown) / ((shown + OF_SHOWN) * of_shown)
        bought, wished = counts[4, pair], counts[1, pair]
        told[2, pair] = (bought + OF_WISHED * of_wished) / ((wished + OF_WISHED) * of_wished)


@njit(cache=True, nogil=True)
def _walk(indptr, says, when, user, now, order, spans, half, told):  # type: ignore[no-untyped-def]
    """Fill `told`: one walk over each user's events, with an end for each window that follows it."""
    place, pairs = 0, len(order)
    counts, tails = np.zeros((len(spans), 2)), np.zeros(len(spans), np.int64)
    while place < pairs:
        mine, first = user[order[place]], place
        event, last = indptr[mine], np.int64(-1)
        counts[:] = 0.0
        tails[:] = event
        while place < pairs and user[order[place]] == mine:
            pair = order[place]
            if place > first and now[pair] == now[order[place - 1]]:
                for column in range(told.shape[1]):
                    told[pair, column] = told[order[place - 1], column]
            else:
                event, last = _advance(says, when, event, indptr[mine + 1], last, now[pair], spans, counts, tails)
                _tell(counts, half, (now[pair] - last) / DAY_MS if last >= 0 else np.inf, told[pair])
            place += 1


@njit(cache=True)
def _advance(says, when, event, end, last, now, spans, counts, tails):  # type: ignore[no-untyped-def]
    """Count the events before `now`, take off those before each window; return the next one, and when the last was."""
    while event < end and when[event] < now:
        for span in range(len(spans)):
            _add(counts, span, says[event], 1.0)
        last = when[event] if says[event] >= TURNED else last
        event += 1
    for span in range(len(spans)):
        while tails[span] < event and when[tails[span]] < now - spans[span]:
            _add(counts, span, says[tails[span]], -1.0)
            tails[span] += 1
    return event, last


@njit(cache=True)
def _tell(counts, half, days, told):  # type: ignore[no-untyped-def]
    """Write the shares of one moment, and how few days ago the last wish was."""
    for span in range(len(counts)):
        for kind in range(2):
            told[2 * span + kind] = counts[span, kind] / (counts[span, kind] + half[kind])
    told[-1] = 1 / (1 + days)


@njit(cache=True)
def _add(counts, span, says, sign):  # type: ignore[no-untyped-def]
    """Add an event to the counts (wished, bought) of a window, or take it off."""
    if says >= TURNED:
        counts[span, 0] += sign
        if says == BOUGHT:
            counts[span, 1] += sign
