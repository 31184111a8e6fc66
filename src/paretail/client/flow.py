"""A flow is what a call sends and is told, without doing it, so that the two clients share it.

A call yields what to send (`Ask`) and is given what came back (`Reply`); `retrying` puts pauses and repeats between.
Pauses grow exponentially with full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015):

    pause = uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE 2^attempt))

Deviation: `Retry-After` comes on top; one that is longer than LONGEST_PAUSE ends the repeats.
"""

import time
from collections.abc import Callable, Generator, Mapping
from email.utils import parsedate_to_datetime
from random import Random
from typing import Final, NamedTuple, TypeAlias, TypeVar

import httpx
import msgspec

from paretail.client.errors import NoAnswerError, failure, foreign, no_answer

#: Seconds.
FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 10.0
#: Answers of a service that is overloaded or starts anew, or of a proxy that does not reach it.
REPEATED: Final = frozenset({429, 502, 503, 504})


class Ask(NamedTuple):
    """What is sent; the path with its query."""

    method: str
    path: str
    body: bytes | None = None


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Pause(NamedTuple):
    """For how long nothing is done."""

    seconds: float


T = TypeVar("T")
Outcome: TypeAlias = Reply | httpx.RequestError
Flow: TypeAlias = Generator[Ask, Reply, T]
Steps: TypeAlias = Generator[Ask | Pause, Outcome | None, T]


def retrying(flow: Flow[T], retries: int, chance: Random) -> Steps[T]:
    """Run a flow, each of its requests up to 1 + `retries` times; NoAnswerError is raised where the flow waits."""
    try:
        ask = next(flow)
        while True:
            try:
                reply = yield from _answered(ask, retries, chance)
            except NoAnswerError as error:
                ask = flow.throw(error)
            else:
                ask = flow.send(reply)
    except StopIteration as done:
        result: T = done.value
        return result


def _answered(ask: Ask, retries: int, chance: Random) -> Steps[Reply]:
    attempt = 0
    while True:
        outcome = yield ask
        assert outcome is not None
        wait = pause(outcome, attempt, chance.random())
        attempt += 1
        if wait is not None and attempt <= retries:
            yield Pause(wait)
        elif isinstance(outcome, Reply):
            return outcome
        else:
            raise no_answer(outcome, attempt) from outcome


def pause(outcome: Outcome, attempt: int, share: float) -> float | None:
    """Return the seconds until the next attempt, None where another would not help; `share` in [0, 1) is drawn."""
    jitter = backoff(attempt, share)
    if not isinstance(outcome, Reply):
        return jitter
    if outcome.status not in REPEATED:
        return None
    told = _retry_after(outcome.headers.get("retry-after", ""))
    return None if told > LONGEST_PAUSE else told + jitter


def backoff(attempt: int, share: float) -> float:
    """Return the pause after attempt 0, 1, ...; see the module."""
    return share * min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempt, 32))


def _retry_after(told: str) -> float:
    """Return the seconds of a `Retry-After`, a number or a date; 0 where it is neither."""
    if told.isascii() and told.isdigit():
        return float(told)
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
    except ValueError:
        return 0.0


def answer(reply: Reply, decode: Callable[[bytes], T]) -> T:
    """Return the body of a reply; raises ServiceError for one that tells an error or cannot be read."""
    if reply.status != 200:
        raise failure(*reply)
    try:
        return decode(reply.content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise foreign(*reply) from error
