"""Requests of a log: whose day counts, what was known when it began, the newest of each segment, logs without time."""

import numpy as np
import polars as pl
import pytest

from paretail.core.clock import DAY_MS
from paretail.core.ids import Vocabulary
from paretail.data.types import Events, History, Time
from paretail.pipeline import requests
from paretail.pipeline.requests import Requests

#: User, day, kind: of `a` three days, of `b` one with two events, of `c` something shown alone.
LOG = [("a", 1, "view"), ("a", 2, "view"), ("a", 5, "purchase"), ("b", 5, "view"), ("b", 5, "cart")]
SHOWN = [("c", 3, "impression"), ("a", 2, "impression"), ("a", 2, "impression")]


def _history(rows: list[tuple[str, int, str]], time: Time = "clock") -> History:
    users, days, kinds = zip(*rows, strict=True)
    hours = [day * DAY_MS + 3_600_000 * place for place, day in enumerate(days)]
    frame = pl.DataFrame({"user_id": users, "item_id": "i", "kind": kinds, "ts_ms": hours, "quantity": 1.0})
    return History.of(Events(frame, time), Vocabulary(pl.Series(["a", "b", "c"])), Vocabulary(pl.Series(["i"])))


def _asked(history: History, most: int = 100) -> list[tuple[int, int, int, int]]:
    found = Requests.of(history, 1.0, most, np.random.default_rng(0))
    known = np.diff(found.known(history).indptr)
    return sorted(zip(found.user.tolist(), (found.moment_ms // DAY_MS).tolist(), found.segment.tolist(),
                      known.tolist(), strict=True))  # fmt: skip


def test_each_day_of_a_user_is_a_request_with_what_was_known_before_it() -> None:
    # user, day, segment (0 new, 1 light: one wish, 2 heavy), events known
    assert _asked(_history(LOG)) == [(0, 1, 0, 0), (0, 2, 1, 1), (0, 5, 2, 2), (1, 5, 0, 0)]


def test_where_a_log_tells_what_was_shown_users_are_asked_as_they_are_at_its_end() -> None:
    history = _history(LOG + SHOWN)
    assert _asked(history) == [(0, 5, 2, 5), (0, 5, 2, 5), (2, 5, 0, 1)]  # `b` was never shown anything
    drawn = [Requests.of(history, 9.0, 1, np.random.default_rng(seed)).user.tolist() for seed in range(40)]
    assert {user for users in drawn for user in users} == {0, 2}  # one light user: who was shown something, not `b`
    days = Requests.of_days(history, 1.0, 100, np.random.default_rng(0))
    assert sorted(zip(days.user.tolist(), (days.moment_ms // DAY_MS).tolist(), strict=True)) == [(0, 2), (2, 3)]


def test_the_newest_of_a_segment_are_kept() -> None:
    assert _asked(_history(LOG), most=1) == [(0, 2, 1, 1), (0, 5, 2, 2), (1, 5, 0, 0)]
    assert {day for _, day, segment, _ in _asked(_history([*LOG, ("c", 7, "view")]), most=1) if segment == 0} == {7}


def test_what_is_older_than_four_weeks_counts_where_there_is_little_else(monkeypatch: pytest.MonkeyPatch) -> None:
    old_and_new = _history([("a", 1, "view"), ("b", 60, "view"), ("c", 61, "view")])
    assert [day for _, day, _, _ in _asked(old_and_new)] == [1, 60, 61]
    monkeypatch.setattr(requests, "LEAST", 2)
    assert [day for _, day, _, _ in _asked(old_and_new)] == [60, 61]


@pytest.mark.parametrize("time", ["order", "none"])
def test_without_clock_time_users_ask_as_they_are_at_the_end(time: Time) -> None:
    history = _history(LOG, time)
    found = Requests.of(history, 1.0, 100, np.random.default_rng(0))
    assert len(found.user) == 3
    assert set(zip(found.user.tolist(), found.segment.tolist(), strict=True)) <= {(0, 2), (1, 2), (2, 0)}
    assert found.known(history).indptr.tolist() == history.of_users(found.user).indptr.tolist()


def test_a_log_without_events_has_users_and_no_days() -> None:
    empty = _history(LOG).where(np.zeros(len(LOG), bool))
    assert len(Requests.of(empty, 0.0, 100, np.random.default_rng(0)).user) == 3


def test_users_are_there_as_often_as_they_came() -> None:
    """Each to less than one as often as its share of the days says, whatever the draw."""
    days = np.array([40.0, 20.0, 10.0, 10.0, 10.0, 5.0, 5.0, 0.0])
    for seed in range(20):
        rows = requests._evenly(days, 50, np.random.default_rng(seed))
        assert (np.abs(np.bincount(rows, minlength=len(days)) - days / 2) < 1).all()
    assert len(requests._evenly(np.zeros(0), 0, np.random.default_rng(0))) == 0
