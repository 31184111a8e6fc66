"""What is asked again, and after which pause: as the module's formula says, computed here by hand."""

import time
from email.utils import formatdate
from random import Random

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.client.errors import NoAnswerError
from paretail.client.flow import FIRST_PAUSE, LONGEST_PAUSE, Ask, Flow, Pause, Reply, backoff, pause, retrying

BROKEN = httpx.ConnectError("refused", request=httpx.Request("GET", "http://x:1/"))
FINE = Reply(200, {}, b"")


def flow() -> Flow[Reply]:
    return (yield Ask("GET", "/"))


def test_pauses_double_up_to_the_longest() -> None:
    assert [backoff(attempt, 1.0) for attempt in range(8)] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10])
    assert backoff(10**6, 0.5) == LONGEST_PAUSE / 2


@given(st.integers(0, 50), st.floats(0, 1, exclude_max=True))
def test_a_pause_is_a_share_of_its_bound(attempt: int, share: float) -> None:
    assert pause(BROKEN, attempt, share) == share * min(10.0, FIRST_PAUSE * 2**attempt)


def test_only_what_may_pass_is_asked_again() -> None:
    waits = {status: pause(Reply(status, {}, b""), 0, 0.5) for status in range(200, 600)}
    assert {status: wait for status, wait in waits.items() if wait is not None} == dict.fromkeys(
        [429, 502, 503, 504], 0.1
    )


@pytest.mark.parametrize(
    ("told", "expected"),
    [("3", 3.0), ("0", 0.0), ("10", 10.0), ("11", None), ("9" * 400, None), ("soon", 0.0), ("-5", 0.0), ("1.5", 0.0),
     ("²", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)  # fmt: skip
def test_retry_after_is_waited_for_unless_it_is_too_long(told: str, expected: float | None) -> None:
    wait = pause(Reply(503, {"retry-after": told}, b""), 0, 0.5)
    assert wait == (None if expected is None else expected + FIRST_PAUSE / 2)


def test_retry_after_may_be_a_date() -> None:
    wait = pause(Reply(429, {"retry-after": formatdate(time.time() + 5, usegmt=True)}, b""), 0, 0.0)
    assert wait is not None
    assert 3 < wait <= 5


def run(retries: int, failures: int) -> tuple[Reply | NoAnswerError, list[Ask | Pause]]:
    """Run a flow of one request of which the first attempts fail; return its end, and what was done."""
    steps, outcome, done = retrying(flow(), retries, Random(0)), None, []
    try:
        while True:
            done.append(steps.send(outcome))
            sent = sum(isinstance(step, Ask) for step in done)
            outcome = None if isinstance(done[-1], Pause) else BROKEN if sent <= failures else FINE
    except StopIteration as ended:
        return ended.value, done
    except NoAnswerError as error:
        return error, done


@given(st.integers(0, 6), st.integers(0, 8))
def test_attempts_are_one_more_than_the_repeats(retries: int, failures: int) -> None:
    end, done = run(retries, failures)
    attempts = 1 + min(retries, failures)
    assert [type(step) for step in done] == ([Ask, Pause] * attempts)[:-1]
    assert isinstance(end, NoAnswerError) == (failures > retries)


def test_an_answer_that_never_comes_is_told_with_its_cause() -> None:
    end, _ = run(2, 9)
    assert "no answer from http://x:1 after 3 attempts: ConnectError: refused" in str(end)
    assert isinstance(end, NoAnswerError)
    assert end.__cause__ is BROKEN
