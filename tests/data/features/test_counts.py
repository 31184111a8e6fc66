"""Counts as of a time equal sums by hand, with windows, weights, unknown keys and no events at all."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from paretail.data.features.counts import Counts

EVENT = st.tuples(st.integers(0, 3), st.integers(0, 20), st.integers(1, 5))
QUESTION = st.tuples(st.integers(0, 4), st.integers(-5, 30))


@given(st.lists(EVENT, max_size=30), st.lists(QUESTION, min_size=1, max_size=10), st.integers(1, 15))
def test_as_by_hand(events: list[tuple[int, int, int]], asked: list[tuple[int, int]], window: int) -> None:
    keys, times, weights = (np.array([event[place] for event in events], np.int64) for place in range(3))
    counts = Counts(keys, times, np.stack([weights.astype(float), np.ones(len(keys))], axis=1))
    at = np.array([key for key, _ in asked]), np.array([time for _, time in asked])
    ever = [sum(w for k, t, w in events if k == key and t < time) for key, time in asked]
    lately = [sum(w for k, t, w in events if k == key and time - window <= t < time) for key, time in asked]
    since = [min((time - t for k, t, _ in events if k == key and t < time), default=np.inf) for key, time in asked]
    many = [sum(k == key and t < time for k, t, _ in events) for key, time in asked]
    np.testing.assert_array_equal(counts.before(*at), np.stack([ever, many], axis=1))
    np.testing.assert_array_equal(counts.before(*at, window)[:, 0], lately)
    np.testing.assert_array_equal(Counts(keys, times).before(*at)[:, 0], many)
    np.testing.assert_array_equal(counts.since_last(*at), since)
