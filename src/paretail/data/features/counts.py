"""Counts as of a time: what a key had gathered before a moment, for any number of keys and moments at once.

before(key, t, window) = Σ weight_e over events e with key_e = key and t - window <= t_e < t

Events are sorted once by key and time; a question is two binary searches. Training asks for every example's own moment,
serving asks for now: one code, so that both see the same numbers and neither sees the future.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: A window without a beginning.
EVER: Final = np.iinfo(np.int64).max


class Counts:
    """The events of many keys; `weights[events]` are 1 by default. Memory: three numbers an event."""

    def __init__(self, keys: Ints, ts_ms: Ints, weights: Floats | None = None) -> None:
        order = np.lexsort((ts_ms, keys))
        self._keys, starts = np.unique(keys[order], return_index=True)
        self._first = np.append(starts, len(keys)).astype(np.int64)
        self._from = int(ts_ms.min(initial=0)) if len(ts_ms) else 0
        self._span = int(ts_ms.max(initial=0)) - self._from + 2 if len(ts_ms) else 2
        place = np.repeat(np.arange(len(self._keys), dtype=np.int64), np.diff(self._first))
        self._moments = place * self._span + (ts_ms[order] - self._from)
        added = np.ones(len(keys)) if weights is None else weights[order]
        self._sums = np.concatenate([[0.0], np.cumsum(added)])
        self._times = ts_ms[order]

    def before(self, keys: Ints, ts_ms: Ints, window_ms: int = EVER) -> Floats:
        """Return the sum of each key's weights in the `window_ms` that end right before its moment; 0 for no event."""
        place, known = self._place(keys)
        end = self._until(place, ts_ms)
        start = self._first[place] if window_ms == EVER else self._until(place, ts_ms - window_ms)
        return np.where(known, self._sums[end] - self._sums[start], 0.0)

    def since_last(self, keys: Ints, ts_ms: Ints) -> Floats:
        """Return the milliseconds since each key's newest event before its moment, infinity where there is none."""
        place, known = self._place(keys)
        end = self._until(place, ts_ms)
        there = known & (end > self._first[place])
        last = self._times[np.where(there, end - 1, 0)] if len(self._times) else np.zeros(len(keys))
        return np.where(there, ts_ms - last, np.inf)

    def _place(self, keys: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        if not len(self._keys):
            return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return place, self._keys[place] == keys

    def _until(self, place: Ints, ts_ms: Ints) -> Ints:
        """Return where the events of each key end that lie before its moment."""
        moment = np.clip(ts_ms - self._from, 0, self._span - 1)
        return np.searchsorted(self._moments, place * self._span + moment)
