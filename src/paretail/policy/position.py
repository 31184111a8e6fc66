"""Where a setting lies on the measured front: what beats it, and what one point more of a goal costs the others.

    rate(g, h) = (share_h(w') - share_h(w)) / (share_g(w') - share_g(w)),    w' = w with more of g

Nothing on a front can be had for nothing: where g gains a point of its range, others lose `rate` points of theirs. It
is the total trade-off rate along the direction in which g's weight alone grows, as a difference that is measured on the
same requests. Source: V. Chankong, Y. Haimes, "Multiobjective decision making: theory and methodology", North-Holland,
1983, chapter 7 (trade-off rates). Deviations: 1. A difference, not a derivative: slates change in steps. 2. A setting
counts as beaten where another one that was measured is as good in every goal that is weighed, to a tenth of a point,
and better in one by half a point at least.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from paretail.moo.pareto import dominators

Parts = Mapping[str, float]
#: Returns the share of its range that a goal has under weights.
Share = Callable[[Parts, str], float]

#: Shares are compared in tenths of a point, and a rise of half a point is one.
DIGITS, RISE = 3, 0.005
#: A setting is compared with so many of those measured last.
COMPARED: Final = 64
#: How much more of a goal is tried until its share rises.
MORE: Final = (1.5, 4.0, 20.0, 200.0)


@dataclass(frozen=True)
class Position:
    """`beaten_by` of `measured` settings beat this one; `better[goal]` are the shares of that which does so by most.

    `costs[goal][other]` are points of the other's range for a point more of the goal's; a goal that has no more to
    give is left out. `still` are goals that were asked for and that stay where they are.
    """

    measured: int = 0
    beaten_by: int = 0
    better: Mapping[str, float] = field(default_factory=dict)
    costs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    still: tuple[str, ...] = ()


#: Nothing was measured.
NOWHERE: Final = Position()


def position(share: Share, parts: Parts, asked: Iterable[str], measured: Iterable[Parts]) -> Position:
    """Return where the weights `parts` lie among those `measured` of the same goals, and what more of `asked` costs."""
    names = list(parts)
    costs = {goal: found for goal in asked if goal in parts if (found := _costs(share, parts, goal))}
    here = np.array([share(parts, name) for name in names])
    others = [other for other in measured if set(other) == set(names)][-COMPARED:]
    if not others:
        return Position(costs=costs)
    there = np.array([[share(other, name) for name in names] for other in others])
    beats = dominators(here.round(DIGITS), there.round(DIGITS)) & ((there - here).max(1) >= RISE)
    best = there[np.where(beats, (there - here).sum(1), -np.inf).argmax()]
    better = dict(zip(names, best.tolist(), strict=True)) if beats.any() else {}
    return Position(len(others), int(beats.sum()), better, costs)


def _costs(share: Share, parts: Parts, goal: str) -> dict[str, float]:
    """Return what the other goals change by for each point that the goal rises; nothing where it rises no more."""
    before = share(parts, goal)
    for more in MORE:
        wanted = {**parts, goal: parts[goal] * more}
        rise = share(wanted, goal) - before
        if rise >= RISE:
            return {name: (share(wanted, name) - share(parts, name)) / rise for name in parts if name != goal}
    return {}
