"""The events of a queue, with a clock of our own: when they are sent, and that each is answered or given back once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.client import ErrorDetail, NewEvent, NotKeptError, QueueFullError, ServiceError
from paretail.client.errors import NoAnswerError
from paretail.client.rejected import Rejected
from paretail.client.waiting import Waiting
from paretail.core.errors import Problem, UsageError
from paretail.pipeline.live.bodies import BatchAnswer, Verdict

WRONG = ErrorDetail("SERV-04", "f", "e", "d")
AWAY = NoAnswerError(Problem("CLNT-01", "no answer", "one", "wait"))


def event(name: str = "e") -> NewEvent:
    return NewEvent("u", "i", event_id=name)


def kept(events: list[NewEvent], *rejected: int) -> BatchAnswer:
    rows = [Verdict(row, "rejected", error=WRONG) if row in rejected else Verdict(row, "accepted")
            for row in range(len(events))]  # fmt: skip
    return BatchAnswer("r", len(events) - len(rejected), 0, len(rejected), rows)


def names(events: Any) -> list[str]:
    return [event.event_id for event in events]


def test_events_are_sent_when_enough_wait_or_the_oldest_has_waited_long_enough() -> None:
    waiting = Waiting(size=3, seconds=2.0, limit=9)
    assert waiting.pause(100.0) is None
    assert waiting.put(event(), 100.0, 5.0)
    assert not waiting.put(event(), 101.0, 5.0)
    assert (waiting.pause(101.0), waiting.pause(101.5), waiting.pause(103.0)) == (1.0, 0.5, 0.0)
    assert waiting.put(event(), 101.0, 5.0)
    assert waiting.pause(101.0) == 0.0
    waiting.take()
    assert waiting.pause(101.0) is None


def test_a_hurry_ends_when_what_waited_is_answered() -> None:
    waiting = Waiting(size=2, seconds=60.0, limit=9)
    for _ in range(3):
        waiting.put(event(), 0.0, 5.0)
    assert waiting.hurry() == 3
    waiting.put(event("late"), 0.0, 5.0)
    for done in (2, 4):
        assert waiting.pause(1.0) == 0.0
        waiting.answered(kept(waiting.take()), 1.0, 0.5)
        waiting.settled()
        assert waiting.done == done
    waiting.put(event(), 1.0, 5.0)
    assert waiting.pause(1.0) == 60.0


def test_a_copy_is_taken_with_a_name_and_a_time() -> None:
    waiting, given_one = Waiting(size=5, seconds=1.0, limit=5), NewEvent("u", "i")
    for told in (given_one, given_one, NewEvent("u", "i", ts=7.0, event_id="mine")):
        waiting.put(told, 0.0, 1234.5)
    first, second, third = waiting.take()
    assert (first.ts, second.ts, third.ts, third.event_id) == (1234.5, 1234.5, 7.0, "mine")
    assert len({first.event_id, second.event_id, None}) == 3
    assert given_one == NewEvent("u", "i")


def test_when_it_is_full_or_closed_nothing_is_taken_in() -> None:
    waiting = Waiting(size=1, seconds=0.0, limit=2)
    waiting.put(event("a"), 0.0, 5.0)
    waiting.put(event("b"), 0.0, 5.0)
    sent = waiting.take()
    with pytest.raises(QueueFullError, match=r"2 events wait.*CLNT-04"):
        waiting.put(event("c"), 0.0, 5.0)
    waiting.answered(kept(sent), 0.0, 0.0)
    assert not waiting.has_room  # until the owner is done
    waiting.settled()
    waiting.put(event("c"), 0.0, 5.0)
    waiting.closed = True
    with pytest.raises(QueueFullError, match=r"closed.*CLNT-04"):
        waiting.put(event("d"), 0.0, 5.0)


def test_what_cannot_be_sent_is_raised_to_the_one_who_put_it() -> None:
    waiting = Waiting(size=1, seconds=0.0, limit=2)
    with pytest.raises(TypeError):
        waiting.put(NewEvent("u", object()), 0.0, 5.0)  # type: ignore[arg-type]
    assert waiting.pause(0.0) is None


def test_rejected_rows_are_given_back_and_no_others() -> None:
    waiting = Waiting(size=3, seconds=0.0, limit=9)
    for name in "abc":
        waiting.put(event(name), 0.0, 5.0)
    back = waiting.answered(kept(waiting.take(), 0, 2), 0.0, 0.5)
    assert [(told.event_id, detail) for told, detail in back] == [("a", WRONG), ("c", WRONG)]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_batch_that_is_wrong_is_given_back_whole(status: int) -> None:
    waiting = Waiting(size=2, seconds=0.0, limit=9)
    for name in "ab":
        waiting.put(event(name), 0.0, 5.0)
    waiting.take()
    back = waiting.answered(ServiceError(status, WRONG, "r"), 0.0, 0.5)
    assert [(told.event_id, detail) for told, detail in back] == [("a", WRONG), ("b", WRONG)]


@pytest.mark.parametrize("error", [AWAY, *(ServiceError(s, WRONG, "r") for s in (401, 403, 404, 429, 500, 503))])
def test_while_no_answer_comes_events_wait_in_their_order(error: Any) -> None:
    waiting = Waiting(size=2, seconds=1.0, limit=9)
    for name in "abc":
        waiting.put(event(name), 0.0, 5.0)
    for attempt in range(3):  # pauses double, even if the queue fills up or is flushed
        assert names(waiting.take()) == ["a", "b"]
        assert waiting.answered(error, 10.0, 0.5) == []
        waiting.settled()
        waiting.put(event(f"d{attempt}"), 10.0, 5.0)
        waiting.hurry()
        assert waiting.pause(10.0) == pytest.approx(0.1 * 2**attempt)
    assert waiting.answered(kept(waiting.take()), 11.0, 0.5) == []
    waiting.settled()
    assert (waiting.pause(11.0), names(waiting.take()), waiting.done) == (0.0, ["c", "d0"], 2)


def test_closed_without_an_answer_everything_is_given_back() -> None:
    waiting = Waiting(size=2, seconds=1.0, limit=9)
    for name in "abc":
        waiting.put(event(name), 0.0, 5.0)
    waiting.closed = True
    assert waiting.pause(0.0) == 0.0
    waiting.take()
    back = waiting.answered(AWAY, 0.0, 0.5)
    assert [(told.event_id, detail.code) for told, detail in back] == [(name, "CLNT-01") for name in "abc"]
    waiting.settled()
    assert (waiting.pause(0.0), waiting.done) == (None, 3)


@pytest.mark.parametrize("wrong", [(0, 1.0, 5), (6, 1.0, 5), (1, -1.0, 5), (1, float("nan"), 5)])
def test_settings_that_cannot_work_are_refused(wrong: tuple[int, float, int]) -> None:
    with pytest.raises(UsageError, match="CLNT-03"):
        Waiting(*wrong)


@given(st.lists(st.sampled_from(["put", "kept", "rejected", "wrong", "away"]), max_size=60), st.integers(1, 4))
def test_each_event_is_kept_or_given_back_once_and_in_order(acts: list[str], size: int) -> None:
    waiting, put, done, back = Waiting(size, 0.0, 50), 0, [], []
    for act in [*acts, *["put", "kept"] * 20]:
        if act == "put" and waiting.has_room:
            waiting.put(event(str(put)), 0.0, 5.0)
            put += 1
        elif act != "put" and waiting.pause(1e9) == 0.0:
            sent = list(waiting.take())
            outcome = {"kept": kept(sent), "rejected": kept(sent, 0), "away": AWAY}.get(
                act, ServiceError(400, WRONG, "r")
            )
            given_back = names(told for told, _ in waiting.answered(outcome, 0.0, 0.5))  # type: ignore[arg-type]
            waiting.settled()
            back += given_back
            done += [] if act == "away" else [name for name in names(sent) if name not in given_back]
    while waiting.pause(1e9) is not None:
        sent = list(waiting.take())
        waiting.answered(kept(sent), 0.0, 0.5)
        waiting.settled()
        done += names(sent)
    assert sorted([*done, *back], key=int) == [str(number) for number in range(put)]
    assert done == sorted(done, key=int)
    assert waiting.done == waiting.taken_in == put


def test_callers_are_told_even_if_one_telling_fails(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str | None] = []

    def tell(event: NewEvent, detail: ErrorDetail) -> None:
        told.append(event.event_id)
        raise ValueError

    rejected = Rejected(tell)
    rejected.tell([(event("a"), WRONG), (event("b"), WRONG)])
    rejected.check(None)
    assert told == ["a", "b"]
    assert "on_rejected failed for the event a" in caplog.text


def test_without_a_caller_to_tell_the_end_raises_or_adds_to_what_is_raised() -> None:
    rejected = Rejected(None)
    rejected.check(None)
    rejected.tell([(event("a"), WRONG), (event("b"), AWAY.problems[0])])  # type: ignore[list-item]
    with pytest.raises(NotKeptError, match=r"2 events were not kept \(first: f, SERV-04\).*CLNT-05"):
        rejected.check(None)
    other = ValueError("of the body")
    rejected.check(other)
    assert "CLNT-05" in other.__notes__[0]
