"""The split that copies the question: what a mode asks, as far as the events' time allows."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.clock import DAY_MS
from paretail.data.held import Mode, kind_row
from paretail.data.kinds import FRIEND
from paretail.data.splits import Split, by_time, leave_last, random_pairs
from paretail.data.types import History
from paretail.retrieve.base import Question

#: What each mode asks, for people.
ASKS: Final[dict[Mode, str]] = {
    "none": "Lists that may repeat what a user had",
    "target": "Lists without what a user had under the target kind",
    "all": "Lists without anything a user touched",
}
#: The weeks after one moment are the last days, or a fifth of a shorter log.
WINDOW_DAYS: Final = 30.0
WINDOW_SHARE: Final = 0.2
#: Where these weeks hold too few, as after a gap in the log, they begin before this share of the target events.
NEWEST_SHARE: Final = 0.2
ENOUGH_USERS: Final = 1000
FEWEST_USERS: Final = 100
FEWEST_NEWCOMERS: Final = 50


def held_out(
    history: History, target: str, mode: Mode, most_users: int, rng: np.random.Generator, window: float = WINDOW_DAYS
) -> Split:
    """Hold out target pairs of at most `most_users` users, as `mode` asks.

    `none` asks what a user takes, had before or not; `target` what the user takes for the first time. Both are asked
    at one moment for the weeks after it, where time is known: asked an instant before each purchase, the look and the
    cart that led to it would answer (on a simulated shop NDCG .98, and lists worse than popularity a week later).
    `all` asks for the newest pairs with which nothing else had been done: those alone where ENOUGH_USERS have one,
    else all pairs, every event of which is forgotten. Without clock time, or with too few users in the last weeks,
    the newest pair of each user is asked; without order a random one. `window` is how many days "the weeks" are at
    most: of items that live for a day nothing can be foretold for weeks. Between people links are hidden, each in both
    directions.
    """
    if mode != "all" and history.time == "clock" and len(history.ts_ms):
        split, asked = _weeks(history, target, mode, window)
        if mode == "none" or len(asked) >= FEWEST_USERS:
            return _only(split, asked, most_users, rng)
    if mode == "all" and target != FRIEND:
        untouched = _newest_or_random(history, target, mode, "all", most_users, rng)
        if (untouched.held.counts > 0).sum() >= ENOUGH_USERS:
            return untouched
    return _newest_or_random(history, target, mode, "none" if mode == "none" else "target", most_users, rng)


def newcomers(history: History, target: str, most_users: int, rng: np.random.Generator) -> Split | None:
    """Ask what people take in the weeks of their first event, without any event of theirs; None where too few are new.

    The weeks are the last ones, or hold the newest fifth of the target events. Only clock time tells who is new.
    """
    if history.time != "clock" or not len(history.ts_ms):
        return None
    best: tuple[Split, NDArray[np.int64]] | None = None
    for cut_ms in _cuts(history, target):
        split = by_time(history, target, cut_ms=cut_ms)
        asked = np.flatnonzero((split.held.counts > 0) & (np.diff(split.train.indptr) == 0))
        if best is None or len(asked) > len(best[1]):
            best = split, asked
        if len(asked) >= FEWEST_USERS:
            break
    return None if best is None or len(best[1]) < FEWEST_NEWCOMERS else _only(*best, most_users, rng)


def _cuts(history: History, target: str, window: float = WINDOW_DAYS) -> list[int]:
    """Return the moments at which the last weeks may begin."""
    days = int(np.ptp(history.ts_ms)) / DAY_MS
    last = int(history.ts_ms.max()) - round(min(window, WINDOW_SHARE * days) * DAY_MS)
    times = history.ts_ms[history.kind == kind_row(history, target)]
    return [last, int(np.quantile(times, 1 - NEWEST_SHARE)) if len(times) else last]


def _weeks(history: History, target: str, mode: Mode, window: float) -> tuple[Split, NDArray[np.int64]]:
    """Return the question of the last weeks and whom it can be asked."""
    best: tuple[Split, NDArray[np.int64]] | None = None
    for cut_ms in _cuts(history, target, window):
        split = by_time(history, target, cut_ms=cut_ms, drop=mode)
        asked = np.flatnonzero((split.held.counts > 0) & (np.diff(split.train.indptr) > 0))
        if best is None or len(asked) > len(best[1]):
            best = split, asked
        if len(asked) >= FEWEST_USERS:
            break
    assert best is not None
    return best


def _only(split: Split, asked: NDArray[np.int64], most: int, rng: np.random.Generator) -> Split:
    """Ask the users `asked` alone, at most `most` of them, drawn at random."""
    chosen = rng.choice(asked, most, replace=False) if len(asked) > most else asked
    return replace(split, held=split.held.where(np.isin(split.held.user_idx, chosen)))


def _newest_or_random(
    history: History, target: str, mode: Mode, drop: Mode, most: int, rng: np.random.Generator
) -> Split:
    if history.time == "none":
        forget: Mode = "target" if mode == "none" else mode  # without time an answer that stays is given away
        return random_pairs(history, target, rng, forget=forget, drop=drop, most_users=most)
    return leave_last(history, target, forget=mode, drop=drop, most_users=most, rng=rng)


def modes_to_learn(history: History, question: Question) -> tuple[Mode, ...]:
    """Return the modes that are different questions here, the default one first."""
    if question.target == FRIEND:
        return ("all",)
    kinds = [kind for kind in history.kinds if kind in question.wishes]
    modes: tuple[Mode, ...] = ("target", "all") if len(kinds) > 1 else ("target",)
    return ("none", *modes) if question.repeat else modes
