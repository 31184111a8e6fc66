"""Splits leak nothing of the answer, lose nothing else, and agree with a plain loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.core.errors import DataError
from paretail.data.held import Held, Mode, held_from
from paretail.data.splits import Split, by_time, leave_last, random_pairs
from paretail.data.types import History, Time

KINDS = ("purchase", "view")
Event = tuple[int, int, str, int]  # user, item, kind, ts_ms
MODES = st.sampled_from(["none", "target", "all"])


def history_of(events: list[Event], users: int, time: Time = "clock") -> History:
    events = sorted(events, key=lambda event: (event[0], event[3]))
    counts = np.bincount([event[0] for event in events] or [0], minlength=users) * bool(events)
    return History(
        indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        item_idx=np.array([event[1] for event in events], dtype=np.int32),
        kind=np.array([KINDS.index(event[2]) for event in events], dtype=np.uint8),
        ts_ms=np.array([event[3] for event in events], dtype=np.int64),
        quantity=np.ones(len(events), dtype=np.float32),
        kinds=KINDS,
        time=time,
    )


def events_of(history: History) -> list[Event]:
    columns = (history.user_idx, history.item_idx, history.kind, history.ts_ms)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [(user, item, KINDS[kind], ts) for user, item, kind, ts in rows]


def pairs_of(held: Held) -> list[tuple[int, int]]:
    return list(zip(held.user_idx.tolist(), held.item_idx.tolist(), strict=True))


def counts_as_had(event: Event, mode: Mode) -> bool:
    return mode == "all" or (mode == "target" and event[2] == "purchase")


@st.composite
def histories(draw: st.DrawFn, time: Time = "clock") -> History:
    event = st.tuples(st.integers(0, 4), st.integers(0, 5), st.sampled_from(KINDS), st.integers(0, 12))
    return history_of(draw(st.lists(event, max_size=60)), users=5, time=time)


def leave_last_by_hand(history: History, forget: Mode, drop: Mode) -> tuple[list[Event], set[tuple[int, int]]]:
    kept, held = [], set()
    for user in range(history.users):
        mine = [event for event in events_of(history) if event[0] == user]
        asked = [
            event
            for at, event in enumerate(mine)
            if event[2] == "purchase" and not any(e[1] == event[1] and counts_as_had(e, drop) for e in mine[:at])
        ]
        several = len({event[1] for event in mine if event[2] == "purchase"}) >= 2
        if asked and several:
            _, item, _, ts = asked[-1]
            left = [e for e in mine if e[3] < ts and not (e[1] == item and counts_as_had(e, forget))]
            if left:
                held.add((user, item))
                mine = left
        kept += mine
    return kept, held


@given(histories(), MODES, MODES)
def test_leave_last_is_what_a_plain_loop_does(history: History, forget: Mode, drop: Mode) -> None:
    split = leave_last(history, "purchase", forget=forget, drop=drop)
    kept, held = leave_last_by_hand(history, forget, drop)
    assert events_of(split.train) == kept
    assert set(pairs_of(split.held)) == held


@given(histories(), st.integers(0, 13), MODES, MODES)
def test_by_time_is_what_a_plain_loop_does(history: History, cut: int, drop: Mode, forget: Mode) -> None:
    split = by_time(history, "purchase", cut_ms=cut, drop=drop, forget=forget)
    events = events_of(history)
    early = [event for event in events if event[3] < cut]
    had = {event[:2] for event in early if counts_as_had(event, drop)}
    held = {event[:2] for event in events if event[3] >= cut and event[2] == "purchase"} - had
    assert set(pairs_of(split.held)) == held
    assert events_of(split.train) == [e for e in early if not (e[:2] in held and counts_as_had(e, forget))]
    repeats = {event[:2] for event in early if event[2] == "purchase"}
    assert split.held.repeat.tolist() == [pair in repeats for pair in pairs_of(split.held)]


@given(histories("none"), st.one_of(st.none(), st.floats(0, 1)), MODES, st.integers(0, 5))
def test_random_pairs_hold_out_what_was_bought_and_leave_something(
    history: History, share: float | None, forget: Mode, seed: int
) -> None:
    split = random_pairs(history, "purchase", np.random.default_rng(seed), share=share, forget=forget)
    events, held = events_of(history), set(pairs_of(split.held))
    assert held <= {event[:2] for event in events if event[2] == "purchase"}
    assert events_of(split.train) == [e for e in events if not (e[:2] in held and counts_as_had(e, forget))]
    for user in range(history.users):
        bought = {event[1] for event in events if event[0] == user and event[2] == "purchase"}
        assert split.held.counts[user] < max(len(bought), 1)
        if share is None:
            assert split.held.counts[user] == (len(bought) >= 2)


@given(histories(), MODES)
def test_nothing_of_the_answer_is_left(history: History, forget: Mode) -> None:
    for split in (leave_last(history, "purchase", forget=forget), by_time(history, "purchase", cut_ms=6)):
        bought = {event[:2] for event in events_of(split.train) if event[2] == "purchase"}
        new = [pair for pair, again in zip(pairs_of(split.held), split.held.repeat, strict=True) if not again]
        assert not bought & set(new)
    assert not split.train.ts_ms[split.train.ts_ms >= 6].size


@given(histories(), st.integers(1, 5), st.integers(0, 9))
def test_a_limit_on_users_draws_the_same_ones_for_the_same_seed(history: History, most: int, seed: int) -> None:
    def once() -> Split:
        return leave_last(history, "purchase", most_users=most, rng=np.random.default_rng(seed))

    everyone, some = leave_last(history, "purchase"), once()
    assert pairs_of(some.held) == pairs_of(once().held)
    assert len(pairs_of(some.held)) == min(most, len(pairs_of(everyone.held)))
    assert set(pairs_of(some.held)) <= set(pairs_of(everyone.held))
    untouched = some.held.counts == 0
    assert np.array_equal(np.diff(some.train.indptr)[untouched], np.diff(history.indptr)[untouched])


def test_the_rest_of_the_last_order_is_part_of_the_answer() -> None:
    order = [(0, 1, "purchase", 5), (0, 2, "purchase", 9), (0, 3, "purchase", 9), (0, 4, "view", 9)]
    split = leave_last(history_of(order, users=1), "purchase")
    assert pairs_of(split.held) == [(0, 3)]
    assert events_of(split.train) == [(0, 1, "purchase", 5)]


def test_last_days_cuts_before_the_newest_event() -> None:
    day = 86_400_000
    history = history_of([(0, item, "purchase", item * day) for item in range(5)], users=1)
    split = by_time(history, "purchase", last_days=1)
    assert split.held.item_idx.tolist() == [3, 4]
    assert split.train.item_idx.tolist() == [0, 1, 2]


def test_a_holdout_drops_what_was_had_before() -> None:
    before = history_of([(0, 1, "purchase", 1), (0, 2, "view", 1)], users=2)
    later = history_of([(0, 1, "purchase", 8), (0, 2, "purchase", 8), (0, 3, "purchase", 9), (1, 3, "view", 9)], 2)
    assert pairs_of(held_from(later, before, "purchase")) == [(0, 1), (0, 2), (0, 3)]
    assert held_from(later, before, "purchase").repeat.tolist() == [True, False, False]
    assert pairs_of(held_from(later, before, "purchase", drop="target")) == [(0, 2), (0, 3)]
    assert pairs_of(held_from(later, before, "purchase", drop="all")) == [(0, 3)]


def test_held_keeps_distinct_pairs_and_picks_users() -> None:
    user, item = np.array([2, 0, 2, 2], dtype=np.int32), np.array([7, 1, 3, 7], dtype=np.int32)
    held = Held.of(user, item, users=3, repeat=np.array([False, False, False, True]))
    assert (held.indptr.tolist(), held.item_idx.tolist()) == ([0, 1, 1, 3], [1, 3, 7])
    assert held.repeat.tolist() == [False, False, True]
    assert pairs_of(held.of_users(np.array([2, 1]))) == [(0, 3), (0, 7)]
    assert pairs_of(held.where(held.repeat)) == [(2, 7)]
    assert Held.of(user[:0], item[:0], users=2).indptr.tolist() == [0, 0, 0]


def test_what_a_split_lacks_is_said() -> None:
    orderless = history_of([(0, 1, "purchase", 0)], users=1, time="none")
    with pytest.raises(DataError, match="EVAL-01"):
        leave_last(orderless, "purchase")
    with pytest.raises(DataError, match="EVAL-01"):
        by_time(orderless, "purchase", last_days=1)
    with pytest.raises(DataError, match=r"'cart'.*EVAL-02"):
        random_pairs(orderless, "cart", np.random.default_rng(0))
    with pytest.raises(ValueError, match="cut_ms or last_days"):
        by_time(history_of([(0, 1, "purchase", 0)], 1), "purchase")
    twice = history_of([(user, item, "purchase", item) for user in (0, 1) for item in (1, 2)], 2)
    with pytest.raises(ValueError, match="give rng"):
        leave_last(twice, "purchase", most_users=1)
