"""Splits of a history into what may be learnt from and what must be found, such that nothing of the answer leaks.

Each split copies a question. `drop` says which held-out pairs are no question at all (the user had the item before:
with the target kind, or with any kind); `forget` says which events of a held-out pair leave the training history.
"Recommend what the user has not bought" is drop="target", forget="target". "Recommend what the user has never
touched" is drop="target", forget="all": nearly every purchase was viewed before, so a validation that keeps those
views learns to remind, not to discover.

`leave_last` and `random_pairs` protect a user from that user's own future only: other users' later events stay.
`by_time` protects everyone.

Where items are people, a link is known from both sides: whoever is asked for b must not learn from b that b knows them.
Links have no time, so that every split of them is one of `random_pairs`, which hides both directions (`hidden_links`).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.clock import DAY_MS
from paretail.core.errors import DataError, Problem
from paretail.core.ids import Rows
from paretail.data.held import Held, Mask, Mode, among, had, held_from, kind_row, pair_keys
from paretail.data.kinds import FRIEND
from paretail.data.types import History

_NEVER: Final = np.iinfo(np.int64).max
#: The share of links that are hidden to learn how to find them.
HIDDEN_SHARE: Final = 0.15


@dataclass(frozen=True, eq=False)
class Split:
    """`train`, which may be learnt from, and `held`, which must be found; the same users in the same rows.

    `cut_ms` is the one moment at which all are asked, None where each user is asked at another, or at none.
    """

    train: History
    held: Held
    target: str
    cut_ms: int | None = None


def leave_last(
    history: History,
    target: str,
    *,
    forget: Mode = "target",
    drop: Mode = "target",
    most_users: int | None = None,
    rng: np.random.Generator | None = None,
) -> Split:
    """Hold out the newest target pair of each user with two or more distinct target items.

    Of that user's history only events strictly before the held-out event stay; whatever else has its time (the
    rest of the order) is part of the answer and leaves too. Users who would keep no event are not asked, nor,
    given `most_users` and `rng`, more than so many users, drawn at random; who is not asked keeps every event.
    Raises DataError EVAL-01 where the events have no time, EVAL-02 where `target` does not occur.
    """
    if history.time == "none":
        raise DataError(_needs("time or order", "random_pairs"))
    user, keys = history.user_idx, _keys(history)
    asked = _newest(_askable(history, target, drop, keys), user)
    asked = asked[_distinct(user, keys, history.kind == kind_row(history, target))[user[asked]] >= 2]
    keep = _keep_before(history, asked, keys, target, forget)
    asked = asked[np.bincount(user[keep], minlength=history.users)[user[asked]] > 0]
    if most_users is not None and len(asked) > most_users:
        if rng is None:
            raise ValueError("most_users draws at random: give rng")
        asked = np.sort(rng.choice(asked, most_users, replace=False))
    keep = _keep_before(history, asked, keys, target, forget)
    return Split(history.where(keep), _held(history, asked, target, keys), target)


def by_time(
    history: History,
    target: str,
    *,
    cut_ms: int | None = None,
    last_days: float | None = None,
    drop: Mode = "none",
    forget: Mode = "none",
) -> Split:
    """Train strictly before the cut; hold out the distinct target pairs at or after it.

    Give `cut_ms`, or `last_days` before the newest event. Repeat purchases stay in the question unless `drop`
    takes them out. Raises DataError EVAL-01 where the events have no clock time, EVAL-02 as above.
    """
    if history.time != "clock":
        raise DataError(_needs("clock time", "leave_last or random_pairs"))
    if (cut_ms is None) == (last_days is None):
        raise ValueError("give cut_ms or last_days, one of them")
    if cut_ms is None:
        cut_ms = int(history.ts_ms.max(initial=0)) - round((last_days or 0) * DAY_MS)
    early = history.ts_ms < cut_ms
    held = held_from(history.where(~early), history.where(early), target, drop)
    keep = early & ~_of_pairs(history, held, target, forget)
    return Split(history.where(keep), held, target, cut_ms)


def random_pairs(
    history: History,
    target: str,
    rng: np.random.Generator,
    *,
    share: float | None = None,
    forget: Mode = "target",
    drop: Mode = "target",
    most_users: int | None = None,
) -> Split:
    """Hold out target pairs at random: one a user, or each with probability `share`; for shops without time.

    Only users with two or more distinct target items are asked, and each keeps at least one of them; given
    `most_users`, no more than so many of them. Under drop="all" a pair that occurs under another kind too is no
    question. No repeats are possible under the default `forget`. Where time exists, this leaks a user's own future:
    prefer the others. Links between people are hidden as `hidden_links` does, whatever `forget` and `drop` say.
    """
    if target == FRIEND:
        return hidden_links(history, rng, HIDDEN_SHARE if share is None else share, most_users)
    user, keys = history.user_idx, _keys(history)
    pairs = _askable(history, target, "target", keys)  # the first event of each target pair
    has = np.bincount(user[pairs], minlength=history.users)
    if drop == "all":
        others = keys[history.kind != kind_row(history, target)]
        pairs = pairs[~np.isin(keys[pairs], others)]
    owner, counts = user[pairs], np.bincount(user[pairs], minlength=history.users)
    order = np.lexsort((rng.random(len(pairs)), owner))  # shuffled within each user
    place = np.arange(len(pairs)) - (np.cumsum(counts) - counts)[owner]
    wanted = np.ones(history.users, dtype=np.int64) if share is None else rng.binomial(counts, share)
    wanted[~_some(np.flatnonzero((counts > 0) & (has > 1)), history.users, most_users, rng)] = 0
    asked = np.sort(pairs[order][place < np.minimum(wanted, has - 1)[owner]])
    held = Held.of(user[asked], history.item_idx[asked], history.users)
    return Split(history.where(~_of_pairs(history, held, target, forget)), held, target)


def hidden_links(
    history: History, rng: np.random.Generator, share: float = HIDDEN_SHARE, most_users: int | None = None
) -> Split:
    """Hide links at random, each in both directions, and ask at most `most_users` of the people whom they join.

    Asked is who keeps a link at least.
    """
    links = np.flatnonzero(history.kind == kind_row(history, FRIEND))
    user, other = history.user_idx[links], history.item_idx[links]
    pairs, link = np.unique(
        pair_keys(np.minimum(user, other), np.maximum(user, other), history.users), return_inverse=True
    )
    hidden = (rng.random(len(pairs)) < share)[link]
    keep = np.ones(len(history.item_idx), bool)
    keep[links[hidden]] = False
    held = Held.of(user[hidden], other[hidden], history.users)
    left = np.bincount(user[~hidden], minlength=history.users) > 0
    asked = _some(np.flatnonzero((held.counts > 0) & left), history.users, most_users, rng)
    return Split(history.where(keep), held.where(asked[held.user_idx]), FRIEND)


def _some(candidates: NDArray[np.int64], users: int, most: int | None, rng: np.random.Generator) -> Mask:
    """Mark at most `most` of the candidate users, drawn at random."""
    chosen = np.zeros(users, dtype=bool)
    few = most is not None and len(candidates) > most
    chosen[rng.choice(candidates, most, replace=False) if few else candidates] = True
    return chosen


def _keys(history: History) -> NDArray[np.int64]:
    return pair_keys(history.user_idx, history.item_idx, int(history.item_idx.max(initial=0)) + 1)


def _askable(history: History, target: str, drop: Mode, keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the target events whose pair was not had before under `drop`, in order of the history."""
    is_target = np.flatnonzero(history.kind == kind_row(history, target))
    if drop == "none":
        return is_target
    known = np.flatnonzero(had(history, target, drop))
    first = known[np.unique(keys[known], return_index=True)[1]]
    return np.intersect1d(is_target, first, assume_unique=True)


def _newest(events: NDArray[np.int64], user: Rows) -> NDArray[np.int64]:
    """Return the last of each user's `events` (positions in the history, ascending)."""
    return events[np.append(np.diff(user[events]) != 0, True)] if len(events) else events


def _distinct(user: Rows, keys: NDArray[np.int64], chosen: Mask) -> NDArray[np.int64]:
    """Return the number of distinct pairs of each user among the `chosen` events."""
    at = np.flatnonzero(chosen)[np.unique(keys[chosen], return_index=True)[1]]
    return np.bincount(user[at], minlength=int(user.max(initial=-1)) + 1)


def _keep_before(
    history: History, asked: NDArray[np.int64], keys: NDArray[np.int64], target: str, forget: Mode
) -> Mask:
    """Mark the events strictly before each user's held-out event that do not belong to a forgotten pair."""
    cut = np.full(history.users, _NEVER)
    cut[history.user_idx[asked]] = history.ts_ms[asked]
    forgotten = had(history, target, forget) & among(keys, keys[asked])
    return (history.ts_ms < cut[history.user_idx]) & ~forgotten


def _held(history: History, asked: NDArray[np.int64], target: str, keys: NDArray[np.int64]) -> Held:
    firsts = _askable(history, target, "target", keys)
    user = history.user_idx[asked]
    return Held.of(user, history.item_idx[asked], history.users, ~among(asked, firsts))


def _of_pairs(history: History, held: Held, target: str, mode: Mode) -> Mask:
    """Mark the events of held-out pairs that count under `mode`."""
    width = 1 + int(max(history.item_idx.max(initial=0), held.item_idx.max(initial=0)))
    keys = pair_keys(history.user_idx, history.item_idx, width)
    return had(history, target, mode) & among(keys, pair_keys(held.user_idx, held.item_idx, width))


def _needs(what: str, instead: str) -> Problem:
    return Problem("EVAL-01", f"this split needs {what}, which the events lack", "A split that the events allow",
                   f"Use {instead}, or map a time column in [data]")  # fmt: skip
