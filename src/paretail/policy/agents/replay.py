"""The replay of a learner off policy: the newest transitions, drawn evenly.

States before and after are kept, traces in half precision and rows in 32 bits: about 2 kilobytes each with 320 kept
slots.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paretail.policy.agents.memory import State
from paretail.policy.agents.sessions import Round, Rows


@dataclass(frozen=True, eq=False)
class Batch:
    """Transitions: rewards of n steps and the discount of the state after them."""

    states: State
    next_states: State
    rows: Rows
    clicks: NDArray[np.float32]
    reward: NDArray[np.float32]
    discount: NDArray[np.float32]


class Replay:
    """A ring of transitions."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.size, self.next = capacity, 0, 0
        self._columns: dict[str, NDArray[np.generic]] = {}

    def add(self, played: Round, reward: NDArray[np.float64], discount: NDArray[np.float64],
            used: NDArray[np.int64]) -> None:  # fmt: skip
        """Take the valid steps of a round; `reward`, `discount` and `used` are those of n steps."""
        lanes = reward.shape[1]
        last = np.arange(len(reward))[:, None] + used - 1
        valid = np.flatnonzero(played.valid.ravel())
        after = played.next_at[last, np.arange(lanes)].ravel()[valid]
        slots = played.rows.shape[2]
        clicks = np.zeros(played.rows.shape, np.float32) if played.clicks is None else played.clicks
        columns: dict[str, NDArray[np.generic]] = {
            "rows": played.rows.reshape(-1, slots)[valid].astype(np.int32),
            "clicks": clicks.reshape(-1, slots)[valid].astype(np.float32),
            "reward": reward.ravel()[valid].astype(np.float32), "discount": discount.ravel()[valid].astype(np.float32),
        }  # fmt: skip
        for name, values in played.states.items():
            kept = values.astype(np.float16) if name == "traces" else values
            columns |= {f"before/{name}": kept[valid], f"after/{name}": kept[after]}
        self._put(columns)

    def draw(self, count: int, rng: np.random.Generator) -> Batch:
        """Draw transitions evenly, with replacement."""
        which = rng.integers(self.size, size=count)
        found = {name: column[which] for name, column in self._columns.items()}
        states, after = (
            {name.split("/")[1]: value for name, value in found.items() if name.startswith(side)}
            for side in ("before/", "after/")
        )
        rows, clicks = found["rows"].astype(np.int64), found["clicks"].astype(np.float32)
        return Batch(states, after, rows, clicks, *(found[name].astype(np.float32) for name in ("reward", "discount")))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what is kept."""
        return {name.replace("/", "."): column[: self.size] for name, column in self._columns.items()}

    def take(self, arrays: dict[str, NDArray[np.generic]], size: int, following: int) -> None:
        """Take up what `arrays` gave."""
        self._columns = {}
        if size:
            self._put({name.replace(".", "/"): column for name, column in arrays.items()})
        self.size, self.next = size, following

    def _put(self, columns: dict[str, NDArray[np.generic]]) -> None:
        if not self._columns:
            self._columns = {
                name: np.zeros((self.capacity, *values.shape[1:]), values.dtype) for name, values in columns.items()
            }
        count = len(columns["reward"])
        at = (self.next + np.arange(count)) % self.capacity
        for name, values in columns.items():
            self._columns[name][at] = values
        self.size, self.next = min(self.capacity, self.size + count), (self.next + count) % self.capacity
