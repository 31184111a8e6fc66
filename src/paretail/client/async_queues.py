"""AsyncEventQueue is EventQueue for asyncio: a task sends, and `put`, `flush` and `close` are awaited."""

import asyncio
import time
from contextlib import suppress
from random import Random
from types import TracebackType
from typing import Self

from paretail.client.clients import AsyncClient
from paretail.client.errors import not_sent
from paretail.client.rejected import OnRejected, Rejected
from paretail.client.waiting import Waiting
from paretail.core.errors import ParetailError
from paretail.pipeline.live.bodies import BatchAnswer, NewEvent


class AsyncEventQueue:
    """See EventQueue; it is open within `async with`."""

    def __init__(self, client: AsyncClient, *, size: int = 500, seconds: float = 1.0, limit: int = 10_000,
                 wait: float | None = 1.0, on_rejected: OnRejected | None = None) -> None:  # fmt: skip
        self._client, self._wait = client, wait
        self._waiting, self._rejected = Waiting(size, seconds, limit), Rejected(on_rejected)
        self._changed, self._chance = asyncio.Condition(), Random()
        self._task: asyncio.Task[None] | None = None
        self._waiting.closed = True  # until there is a task that sends

    async def put(self, event: NewEvent) -> None:
        """Take an event in, a copy with its `event_id` and, where it has none, the time of now."""
        async with self._changed:
            if not self._waiting.has_room:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._wait):
                        await self._changed.wait_for(lambda: self._waiting.closed or self._waiting.has_room)
            if self._waiting.put(event, time.monotonic(), time.time()):
                self._changed.notify_all()

    async def flush(self, timeout: float | None = None) -> bool:
        """Send what waits now; return whether all of it was answered within `timeout` seconds (None: wait for it)."""
        async with self._changed:
            end = self._waiting.hurry()
            self._changed.notify_all()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._changed.wait_for(lambda: self._waiting.done >= end)
            return self._waiting.done >= end

    async def close(self) -> None:
        """Send what waits and stop; events that get no answer now are told to `on_rejected` too."""
        await self._stop()
        self._rejected.check(None)

    async def __aenter__(self) -> Self:
        self._waiting.closed = False
        self._task = asyncio.create_task(self._work(), name="paretail-events")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._stop()
        self._rejected.check(error)

    async def _stop(self) -> None:
        async with self._changed:
            self._waiting.closed = True
            self._changed.notify_all()
        if self._task is not None:
            await self._task

    async def _work(self) -> None:
        while events := await self._next():
            outcome = await self._sent(events)
            not_kept = self._waiting.answered(outcome, time.monotonic(), self._chance.random())
            self._rejected.tell(not_kept)
            async with self._changed:
                self._waiting.settled()
                self._changed.notify_all()

    async def _next(self) -> list[NewEvent]:
        """Wait for events to send; none means that the queue is closed."""
        async with self._changed:
            while (pause := self._waiting.pause(time.monotonic())) != 0:
                if pause is None and self._waiting.closed:
                    return []
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._changed.wait()
            return self._waiting.take()

    async def _sent(self, events: list[NewEvent]) -> BatchAnswer | ParetailError:
        try:
            return await self._client.events(events)
        except ParetailError as error:
            return error
        except Exception as error:  # such as a client that was closed: the task must not end with events in hand
            return not_sent(error)
