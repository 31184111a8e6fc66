"""Logged sessions: decisions in their order, what was seen before and after each, what was shown and what it brought.

The contract between whoever logs (a simulator, a shop's store) and whoever learns or evaluates from logs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import DataError, Problem

Columns = Mapping[str, NDArray[Any]]


def _no_goals() -> NDArray[np.float64]:
    return np.zeros((0, 0, 0))


@dataclass(frozen=True, eq=False)
class SessionLog:
    """Decisions, session by session and each in its order; every array has one row a decision.

    `seen` and `after` are the parts of the observation before and after; `rows[decisions, slots]` what was shown, best
    position first; `clicks` which of it was clicked; `propensity` the probability of each slot's item given those above
    it, NaN where unknown. `ended` is true where the session ended with the decision, false on a last decision after
    which nobody looked on. `brought[decisions, slots, goals]`, where the log tells it, is what each slot brought of
    several goals. Raises DataError (SESS-01).
    """

    session: NDArray[np.int64]
    user: NDArray[np.int64]
    seen: Columns
    after: Columns
    rows: NDArray[np.int64]
    clicks: NDArray[np.float32]
    propensity: NDArray[np.float64]
    reward: NDArray[np.float64]
    ended: NDArray[np.bool_]
    brought: NDArray[np.float64] = field(default_factory=_no_goals)

    def __post_init__(self) -> None:
        if not self.brought.size:
            object.__setattr__(self, "brought", np.zeros((*self.rows.shape[:2], 0)))
        columns = {name: value for name, value in vars(self).items() if name not in ("seen", "after")}
        columns |= {
            f"{side}/{name}": value for side in ("seen", "after") for name, value in getattr(self, side).items()
        }
        lengths = {name: len(value) for name, value in columns.items()}
        problems = []
        if len(set(lengths.values())) != 1 or not len(self.session):
            problems.append(_wrong(f"columns of {lengths} decisions", "as many in each, and one at least"))
        elif (np.diff(self.session) < 0).any():
            problems.append(_wrong("decisions of one session do not stand together", "session by session, in order"))
        for name in ("reward", "clicks", "brought"):
            numbers = np.isfinite(columns[name])
            if (bad := ~numbers.all(axis=tuple(range(1, numbers.ndim)))).any():
                found = f"{bad.sum():,} decisions whose {name} is no number (first: {bad.argmax():,})"
                problems.append(_wrong(found, "numbers"))
        if self.rows.ndim != 2 or self.rows.shape != self.clicks.shape or self.rows.shape != self.propensity.shape:
            shapes = f"rows {self.rows.shape}, clicks {self.clicks.shape}, propensity {self.propensity.shape}"
            problems.append(_wrong(shapes, "[decisions, slots] in each"))
        if problems:
            raise DataError(problems)

    def __len__(self) -> int:
        return len(self.session)

    @property
    def starts(self) -> NDArray[np.int64]:
        """The row of the first decision of each session."""
        return np.flatnonzero(np.r_[True, np.diff(self.session) != 0])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many decisions each session has."""
        return np.asarray(np.diff(np.r_[self.starts, len(self)]), np.int64)

    @property
    def returns(self) -> NDArray[np.float64]:
        """The sum of rewards of each session."""
        return np.asarray(np.add.reduceat(self.reward, self.starts))

    def pick(self, sessions: NDArray[np.bool_]) -> Self:
        """Return some sessions, by a mask over all of them."""
        which = np.repeat(sessions, self.lengths)
        if not which.any():
            raise DataError(_wrong("a part of the log without a session", "one session at least"))
        parts: dict[str, Any] = {
            name: {key: value[which] for key, value in getattr(self, name).items()} for name in ("seen", "after")
        }
        columns = {name: value[which] for name, value in vars(self).items() if name not in parts}
        return type(self)(**columns, **parts)

    def of_items(self, place: Mapping[int, int]) -> Self:
        """Return the log in the rows that `place` gives items, without sessions that show others."""
        most = max([int(self.rows.max(initial=0)), *place]) + 1
        table = np.full(most + 1, -1, np.int64)  # the last one is that of no slate
        table[list(place)] = list(place.values())
        known = np.logical_and.reduceat((table[self.rows] >= 0).all(axis=1), self.starts)
        part = self.pick(known)
        seen, after = (
            {name: table[value] if name == "slate" else value for name, value in side.items()}
            for side in (part.seen, part.after)
        )
        return replace(part, rows=table[part.rows], seen=seen, after=after)

    def halves(self) -> tuple[Self, Self]:
        """Return two parts of about as many users each, none of whom is in both."""
        first, second = self.parts(0.5, 0.5)
        return first, second

    def parts(self, *shares: float) -> tuple[Self, ...]:
        """Return parts with about these shares of the users, none of whom is in two; see `drawn_users`."""
        ends = np.cumsum(shares)
        part = np.searchsorted(ends[:-1] / ends[-1], drawn_users(self.user[self.starts]), side="right")
        return tuple(self.pick(part == number) for number in range(len(shares)))


def drawn_users(user: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a number from 0 to 1 for each user, which follows from the user alone (splitmix64, as even as chance).

    So whoever was in a part of one log is in the same part of the next, and order of ids, which often is that of first
    visits, divides nobody.
    """
    with np.errstate(over="ignore"):
        z = user.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return np.asarray((z >> np.uint64(11)).astype(np.float64) / 2.0**53)


def _wrong(found: str, expected: str) -> Problem:
    return Problem("SESS-01", f"the sessions have {found}", f"Expected {expected}", "Correct the log, or log anew")
