"""Standings: what was known of users beside their clicks at each time of a log, as columns that a ranker learns from.

What is shown to a user follows what the user clicked: a count of a whole log tells a ranker the answers to its own
examples. So the log is cut into windows, and the columns of `sides.py` are those of the events before the window,

    s(u, t) = sides(events of u before the last cut that is not after t)

which a question at that cut would read too: training and serving share the code. Early in a log little is known, and a
window later nearly twice as much: cuts are where the share of the examples doubles (EDGES), and there is one where the
examples begin that the ranker is calibrated on, so that it is judged by what a bundle would have known of them.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.data.types import History
from paretail.rank.sides import Dense, UserSides

Ints = NDArray[np.int64]
#: Where windows begin, as shares of the examples that are learned from before the ranker is calibrated.
EDGES: Final = (1 / 16, 1 / 8, 1 / 4, 1 / 2)


def cuts_of(ts_ms: Ints, first: int) -> Ints:
    """Return when windows begin, of the times of examples in order; those from the place `first` on are kept apart."""
    places = [*(int(edge * first) for edge in EDGES), first]
    return np.unique(ts_ms[[place for place in places if 0 < place < len(ts_ms)]])


@dataclass(frozen=True, eq=False)
class Standings:
    """Users as windows find them: `columns[standings]` of `user[standings]`, and the row `of_example[examples]`."""

    user: Ints
    columns: Dense
    of_example: Ints

    @classmethod
    def of(cls, sides: UserSides, history: History, user: Rows, ts_ms: Ints, cuts: NDArray[Any]) -> Self:
        """Return the standings that the examples have; there are no others."""
        window = np.searchsorted(cuts, ts_ms, side="right")
        keys, of_example = np.unique(window * history.users + user, return_inverse=True)
        people, windows = keys % history.users, keys // history.users
        columns = np.empty((len(keys), sides.size), np.float32)
        for place in np.unique(windows).tolist():
            mine = windows == place
            theirs = history.of_users(people[mine])
            known = theirs.ts_ms < cuts[place - 1] if place else np.zeros(len(theirs.ts_ms), bool)
            columns[mine] = sides.matrix(theirs.where(known))
        return cls(people, columns, of_example.astype(np.int64))
