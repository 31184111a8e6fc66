"""Windows equal counts by hand: of a user's events before each moment, and of an item's until the hour before."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretail.core.clock import DAY_MS
from paretail.data.features import windows
from paretail.data.features.past import BOUGHT, NOTHING, SHOWN, TURNED
from paretail.data.features.windows import ACTIVITY, COUNTED, HALF, HOUR_MS, SPANS, Demand, activity, lifts

USERS, ITEMS, START = 3, 4, 1_760_000_000_000
SAYS = {"shown": (SHOWN,), "wished": (TURNED, BOUGHT), "bought": (BOUGHT,)}
HOURS = st.integers(0, 40 * 24)
EVENT = st.tuples(st.integers(0, USERS - 1), HOURS, st.integers(0, ITEMS - 1),
                  st.sampled_from([NOTHING, SHOWN, TURNED, BOUGHT]))  # fmt: skip
QUESTION = st.tuples(st.integers(0, USERS - 1), HOURS, st.integers(0, ITEMS - 1))


@settings(deadline=None)  # the first example compiles
@given(st.lists(EVENT, max_size=40), st.lists(QUESTION, min_size=1, max_size=10))
def test_what_users_did_is_as_by_hand(
    events: list[tuple[int, int, int, int]], asked: list[tuple[int, int, int]]
) -> None:
    events = sorted(events, key=lambda event: event[:2])
    user, hour, _, says = (np.array([event[place] for event in events], np.int64) for place in range(4))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=USERS))]).astype(np.int64)
    people, now = (np.array([question[place] for question in asked], np.int64) for place in (0, 1))
    found = activity(indptr, says.astype(np.uint8), START + hour * HOUR_MS, people, START + now * HOUR_MS,
                     np.lexsort((now, people)))  # fmt: skip
    for pair, (who, at, _) in enumerate(asked):
        before = [(at - t, kind) for u, t, _, kind in events if u == who and t < at]
        wishes = [ago for ago, kind in before if kind in SAYS["wished"]]
        by_hand = {"active": 1 / (1 + min(wishes, default=np.inf) / 24)}
        for span, ms in SPANS.items():
            for kind, half in HALF.items():
                count = sum(ago * HOUR_MS <= ms and says in SAYS[kind] for ago, says in before)
                by_hand[f"{kind}_{span}"] = count / (count + half)
        np.testing.assert_allclose(found[pair], [by_hand[name] for name in ACTIVITY], rtol=1e-12)


@settings(deadline=None)  # the first example compiles
@given(st.lists(EVENT, max_size=40), st.lists(QUESTION, min_size=1, max_size=10), st.booleans(), st.integers(0, 59))
def test_what_came_of_items_is_as_by_hand(
    events: list[tuple[int, int, int, int]], asked: list[tuple[int, int, int]], at_once: bool, minute: int
) -> None:
    """Also where one hour is asked for, and the table of all items answers; minutes after the hour count nothing."""
    hour, item, says = (np.array([event[place] for event in events], np.int64) for place in (1, 2, 3))
    which, now = (np.array([question[place] for question in asked], np.int64) for place in (2, 1))
    now = np.full_like(now, now[0]) if at_once else now
    demand = Demand.counted(ITEMS, item.astype(np.int32), says.astype(np.uint8), START + hour * HOUR_MS)
    asked_ms = START // HOUR_MS * HOUR_MS + now * HOUR_MS + minute * HOUR_MS // 60
    found = demand.before(which, asked_ms)
    for row, (kind, span) in enumerate(COUNTED):
        by_hand = [sum(i == w and s in SAYS[kind] and full - span <= START + h * HOUR_MS < full
                       for _, h, i, s in events)
                   for w, full in zip(which, asked_ms // HOUR_MS * HOUR_MS, strict=True)]  # fmt: skip
        np.testing.assert_array_equal(found[row], by_hand)


def test_a_table_of_all_items_answers_for_its_hour_alone() -> None:
    rng = np.random.default_rng(0)
    item, ts = rng.integers(50, size=5_000).astype(np.int32), START + rng.integers(40 * DAY_MS, size=5_000)
    demand = Demand.counted(50, item, rng.integers(4, size=5_000).astype(np.uint8), ts)
    every = np.arange(50)
    for at in START + rng.integers(45 * DAY_MS, size=20):
        one_by_one = np.stack([demand._at(every[[k]], np.array([at // HOUR_MS * HOUR_MS]))[:, 0] for k in every], 1)
        np.testing.assert_array_equal(demand.before(every, np.full(50, at)), one_by_one)


def test_of_moments_after_the_log_what_it_told_at_its_end() -> None:
    demand = Demand.counted(1, np.zeros(9, np.int32), np.full(9, TURNED, np.uint8), START + np.arange(9) * DAY_MS)
    end = START + 8 * DAY_MS
    moments = np.array([START, end, end + 1, end + 30 * DAY_MS])
    assert demand.known(moments).tolist() == [START, end, end + 1, end + 1]


def test_lifts_by_hand_and_of_what_nobody_saw() -> None:
    rates = np.array([0.1, 0.2])
    told = lifts(np.array([[3.0, 0.0], [9.0, 0.0], [10.0, 0.0], [90.0, 0.0], [4.0, 0.0]]), rates)
    assert told["wished_week_lift"].tolist() == pytest.approx([np.log((3 + 5) / (60 * 0.1)), 0.0])
    assert told["wished_month_lift"].tolist() == pytest.approx([np.log((9 + 5) / (140 * 0.1)), 0.0])
    assert told["bought_month_lift"].tolist() == pytest.approx([np.log((4 + 2) / (19 * 0.2)), 0.0])


def test_a_longer_log_of_the_same_people_reads_alike() -> None:
    """Shares and lifts of a window do not grow with the log: of twice as long a one they are the same."""
    rng = np.random.default_rng(1)
    ts = np.sort(START + rng.integers(60 * DAY_MS, size=4_000))
    says, now = rng.integers(1, 4, size=4_000).astype(np.uint8), np.array([START + 60 * DAY_MS])
    nobody, order = np.zeros(1, np.int64), np.zeros(1, np.int64)
    late = ts >= START + 30 * DAY_MS
    long, short = (activity(np.array([0, rows.sum()]), says[rows], ts[rows], nobody, now, order)
                   for rows in (late | ~late, late))  # fmt: skip
    np.testing.assert_array_equal(long, short)
    assert windows.ACTIVITY[-1] == "active"
