"""The split that copies the question: what a mode asks, as far as the events' time allows."""

from typing import Final

import numpy as np

from paretail.core.clock import DAY_MS
from paretail.data.held import Mode
from paretail.data.splits import Split, by_time, leave_last, random_pairs
from paretail.data.types import History

#: Repeat purchases are asked for over the last days, or over a fifth of a shorter log.
WINDOW_DAYS: Final = 30.0
WINDOW_SHARE: Final = 0.2
ENOUGH_USERS: Final = 1000


def held_out(history: History, target: str, mode: Mode, most_users: int, rng: np.random.Generator) -> Split:
    """Hold out target pairs of at most `most_users` users, as `mode` asks: the newest where there is an order.

    `none` asks what a user takes in the coming weeks, had before or not; `target` what the user takes for the first
    time; `all` the same where nothing else had been done with it: those pairs alone where ENOUGH_USERS have one, else
    all pairs, every event of which is forgotten.
    """
    if mode == "none" and history.time == "clock" and len(history.ts_ms):
        days = int(np.ptp(history.ts_ms)) / DAY_MS
        return _fewer(by_time(history, target, last_days=min(WINDOW_DAYS, WINDOW_SHARE * days)), most_users, rng)
    if mode == "all":
        untouched = _newest_or_random(history, target, mode, "all", most_users, rng)
        if (untouched.held.counts > 0).sum() >= ENOUGH_USERS:
            return untouched
    return _newest_or_random(history, target, mode, "none" if mode == "none" else "target", most_users, rng)


def _fewer(split: Split, most: int, rng: np.random.Generator) -> Split:
    """Ask at most `most` users, drawn at random."""
    asked = np.flatnonzero(split.held.counts)
    if len(asked) <= most:
        return split
    chosen = rng.choice(asked, most, replace=False)
    return Split(split.train, split.held.where(np.isin(split.held.user_idx, chosen)), split.target)


def _newest_or_random(
    history: History, target: str, mode: Mode, drop: Mode, most: int, rng: np.random.Generator
) -> Split:
    if history.time == "none":
        forget: Mode = "target" if mode == "none" else mode  # without time an answer that stays is given away
        return random_pairs(history, target, rng, forget=forget, drop=drop, most_users=most)
    return leave_last(history, target, forget=mode, drop=drop, most_users=most, rng=rng)
