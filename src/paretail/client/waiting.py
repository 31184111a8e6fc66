"""Waiting: the events of a queue and what became of them; without a clock, a lock or a network, which its owner has.

An event is given up only where the service says that it is wrong, or where the queue is closed and no answer comes.
"""

import logging
from collections import deque
from typing import Final, TypeAlias

import msgspec

from paretail.client.batches import REFUSED, row
from paretail.client.errors import QueueFullError, ServiceError
from paretail.client.flow import backoff
from paretail.core.errors import ParetailError, Problem, UsageError
from paretail.pipeline.live.bodies import BatchAnswer, ErrorDetail, NewEvent

#: An event that was not kept, and why.
NotKept: TypeAlias = tuple[NewEvent, ErrorDetail]
#: Statuses that say that the events themselves are wrong.
LASTING: Final = (400, *REFUSED)

log = logging.getLogger("paretail.client")


class Waiting:
    """See the module; `now` is any clock that does not go back."""

    def __init__(self, size: int, seconds: float, limit: int) -> None:
        if not (0 < size <= limit and seconds >= 0):
            found, expected = f"size {size}, seconds {seconds}, limit {limit}", "0 < size <= limit and seconds >= 0"
            raise UsageError(Problem("CLNT-03", found, expected, "Correct the settings of the queue"))
        self.closed = False
        self.taken_in = self.done = 0  # events since the beginning
        self._size, self._seconds, self._limit = size, seconds, limit
        self._rows: deque[NewEvent] = deque()
        self._sending: list[NewEvent] = []
        self._due = 0.0
        self._hurried_until = 0
        self._failures = 0

    @property
    def has_room(self) -> bool:
        """Whether one more event may come; those that are being sent count."""
        return len(self._rows) + len(self._sending) < self._limit

    def put(self, event: NewEvent, now: float, ts: float) -> bool:
        """Take a copy of an event, with its name and time; return whether its owner should ask for `pause` anew."""
        if self.closed or not self.has_room:
            raise QueueFullError(self._no_room())
        copy = msgspec.structs.replace(event, ts=ts if event.ts is None else event.ts)
        row(copy)  # what cannot be sent is raised here, to the one who made it
        self._rows.append(copy)
        self.taken_in += 1
        if len(self._rows) == 1 and not self._failures:
            self._due = now + self._seconds
        return len(self._rows) in (1, self._size)

    def pause(self, now: float) -> float | None:
        """Return the seconds until events are to be sent, None where there are none."""
        if not self._rows:
            return None
        is_full = self.done < self._hurried_until or len(self._rows) >= self._size
        hurried = self.closed or (is_full and not self._failures)
        return 0.0 if hurried else max(0.0, self._due - now)

    def hurry(self) -> int:
        """Send all that waits as soon as can be; return what `done` is then."""
        self._hurried_until = self.taken_in
        return self.taken_in

    def take(self) -> list[NewEvent]:
        """Return the events that are to be sent now."""
        self._sending = [self._rows.popleft() for _ in range(min(len(self._rows), self._size))]
        return self._sending

    def answered(self, outcome: BatchAnswer | ParetailError, now: float, share: float) -> list[NotKept]:
        """Take in what became of the events that were sent, and return those that were not kept.

        The owner tells of those, and then calls `settled`. `share` in [0, 1) is drawn for a pause.
        """
        if isinstance(outcome, BatchAnswer):
            self._recovered(now)
            return [(self._sending[told.row], told.error) for told in outcome.rows if told.error is not None]
        if isinstance(outcome, ServiceError) and outcome.status in LASTING:
            self._recovered(now)
            return [(event, outcome.detail) for event in self._sending]
        if self.closed:
            self._sending += self._rows
            self._rows.clear()
            return [(event, _detail(outcome.problems[0])) for event in self._sending]
        self._failed(outcome, now, share)
        return []

    def settled(self) -> None:
        """Be done with the events that were sent."""
        self.done += len(self._sending)
        self._sending = []

    def _failed(self, error: ParetailError, now: float, share: float) -> None:
        if not self._failures:
            log.warning("Events wait, and are sent again: %s", error)
        self._rows.extendleft(reversed(self._sending))
        self._sending = []
        self._due = now + backoff(self._failures, share)
        self._failures += 1

    def _recovered(self, now: float) -> None:
        if self._failures:
            log.warning("Events are taken again, after %d failures", self._failures)
            self._failures, self._due = 0, now

    def _no_room(self) -> Problem:
        if self.closed:
            return Problem("CLNT-04", "the queue is closed", "An open queue", "Put events before it is closed")
        found, expected = f"{self._limit:,} events wait", "Room for one more"
        return Problem("CLNT-04", found, expected, "Look whether the service answers, or raise limit or wait")


def _detail(problem: Problem) -> ErrorDetail:
    return ErrorDetail(problem.code, problem.found, problem.expected, problem.do)
