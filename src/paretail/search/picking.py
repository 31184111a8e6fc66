"""Which of the trained architectures is taken: the front of the goals, and one of it.

One goal: the most accurate. Several: of those on the front that are no less accurate than the most accurate by more
than one standard error of the paired difference over users, the one that is best in the second goal; further goals
make the front, and no choice. A shop may pick
another by its number (a preset by its name), or the best in a goal by the goal's name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from paretail.core.errors import Problem, UsageError, nearest
from paretail.moo.pareto import front
from paretail.search.goals import gains
from paretail.search.loop import Tried

#: How much less accurate than the best a choice may be, in standard errors of the paired difference.
WITHIN: Final = 1.0


@dataclass(frozen=True)
class Picked:
    """The choice, why, and the front that it is from, the most accurate first."""

    chosen: Tried
    why: str
    front: tuple[Tried, ...]


def picked(trained: Sequence[Tried], goals: Sequence[str], wish: str | None = None) -> Picked:
    """Return what is taken; raises UsageError (SRCH-17) where nothing was trained in full or the wish is not there."""
    found = [one for one in trained if one.whole is not None and "failed" not in one.whole]
    worth = gains([one.whole or {} for one in found], goals)
    found = [one for one, row in zip(found, worth, strict=True) if not np.isnan(row).any()]
    if not found:
        raise UsageError(_nothing(trained))
    worth = worth[~np.isnan(worth).any(axis=1)]
    kept = sorted(np.flatnonzero(front(worth)), key=lambda row: -worth[row, 0])
    best = tuple(found[row] for row in kept)
    if wish is not None:
        return Picked(*_wished(found, worth, goals, wish, trained), best)
    if len(goals) == 1:
        return Picked(best[0], "the most accurate in validation", best)
    near = [row for row in kept if _as_good(found[row], best[0])]
    row = max(near, key=lambda row: worth[row, 1])
    why = (
        f"of the {len(near)} on the front within {WITHIN:g} standard error of the most accurate, the best in {goals[1]}"
        + (f", whatever {' and '.join(goals[2:])}" if goals[2:] else "")
    )
    return Picked(found[row], why, best)


def ahead(one: Tried, other: Tried, users: str = "told") -> tuple[float, float]:
    """Return by how much `one` is more accurate, and the standard error of that paired difference."""
    assert one.whole is not None
    assert other.whole is not None
    gain = np.array(one.whole[users]) - np.array(other.whole[users])
    return float(gain.mean()), float(gain.std() / np.sqrt(len(gain)))


def _as_good(one: Tried, best: Tried) -> bool:
    lost, error = ahead(best, one)
    return lost <= WITHIN * error


def _wished(
    found: Sequence[Tried], worth: "np.ndarray", goals: Sequence[str], wish: str, trained: Sequence[Tried]
) -> tuple[Tried, str]:
    named = {one.called or str(one.number): one for one in found}
    if wish.removeprefix("#") in named:
        one = named[wish.removeprefix("#")]
        return one, f"picked by its {'name' if one.called else 'number'}"
    if wish in goals:
        return found[int(np.argmax(worth[:, list(goals).index(wish)]))], f"the best in {wish}"
    there = next((one for one in trained if wish in (one.name, str(one.number), one.called)), None)
    if there is None:
        raise UsageError(_no_pick(wish, f"Expected {nearest(wish, [*goals, *named])}"))
    unmeasured = "was only screened" if there.whole is None else "is not measured in all of the goals"
    why = f"failed: {there.failed}" if there.failed else unmeasured
    raise UsageError(_no_pick(f"{wish}: {there.name} {why}", f"One that was trained in full: {', '.join(named)}"))


def check_pick(wish: str, names: Sequence[str], trials: int) -> None:
    """Raise UsageError (SRCH-17) for what no search can pick: neither one of `names` nor one of so many `trials`."""
    number = wish.removeprefix("#")
    if number.isdecimal() and not 1 <= int(number) <= trials:
        raise UsageError(_no_pick(wish, f"Expected a number from 1 to {trials}: there are so many trials"))
    if not number.isdecimal() and wish not in names:
        raise UsageError(_no_pick(wish, f"Expected a number, or {nearest(wish, names)}"))


def no_point(wish: str, why: str) -> Problem:
    """Return what is said of a preset that the space excludes."""
    return _no_pick(f"{wish}: it is outside [search.space] ({why})", "A point of the space")


def _no_pick(wish: str, expected: str) -> Problem:
    return Problem("SRCH-17", f"--pick {wish}", expected, "Pick a goal, a preset or a number of the table")


def _nothing(trained: Sequence[Tried]) -> Problem:
    why = next((one.failed for one in trained if one.failed), "no architecture was trained in full")
    expected = "One that can be trained and is measured in every goal"
    return Problem("SRCH-17", f"there is nothing to pick: {why}", expected, "Allow other options in [search.space], or "
                   "leave a goal out that this shop cannot measure")  # fmt: skip
