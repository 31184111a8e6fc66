"""What an agent remembers of a session: exponential traces of what was shown and clicked, and a belief about taste.

Of each lane, with φ_i the features of item i, c_j whether slot j was clicked and w = 1 / max(1, slots / 3):

    T_d <- d T_d + w Σ_j [φ_{i_j}, c_j φ_{i_j}]              one trace for each decay d; shown and clicked
    A   <- A + Σ_j z z',   b <- b + Σ_j z (c_j - p),   taste = (κ I + A)^-1 b      ridge regression of clicks on vectors
    doubt ~ N(0, (κ I + A)^-1)                                     taste + v · doubt is a draw of tastes, anew each step
    rows: the last `kept` slots item by item, newest first, with their clicks

p is the share of clicks in the probe. Traces are a linear recurrent network whose recurrence is fixed, so that a state
is known without unrolling: it can be kept in a replay and resumed exactly. A learned encoder may read `rows`
(`windows.py`). The inverse is kept up to date by Woodbury's identity (M. A. Woodbury, 1950), a slate at a time.
Draws are those of linear Thompson sampling (S. Agrawal, N. Goyal, 2013, arXiv:1209.3352). Deviations: 1. the prior is
κ I, not I; 2. a click counts by how far it is above p; 3. one draw serves all slots of a slate.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.rng import rng_for
from paretail.policy.agents.items import Items

Values = NDArray[np.float32]
State = dict[str, NDArray[np.generic]]
#: κ: how many looks a prior belief of no taste is worth, along each component.
_PRIOR: Final = 2.0


class Memory:
    """The memory of `lanes` sessions; without clicks to read, `clicked` traces and taste stay 0."""

    def __init__(
        self,
        items: Items,
        slots: int,
        lanes: int,
        decays: tuple[float, ...],
        kept: int,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.items, self.slots, self.phi = items, slots, items.phi
        self.decay = np.asarray(decays, np.float32).reshape(1, -1, 1, 1)
        self.weight = 1.0 / max(1.0, slots / 3)
        components, steps = items.z.shape[1], max(1, kept // slots)
        self.traces = np.zeros((lanes, len(decays), 2, self.phi.shape[1]), np.float32)
        self.rows = np.full((lanes, steps * slots), -1, np.int32)
        self.clicked = np.zeros((lanes, steps * slots), np.int8)
        self.clock = np.zeros((lanes, 2), np.float32)
        self._inverse = np.tile(np.eye(components) / _PRIOR, (lanes, 1, 1))
        self._moved, self._reads = np.zeros((lanes, components)), False
        self._rng = rng_for("agents/doubt", 0) if rng is None else rng

    def reset(self, lanes: NDArray[np.bool_]) -> None:
        """Forget the sessions of `lanes`; states that were handed out stay as they are."""
        for name in ("traces", "rows", "clicked", "clock", "_inverse", "_moved"):
            setattr(self, name, getattr(self, name).copy())
        self.traces[lanes], self.rows[lanes], self.clicked[lanes], self.clock[lanes] = 0, -1, 0, 0
        self._inverse[lanes], self._moved[lanes] = np.eye(self._inverse.shape[1]) / _PRIOR, 0

    def note(self, rows: NDArray[np.int64], clicks: Values | None, usual: float) -> None:
        """Remember that `rows[lanes, slots]` were shown and, where it can be read, which were clicked."""
        seen, done = self.phi[rows], np.zeros(rows.shape, np.float32) if clicks is None else clicks
        new = np.stack([seen.sum(1), (seen * done[:, :, None]).sum(1)], 1) * self.weight
        self.traces = np.asarray(self.decay * self.traces + new[:, None], np.float32)
        self.rows = np.concatenate([rows.astype(np.int32), self.rows[:, : -self.slots]], 1)
        self.clicked = np.concatenate([done.astype(np.int8), self.clicked[:, : -self.slots]], 1)
        self.clock = self.clock + np.stack([np.ones(len(rows)), done.sum(1)], 1).astype(np.float32)
        if clicks is not None:
            self._learn(rows, done - usual)

    def state(self, draws: bool = True) -> State:
        """Return the memory of every lane; without `draws` nobody reads `doubt`, which is 0."""
        taste = np.einsum("lab,lb->la", self._inverse, self._moved).astype(np.float32)
        return {"traces": self.traces, "rows": self.rows, "clicked": self.clicked, "clock": self.clock, "taste": taste,
                "doubt": self._doubt(draws)}  # fmt: skip

    def _doubt(self, draws: bool) -> Values:
        if not (draws and self._reads):
            return np.zeros(self._moved.shape, np.float32)
        noise = self._rng.standard_normal((*self._moved.shape, 1))
        even = (self._inverse + self._inverse.transpose(0, 2, 1)) / 2 + 1e-9 * np.eye(self._inverse.shape[1])
        return np.asarray((np.linalg.cholesky(even) @ noise)[..., 0], np.float32)

    def _learn(self, rows: NDArray[np.int64], surprise: Values) -> None:
        z = self.items.z[rows].astype(np.float64)
        seen = self._inverse @ z.transpose(0, 2, 1)
        inner = np.eye(self.slots) + z @ seen
        self._inverse = self._inverse - seen @ np.linalg.solve(inner, seen.transpose(0, 2, 1))
        self._moved = self._moved + (z * surprise[:, :, None]).sum(1)
        self._reads = True


def stacked(states: list[State]) -> State:
    """Return states one after the other."""
    return {name: np.concatenate([state[name] for state in states]) for name in states[0]}


def picked(state: Mapping[str, NDArray[np.generic]], which: NDArray[np.generic]) -> State:
    """Return some rows of a state."""
    return {name: column[which] for name, column in state.items()}
