"""EventQueue gathers events and sends them by itself, in a thread of its own."""

import atexit
import time
from random import Random
from threading import Condition, Thread
from types import TracebackType
from typing import Self

from paretail.client.clients import Client
from paretail.client.errors import not_sent
from paretail.client.rejected import OnRejected, Rejected
from paretail.client.waiting import Waiting
from paretail.core.errors import ParetailError
from paretail.pipeline.live.bodies import BatchAnswer, NewEvent


class EventQueue:
    """Sends what it holds when `size` events wait or the oldest has waited for `seconds`; safe to share by threads.

    It holds up to `limit` events. When it is full, `put` waits for room for `wait` seconds (0: not at all, None: for
    ever) and then raises QueueFullError. While no answer comes, events wait and are sent again, in their order. Events
    that the service rejects are told to `on_rejected`, in the queue's thread; without it `close`, and the end of
    `with`, raise NotKeptError.
    """

    def __init__(self, client: Client, *, size: int = 500, seconds: float = 1.0, limit: int = 10_000,
                 wait: float | None = 1.0, on_rejected: OnRejected | None = None) -> None:  # fmt: skip
        self._client, self._wait = client, wait
        self._waiting, self._rejected = Waiting(size, seconds, limit), Rejected(on_rejected)
        self._changed, self._chance = Condition(), Random()
        self._thread = Thread(target=self._work, name="paretail-events", daemon=True)
        self._thread.start()
        atexit.register(self._stop)

    def put(self, event: NewEvent) -> None:
        """Take an event in, a copy with its `event_id` and, where it has none, the time of now."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting.closed or self._waiting.has_room, self._wait)
            if self._waiting.put(event, time.monotonic(), time.time()):
                self._changed.notify_all()

    def flush(self, timeout: float | None = None) -> bool:
        """Send what waits now; return whether all of it was answered within `timeout` seconds (None: wait for it)."""
        with self._changed:
            end = self._waiting.hurry()
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._waiting.done >= end, timeout)

    def close(self) -> None:
        """Send what waits and stop; events that get no answer now are told to `on_rejected` too."""
        self._stop()
        self._rejected.check(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()
        self._rejected.check(error)

    def _stop(self) -> None:
        with self._changed:
            self._waiting.closed = True
            self._changed.notify_all()
        self._thread.join()
        atexit.unregister(self._stop)

    def _work(self) -> None:
        while events := self._next():
            outcome = self._sent(events)
            with self._changed:
                not_kept = self._waiting.answered(outcome, time.monotonic(), self._chance.random())
            self._rejected.tell(not_kept)
            with self._changed:
                self._waiting.settled()
                self._changed.notify_all()

    def _next(self) -> list[NewEvent]:
        """Wait for events to send; none means that the queue is closed."""
        with self._changed:
            while (pause := self._waiting.pause(time.monotonic())) != 0:
                if pause is None and self._waiting.closed:
                    return []
                self._changed.wait(pause)
            return self._waiting.take()

    def _sent(self, events: list[NewEvent]) -> BatchAnswer | ParetailError:
        try:
            return self._client.events(events)
        except ParetailError as error:
            return error
        except Exception as error:  # such as a client that was closed: the thread must not end with events in hand
            return not_sent(error)
