"""The past equals sums by hand: of a user's events before each moment, and of an item's in windows."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from paretail.data.features.past import BOUGHT, NOTHING, SHOWN, SUMS, TURNED, Recent, gathered

USERS, ITEMS = 3, 5
CATEGORY, BRAND = np.array([0, 0, 1, -1, 1], np.int32), np.array([0, -1, 0, 1, 1], np.int32)
LOG_PRICE = np.array([1.0, 2.0, np.nan, 4.0, 5.0], np.float32)
EVENT = st.tuples(st.integers(0, USERS - 1), st.integers(0, 20), st.integers(0, ITEMS - 1),
                  st.sampled_from([NOTHING, SHOWN, TURNED, BOUGHT]))  # fmt: skip
QUESTION = st.tuples(st.integers(0, USERS - 1), st.integers(-5, 30), st.integers(0, ITEMS - 1))


@settings(deadline=None)  # the first example compiles
@given(st.lists(EVENT, max_size=30), st.lists(QUESTION, min_size=1, max_size=10))
def test_what_users_did_is_as_by_hand(
    events: list[tuple[int, int, int, int]], asked: list[tuple[int, int, int]]
) -> None:
    events = sorted(events, key=lambda event: event[:2])
    user, ts, item, says = (np.array([event[place] for event in events], np.int64) for place in range(4))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=USERS))]).astype(np.int64)
    users, items, moments = (np.array([question[place] for question in asked], np.int64) for place in (0, 2, 1))
    happened = indptr, item.astype(np.int32), says.astype(np.uint8), ts
    found = gathered(happened, (CATEGORY, BRAND, LOG_PRICE), users, items, moments, np.lexsort((moments, users)))
    for pair, (who, now, which) in enumerate(asked):
        before = [(i, says, t) for u, t, i, says in events if u == who and t < now and says != NOTHING]
        shown, turned = ([i for i, says, _ in before if says in what] for what in ((SHOWN,), (TURNED, BOUGHT)))
        priced = [LOG_PRICE[i] for i in turned if np.isfinite(LOG_PRICE[i])]
        kind, brand = CATEGORY[which], BRAND[which]
        by_hand = {
            "shown": sum(CATEGORY[i] >= 0 for i in shown), "turned": sum(CATEGORY[i] >= 0 for i in turned),
            "branded": sum(BRAND[i] >= 0 for i in turned), "paid": sum(priced), "priced": len(priced),
            "category_shown": sum(CATEGORY[i] == kind >= 0 for i in shown),
            "category_turned": sum(CATEGORY[i] == kind >= 0 for i in turned),
            "brand_turned": sum(BRAND[i] == brand >= 0 for i in turned),
            "had": turned.count(which), "seen": shown.count(which),
            "since_last_ms": min((now - t for i, _, t in before if i == which), default=np.inf),
        }  # fmt: skip
        assert {name: found[name][pair] for name in SUMS} == by_hand


@settings(deadline=None)  # the first example compiles
@given(st.lists(EVENT, max_size=30), st.lists(QUESTION, min_size=1, max_size=10), st.integers(1, 15))
def test_what_all_did_of_late_is_as_by_hand(
    events: list[tuple[int, int, int, int]], asked: list[tuple[int, int, int]], window: int
) -> None:
    ts, item = (np.array([event[place] for event in events], np.int64) for place in (1, 2))
    now, which = (np.array([question[place] for question in asked], np.int64) for place in (1, 2))
    told = Recent.of(ITEMS, item, ts).before(which, now, (window, 2 * window))
    for row, wide in enumerate((window, 2 * window)):
        by_hand = [sum(i == w and t - wide <= at < t for _, at, i, _ in events) for _, t, w in asked]
        np.testing.assert_array_equal(told[row], by_hand)
