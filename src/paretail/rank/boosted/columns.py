"""Columns: what a boosted ranker reads of (user, item) pairs at one moment: the retriever's scores, and counts.

Training and serving call the same code with what was known at the moment: a log, the histories of the users asked, and
what the retriever says of them. Nothing else is read, so that nothing later can leak.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.clock import DAY_MS
from paretail.core.ids import Rows
from paretail.data.features.pairs import NAMES as PAIR_NAMES
from paretail.data.features.pairs import PairFeatures, wished
from paretail.data.held import Mode
from paretail.data.types import History

Dense = NDArray[np.float32]
Ints = NDArray[np.int64]

#: Those of the features of pairs that do not change with the moment that is asked for alone.
OF_PAIRS: Final = ("category_lift", "brand_lift", "had", "last", "price_ratio", "price_level", "new", "trend")
OF_ITEMS: Final = ("item 7d", "item 30d", "item 90d", "item", "item users", "item since", "item taken")
OF_USERS: Final = ("moments", "since", "events a moment", "30d", "90d", "items", "taken")
OF_BOTH: Final = ("times", "habit", "since it")
#: Ahead of the parts of the retriever, as the ranker reads them: the score itself must be the first.
RETRIEVED: Final = ("score", "rank", "relative")
#: Days since something that never was.
NEVER_DAYS: Final = 999.0
WINDOWS_DAYS: Final = (7, 30, 90)
#: Pseudo-events of the share of people who took an item, among those who turned to it.
TAKEN: Final = 5.0
#: Items behind this place of the retriever's list are all alike last.
REACH: Final = 500
#: So many of the best scores make the unit of the relative score.
BEST: Final = 50


@dataclass(frozen=True, eq=False)
class Retrieved:
    """What a retriever says of some users: scores, the place of each item (REACH: behind), and the score's parts.

    `scores`, `place` and each of `parts` are `[users, items]`; items that lists leave out have no place.
    """

    scores: Dense
    place: NDArray[np.int32]
    parts: Mapping[str, Dense]

    def columns(self, user: Rows, item: Rows) -> Dense:
        """Return `[pairs, RETRIEVED and parts]`."""
        best = min(BEST, self.scores.shape[1])
        unit = np.maximum(np.partition(self.scores, -best, axis=1)[:, -best:].mean(axis=1), 1e-9)
        score = self.scores[user, item]
        parts = [np.log1p(np.maximum(part[user, item], 0)) for part in self.parts.values()]
        return np.stack([score, np.log1p(self.place[user, item]), score / unit[user], *parts], axis=1)


#: Asks the retriever of a bundle, or of one that was fitted on an earlier part of the log.
Retrieve = Callable[[History, Mode], Retrieved]


@dataclass(frozen=True, eq=False)
class Columns:
    """Computes columns; `of_items[items, OF_ITEMS]` is what the log says of each item at its end."""

    pairs: PairFeatures
    of_items: Dense
    target: str
    kinds: tuple[str, ...]

    @classmethod
    def of(cls, items: pl.DataFrame, log: History, target: str) -> Self:
        """Count in a log, whose end is the moment."""
        return cls(PairFeatures.of(items, log), _of_items(log, items.height, target), target, log.kinds)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, those of `Retrieved` left out."""
        return (*OF_PAIRS, *OF_ITEMS, *OF_USERS, *OF_BOTH, *(f"did {kind}" for kind in self._did))

    def matrix(self, history: History, user: Rows, item: Rows, moment_ms: int) -> Dense:
        """Return the columns of pairs of users of `history` (events before the moment) and items."""
        at = np.full(len(user), moment_ms, np.int64)
        pairs = self.pairs.raw(history, user, item, at)[:, [PAIR_NAMES.index(name) for name in OF_PAIRS]]
        wishes = history.where(wished(history))
        of_users = _of_users(wishes, moment_ms, self.target)
        both = _of_both(wishes, user, item, len(self.of_items), moment_ms, self._did)
        both.insert(1, both[0] / np.maximum(np.expm1(of_users[user, 0]), 1))
        parts = [pairs, self.of_items[item], of_users[user], np.stack(both, axis=1)]
        return np.concatenate(parts, axis=1, dtype=np.float32)

    @property
    def _did(self) -> tuple[str, ...]:
        """The kinds that are counted for a pair apart, where there are several."""
        kinds = [kind for kind in self.kinds if kind not in ("impression", "refund", "self")]
        return tuple(kinds) if len(kinds) > 1 else ()


def _of_items(log: History, items: int, target: str) -> Dense:
    wishes = log.where(wished(log))
    user, item, ts = _moments(wishes)
    age = (int(log.ts_ms.max(initial=0)) + 1 - ts) / DAY_MS
    timed = log.time == "clock"
    recent = [np.bincount(item[age <= days], minlength=items) if timed else np.zeros(items) for days in WINDOWS_DAYS]
    ever = np.bincount(item, minlength=items)
    since = np.full(items, NEVER_DAYS)
    np.minimum.at(since, item, np.minimum(age, NEVER_DAYS) if timed else 0.0)
    people = np.bincount(np.unique(user * items + item) % items, minlength=items)
    took = wishes.kind == wishes.kinds.index(target) if target in wishes.kinds else np.zeros(len(wishes.kind), bool)
    took_it = np.unique(wishes.user_idx[took].astype(np.int64) * items + wishes.item_idx[took]) % items
    taken = (np.bincount(took_it, minlength=items) + 1) / (people + TAKEN)
    logs = [np.log1p(counts) for counts in (*recent, ever, people)]
    return np.stack([*logs, since, taken], axis=1).astype(np.float32)


def _of_users(wishes: History, moment_ms: int, target: str) -> Dense:
    user, timed = wishes.user_idx.astype(np.int64), wishes.time == "clock"
    events, users = np.diff(wishes.indptr), wishes.users
    moments = np.unique(np.stack([user, wishes.ts_ms]), axis=1) if timed else np.stack([user, user])
    times = np.bincount(moments[0], minlength=users)
    age = (moment_ms - moments[1]) / DAY_MS
    since = np.full(users, NEVER_DAYS)
    np.minimum.at(since, moments[0], np.minimum(age, NEVER_DAYS) if timed else 0.0)
    lately = [np.bincount(moments[0][age <= days], minlength=users) if timed else np.zeros(users) for days in (30, 90)]
    width = int(wishes.item_idx.max(initial=0)) + 1
    items = np.bincount(np.unique(user * width + wishes.item_idx) // width, minlength=users)
    took = wishes.kind == wishes.kinds.index(target) if target in wishes.kinds else np.zeros(len(user), bool)
    taken = np.bincount(user[took], minlength=users) / (events + 1)
    columns = [np.log1p(times), since, events / np.maximum(times, 1), *lately, np.log1p(items), taken]
    return np.stack(columns, axis=1).astype(np.float32)


def _of_both(wishes: History, user: Rows, item: Rows, items: int, moment_ms: int,
             kinds: tuple[str, ...]) -> list[NDArray[Any]]:  # fmt: skip
    """Return the moments at which the user turned to the item, the days since, and the events of each kind."""
    who, what, ts = _moments(wishes)
    asked = user.astype(np.int64) * items + item
    keys, last, counts = _counted(who * items + what, ts)
    at, there = _found(keys, asked)
    since = np.where(there, (moment_ms - last[at]) / DAY_MS, NEVER_DAYS) if wishes.time == "clock" else 0.0 * asked
    columns = [counts[at] * there, np.minimum(since, NEVER_DAYS)]
    every = wishes.user_idx.astype(np.int64) * items + wishes.item_idx
    for kind in kinds:
        keys, _, counts = _counted(every[wishes.kind == wishes.kinds.index(kind)], None)
        at, there = _found(keys, asked)
        columns.append(np.log1p(counts[at] * there))
    return columns


def _moments(wishes: History) -> tuple[Ints, Ints, Ints]:
    """Return user, item and time of the distinct moments; without time each event is one."""
    user, item, ts = wishes.user_idx.astype(np.int64), wishes.item_idx.astype(np.int64), wishes.ts_ms
    if wishes.time != "clock" or not len(user):
        return user, item, ts
    order = np.lexsort((ts, item, user))
    user, item, ts = user[order], item[order], ts[order]
    new = np.append(True, (user[1:] != user[:-1]) | (item[1:] != item[:-1]) | (ts[1:] != ts[:-1]))
    return user[new], item[new], ts[new]


def _counted(keys: Ints, ts: Ints | None) -> tuple[Ints, Ints, Ints]:
    """Return the distinct keys, the newest time of each, and how often each occurs; one of nobody, if there is none."""
    found, place, counts = np.unique(keys, return_inverse=True, return_counts=True)
    if not len(found):
        return np.full(1, -1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64)
    last = np.zeros(len(found), np.int64)
    if ts is not None:
        np.maximum.at(last, place, ts)
    return found, last, counts


def _found(keys: Ints, asked: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    at = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return at, keys[at] == asked
