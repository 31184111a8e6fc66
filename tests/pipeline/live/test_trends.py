"""Trends against the sum of their definition, and the order of logs that are years old."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.core.clock import DAY_MS
from paretail.data.types import History
from paretail.graph.interactions import STRENGTH
from paretail.pipeline.live.trends import HALF_LIFE_DAYS, Trends

NOW = 1_760_000_000_000
KINDS = ("purchase", "view")


def history_of(items: list[int], days_ago: list[float]) -> History:
    return History(
        indptr=np.array([0, len(items)]), item_idx=np.array(items, np.int32), kind=np.ones(len(items), np.uint8),
        ts_ms=NOW - (np.array(days_ago) * DAY_MS).astype(np.int64), quantity=np.ones(len(items), np.float32),
        kinds=KINDS, time="clock",
    )  # fmt: skip


def live(trends: Trends, item: int, days_ago: float) -> None:
    when = np.array([NOW - round(days_ago * DAY_MS)])
    trends.add(np.array([item], np.int32), ["purchase"], np.zeros(1, np.uint8), when)


EVENTS = st.lists(st.tuples(st.integers(0, 5), st.floats(0, 30)), max_size=12)


@given(past=EVENTS, told=EVENTS)
def test_a_trend_is_the_sum_of_its_events(past: list[tuple[int, float]], told: list[tuple[int, float]]) -> None:
    trends = Trends(history_of([item for item, _ in past], [days for _, days in past]), 5 + 1, NOW)
    for item, days in told:
        live(trends, item, days)
    wanted = np.zeros(6)
    for kind, events in (("view", past), ("purchase", told)):
        for item, days in events:
            wanted[item] += STRENGTH[kind] * 2 ** (-days / HALF_LIFE_DAYS)
    found = trends.scores(6)
    assert (np.isneginf(found) == (wanted == 0)).all()
    known = wanted > 0
    np.testing.assert_allclose(found[known], (wanted / max(wanted.max(), 1e-300))[known], rtol=1e-4)


@pytest.mark.parametrize("years", [1, 2, 5, 11, 60])
def test_a_log_that_is_years_old_keeps_its_order_behind_what_is_told_now(years: int) -> None:
    trends = Trends(history_of([0, 1, 1, 3, 3, 3], [365.0 * years] * 6), 4, NOW)
    live(trends, 2, 0.0)
    scores = trends.scores(4)
    assert np.argsort(-scores).tolist() == [2, 3, 1, 0]
    assert (scores > 0).all()
    live(trends, 0, 0.0)
    assert np.argsort(-trends.scores(4), kind="stable")[:2].tolist() == [0, 2]
