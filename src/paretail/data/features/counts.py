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
    """The events of many keys; `weights[events, sums]` are what is summed, by default a 1 for each event."""

    def __init__(self, keys: Ints, ts_ms: Ints, weights: Floats | None = None) -> None:
        order = np.lexsort((ts_ms, keys))
        ordered, self._times = keys[order], ts_ms[order]
        starts = np.flatnonzero(np.append(len(keys) > 0, ordered[1:] != ordered[:-1]))
        self._keys, self._first = ordered[starts], np.append(starts, len(keys))
        self._from = int(ts_ms.min()) if len(ts_ms) else 0
        self._span = int(ts_ms.max()) - self._from + 2 if len(ts_ms) else 2
        place = np.repeat(np.arange(len(starts), dtype=np.int64), np.diff(self._first))
        self._moments = place * self._span + (self._times - self._from)
        added = np.ones((len(keys), 1)) if weights is None else weights[order]
        self._sums = np.concatenate([np.zeros((1, added.shape[1])), np.cumsum(added, axis=0)])

    def before(self, keys: Ints, ts_ms: Ints, window_ms: int = EVER) -> Floats:
        """Return `[asked, sums]` of each key's events in the `window_ms` that end right before its moment."""
        place, known = self._place(keys)
        end = self._until(place, ts_ms)
        start = self._first[place] if window_ms == EVER else self._until(place, ts_ms - window_ms)
        return np.asarray((self._sums[end] - self._sums[start]) * known[:, None])

    def since_last(self, keys: Ints, ts_ms: Ints) -> Floats:
        """Return the milliseconds since each key's newest event before its moment, infinity where there is none."""
        if not len(self._keys):
            return np.full(len(keys), np.inf)
        place, known = self._place(keys)
        end = self._until(place, ts_ms)
        there = known & (end > self._first[place])
        return np.where(there, ts_ms - self._times[np.maximum(end - 1, 0)], np.inf)

    def _place(self, keys: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        if not len(self._keys):
            return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return place, self._keys[place] == keys

    def _until(self, place: Ints, ts_ms: Ints) -> Ints:
        """Return where the events of each key end that lie before its moment."""
        moment = np.minimum(np.maximum(ts_ms - self._from, 0), self._span - 1)
        return np.searchsorted(self._moments, place * self._span + moment)
