"""Past: what users had gathered before each asked moment, and what all people had done with an item.

    past(u, i, t) = Σ_e w_e   over the events e of u with t_e < t: of any item, of i's category, its brand, i itself
    recent(i, t, window) = how many events of i have t - window <= t_e < t

Training asks for every example's own moment, serving for now: one code, so that both see the same numbers and neither
sees the future. Pairs are taken user by user, oldest first, beside one walk over the user's events, so that the cost is
that of those events and of the pairs: nothing is indexed before a question.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from paretail.core.ids import Rows

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: What an event says: nothing, that something was shown, that somebody turned to it, and from there on bought it.
NOTHING, SHOWN, TURNED, BOUGHT = 0, 1, 2, 3
#: What `past` tells, a row each.
SUMS: Final = (
    "shown", "turned", "branded", "paid", "priced", "category_shown", "category_turned", "brand_turned", "had", "seen",
    "since_last_ms",
)  # fmt: skip


#: Users' events in CSR, oldest first: where each user's begin, the item, what the event says, when.
Happened = tuple[Ints, Rows, NDArray[np.uint8], Ints]
#: Of each item: codes of its category and its brand (-1 none), and the logarithm of its price (NaN none).
Labels = tuple[Rows, Rows, NDArray[np.float32]]


def gathered(events: Happened, labels: Labels, user: Ints, item: Ints, ts_ms: Ints,
             order: Ints) -> dict[str, Floats]:  # fmt: skip
    """Return SUMS of pairs as of `ts_ms[pairs]`, an array each; `order` sorts them by user and time.

    `shown` and `turned` count items of some category, `branded` of some brand, `paid` sums the log prices of the
    `priced` items turned to; `since_last_ms` is infinite where the user never met the item.
    """
    told = np.zeros((len(user), len(SUMS)))
    of_category, of_brand = (np.zeros((int(codes.max(initial=-1)) + 1, 2)) for codes in labels[:2])
    of_item, last = np.zeros((len(labels[0]), 2)), np.zeros(len(labels[0]), np.int64)
    _walk(*events, *labels, user, item, ts_ms, order, of_category, of_brand, of_item, last, told)
    return dict(zip(SUMS, told.T, strict=True))


@dataclass(frozen=True, eq=False)
class Recent:
    """The times of each item's events, oldest first: those of item i are `ts_ms[indptr[i] : indptr[i + 1]]`."""

    indptr: Ints
    ts_ms: Ints

    @classmethod
    def of(cls, items: int, item: NDArray[Any], ts_ms: Ints) -> Self:
        """Sort events by item and time."""
        indptr = np.concatenate([[0], np.cumsum(np.bincount(item, minlength=items))]).astype(np.int64)
        found = np.empty(len(item), np.int64)
        _by_item(item, ts_ms, indptr, found)
        return cls(indptr, found)

    def before(self, item: Ints, ts_ms: Ints, windows: tuple[int, ...]) -> Floats:
        """Return `[windows, pairs]`, how many events the items had in so many milliseconds right before the moments."""
        found = np.empty((len(windows), len(item)))
        _recent(self.indptr, self.ts_ms, item, ts_ms, np.array(windows, np.int64), found)
        return found


@njit(cache=True, nogil=True)
def _by_item(item, ts_ms, indptr, found):  # type: ignore[no-untyped-def]
    """Put the times of each item's events together, in order: several times faster than one sort of them all."""
    free = indptr[:-1].copy()
    for event in range(len(item)):
        found[free[item[event]]] = ts_ms[event]
        free[item[event]] += 1
    for which in range(len(free)):
        found[indptr[which] : indptr[which + 1]].sort()


@njit(cache=True, nogil=True)
def _walk(  # type: ignore[no-untyped-def]
    indptr, event_item, event_says, event_ts, category, brand, log_price, user, item, ts_ms, order, of_category,
    of_brand, of_item, last, told,
):  # fmt: skip
    """Fill `told[pairs, SUMS]`; the tables of sums are zeros before and after."""
    sums = np.zeros(5)
    start, pairs = 0, len(order)
    while start < pairs:
        mine = user[order[start]]
        first = indptr[mine]
        event, end = first, indptr[mine + 1]
        sums[:] = 0.0
        while start < pairs and user[order[start]] == mine:
            now, stop = ts_ms[order[start]], start + 1
            while stop < pairs and user[order[stop]] == mine and ts_ms[order[stop]] == now:
                stop += 1
            event = _count(event, end, now, event_item, event_says, event_ts, category, brand, log_price, sums,
                           of_category, of_brand, of_item, last)  # fmt: skip
            _tell(order[start:stop], item, now, category, brand, sums, of_category, of_brand, of_item, last, told)
            start = stop
        for done in range(first, event):
            which = event_item[done]
            of_item[which] = 0.0
            if category[which] >= 0:
                of_category[category[which]] = 0.0
            if brand[which] >= 0:
                of_brand[brand[which]] = 0.0


@njit(cache=True)
def _count(  # type: ignore[no-untyped-def]
    event, end, now, event_item, event_says, event_ts, category, brand, log_price, sums, of_category, of_brand, of_item,
    last,
):  # fmt: skip
    """Add the events before `now` to the sums, and return the next one."""
    while event < end and event_ts[event] < now:
        which, says = event_item[event], event_says[event]
        if says != NOTHING:
            shown, turned = says == SHOWN, says >= TURNED
            if category[which] >= 0:
                sums[0] += shown
                sums[1] += turned
                of_category[category[which], 0] += shown
                of_category[category[which], 1] += turned
            if turned and brand[which] >= 0:
                sums[2] += 1
                of_brand[brand[which], 1] += 1
            if turned and np.isfinite(log_price[which]):
                sums[3] += log_price[which]
                sums[4] += 1
            of_item[which, 0] += turned
            of_item[which, 1] += shown
            last[which] = event_ts[event]
        event += 1
    return event


@njit(cache=True)
def _tell(  # type: ignore[no-untyped-def]
    asked, item, now, category, brand, sums, of_category, of_brand, of_item, last, told
):
    """Write the sums as they are now, of the pairs `asked`; a call for each would take longer than the pair."""
    for pair in asked:
        which = item[pair]
        for place in range(5):
            told[pair, place] = sums[place]
        if category[which] >= 0:
            told[pair, 5], told[pair, 6] = of_category[category[which], 0], of_category[category[which], 1]
        if brand[which] >= 0:
            told[pair, 7] = of_brand[brand[which], 1]
        had, seen = of_item[which, 0], of_item[which, 1]
        told[pair, 8], told[pair, 9] = had, seen
        told[pair, 10] = now - last[which] if had + seen > 0 else np.inf


@njit(cache=True, nogil=True)
def _recent(indptr, times, item, ts_ms, windows, found):  # type: ignore[no-untyped-def]
    for pair in range(len(item)):
        mine = times[indptr[item[pair]] : indptr[item[pair] + 1]]
        end = np.searchsorted(mine, ts_ms[pair])
        for place in range(len(windows)):
            found[place, pair] = end - np.searchsorted(mine[:end], ts_ms[pair] - windows[place])
