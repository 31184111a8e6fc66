"""One number for how good an architecture is, of one goal or several.

Of one goal it is the score. Of several: minus the number of the front that it is on, and crowding within the front as
a part of 1, so that sorting by it is the order of NSGA-II.

Source: K. Deb, A. Pratap, S. Agarwal, T. Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II",
IEEE TEVC 6(2), 2002, doi:10.1109/4235.996017, sections III A and B. Deviations: none.
"""

import numpy as np

from paretail.moo.pareto import front
from paretail.search.base import Array


def standing(scores: Array) -> Array:
    """Return one number a row of `scores[architectures, goals]`, higher is better; -inf where a score is NaN."""
    found = np.full(len(scores), -np.inf)
    rows = np.flatnonzero(~np.isnan(scores).any(axis=1)) if scores.size else np.zeros(0, np.int64)
    if scores.shape[1:] == (1,):
        found[rows] = scores[rows, 0]
        return found
    depth = 0
    while len(rows):
        best = front(scores[rows])
        found[rows[best]] = -depth - 0.5 / (1 + crowding(scores[rows[best]]))
        rows, depth = rows[~best], depth + 1
    return found


def crowding(scores: Array) -> Array:
    """Return the crowding distance of each of `scores[points, goals]`, the box between its neighbours; inf at ends."""
    spread = np.zeros(len(scores))
    for goal in scores.T:
        order = np.argsort(goal, kind="stable")
        width = np.ptp(goal) or 1.0
        spread[order[[0, -1]]] = np.inf
        spread[order[1:-1]] += (goal[order[2:]] - goal[order[:-2]]) / width
    return spread
