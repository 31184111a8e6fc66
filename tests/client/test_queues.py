"""Both queues against the real service, and while it is away."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from inspect import getdoc, signature
from threading import Thread
from typing import Any

import pytest

from paretail.client import (
    AsyncClient,
    AsyncEventQueue,
    Client,
    ErrorDetail,
    EventQueue,
    NewEvent,
    NotKeptError,
    QueueFullError,
)

from ..serve.client import Service, free_port
from .between import FORWARD, LOST_AFTER, Act, between, refusal


class Both:
    """A queue of either kind, with methods that wait."""

    def __init__(self, kind: str, address: str, options: dict[str, Any], retries: int) -> None:
        self._runner = asyncio.Runner() if kind == "awaited" else None
        made = AsyncClient if self._runner else Client
        self._client = made(address, retries=retries)
        self._queue = self._do(self._made(**options)) if self._runner else EventQueue(self._client, **options)  # type: ignore[arg-type]

    async def _made(self, **options: Any) -> AsyncEventQueue:
        return await AsyncEventQueue(self._client, **options).__aenter__()  # type: ignore[arg-type]

    def _do(self, result: Any) -> Any:
        return self._runner.run(result) if self._runner else result

    def put(self, *events: NewEvent) -> None:
        async def each() -> None:
            for event in events:
                await self._queue.put(event)

        if self._runner:
            self._do(each())
        else:
            for event in events:
                self._queue.put(event)

    def flush(self, timeout: float | None = None) -> bool:
        return bool(self._do(self._queue.flush(timeout)))

    def wait(self, seconds: float) -> None:
        self._do(asyncio.sleep(seconds)) if self._runner else time.sleep(seconds)

    def close(self) -> None:
        try:
            self._do(self._queue.close())
        finally:
            self._do(self._client.close())
            if self._runner:
                self._runner.close()


Made = Callable[..., Both]
Stored = Callable[[], int]


@pytest.fixture(params=["waiting", "awaited"])
def queue(request: pytest.FixtureRequest) -> Made:
    """Return a function that makes a queue of either kind."""
    return lambda address, retries=0, **options: Both(request.param, address, options, retries)


def events(user: str, count: int, kind: str = "pv") -> list[NewEvent]:
    return [NewEvent(user, f"i000000{number % 90 + 10}", kind) for number in range(count)]


def test_both_queues_take_the_same() -> None:
    assert [*signature(EventQueue).parameters] == [*signature(AsyncEventQueue).parameters]
    for name in ("put", "flush", "close"):
        one, other = getattr(EventQueue, name), getattr(AsyncEventQueue, name)
        assert (getdoc(one), signature(one)) == (getdoc(other), signature(other))


def test_events_arrive_in_batches_and_the_end_sends_the_rest(queue: Made, service: Service, stored: Stored) -> None:
    with between(last=FORWARD, upstream=service.address) as server:
        gathering = queue(server.address, size=40, seconds=60.0)
        gathering.put(*events("queued", 100))
        deadline = time.monotonic() + 10
        while len(server.asked) < 2:
            assert time.monotonic() < deadline
            gathering.wait(0.01)
        assert [len(body["events"]) for body in server.bodies] == [40, 40]
        gathering.close()
        assert [len(body["events"]) for body in server.bodies] == [40, 40, 20]
        assert stored() == 100


def test_events_leave_after_their_time(queue: Made) -> None:
    with between(last=kept()) as server:
        gathering = queue(server.address, size=40, seconds=0.15)
        started = time.monotonic()
        gathering.put(NewEvent("u", "i"))
        while not server.asked:
            assert time.monotonic() - started < 10
            gathering.wait(0.01)
        assert time.monotonic() - started >= 0.15
        gathering.close()
    assert abs(server.bodies[0]["events"][0]["ts"] - time.time()) < 10


def kept() -> Act:
    return Act(body=b'{"request_id": "r", "accepted": 1, "duplicates": 0, "rejected": 0, "rows": []}')


def test_a_flush_waits_until_it_is_known_what_became_of_what_waited(
    queue: Made, service: Service, stored: Stored
) -> None:
    gathering = queue(service.address, size=500, seconds=60.0)
    gathering.put(*events("flushed", 30))
    assert gathering.flush()
    assert stored() == 30
    assert gathering.flush(0)
    gathering.close()


def test_rejected_rows_are_given_back(queue: Made, service: Service, stored: Stored) -> None:
    told: list[tuple[NewEvent, ErrorDetail]] = []
    gathering = queue(service.address, on_rejected=lambda event, error: told.append((event, error)))
    gathering.put(*events("rejected", 5), *events("rejected", 2, "veiw"), *events("rejected", 5))
    gathering.close()
    assert [(event.kind, error.code) for event, error in told] == [("veiw", "SERV-04")] * 2
    assert stored() == 10


def test_rejected_rows_that_nobody_asked_for_are_raised_at_the_end(queue: Made, service: Service) -> None:
    gathering = queue(service.address)
    gathering.put(*events("nobody asked", 2, "veiw"))
    with pytest.raises(NotKeptError, match=r"2 events were not kept .*SERV-04"):
        gathering.close()


def test_nothing_is_lost_or_counted_twice_while_the_service_is_away(
    queue: Made, service: Service, stored: Stored
) -> None:
    acts = LOST_AFTER, refusal(401), LOST_AFTER
    with between(*acts, last=FORWARD, upstream=service.address) as server:
        gathering = queue(server.address, size=20, seconds=0.01)
        gathering.put(*events("away", 50))
        assert gathering.flush(20)
        gathering.close()
        assert len(server.asked) == 6
    assert stored() == 50


def test_a_full_queue_takes_nothing_in_and_the_end_gives_everything_back(queue: Made) -> None:
    told: list[tuple[NewEvent, ErrorDetail]] = []
    gathering = queue(f"http://127.0.0.1:{free_port()}", size=2, limit=5, wait=0.1,
                      on_rejected=lambda event, error: told.append((event, error)))  # fmt: skip
    gathering.put(*events("u", 5))
    assert not gathering.flush(0.05)
    started = time.monotonic()
    with pytest.raises(QueueFullError, match=r"5 events wait.*CLNT-04"):
        gathering.put(NewEvent("u", "one too many"))
    assert 0.1 <= time.monotonic() - started < 5
    gathering.close()
    assert [event.item_id for event, _ in told] == [event.item_id for event in events("u", 5)]
    assert {error.code for _, error in told} == {"CLNT-01"}
    with pytest.raises(QueueFullError, match="closed"):
        gathering._queue.put(NewEvent("u", "i")) if gathering._runner is None else asyncio.run(_put(gathering))


async def _put(gathering: Both) -> None:
    await gathering._queue.put(NewEvent("u", "i"))


def test_put_waits_for_room(queue: Made) -> None:
    with between(Act(wait=0.2, body=kept().body), last=kept()) as server:
        gathering = queue(server.address, size=1, limit=1, wait=None)
        started = time.monotonic()
        gathering.put(NewEvent("u", "i"), NewEvent("u", "i"))
        assert 0.2 <= time.monotonic() - started < 5
        gathering.close()
    assert len(server.asked) == 2


def test_the_error_of_the_body_is_raised_and_events_are_sent(service: Service, stored: Stored) -> None:
    def waiting() -> None:
        with Client(service.address) as client, EventQueue(client) as gathering:
            for event in (*events("body", 3), *events("body", 1, "veiw")):
                gathering.put(event)
            raise ZeroDivisionError

    async def awaited() -> None:
        async with AsyncClient(service.address) as client, AsyncEventQueue(client) as gathering:
            for event in (*events("body", 3), *events("body", 1, "veiw")):
                await gathering.put(event)
            raise ZeroDivisionError

    for count, run in enumerate((waiting, lambda: asyncio.run(awaited())), start=1):
        with pytest.raises(ZeroDivisionError) as raised:
            run()
        assert "1 events were not kept" in raised.value.__notes__[0]
        assert stored() == 3 * count


def test_a_queue_whose_client_was_closed_gives_its_events_back(queue: Made) -> None:
    told: list[str] = []
    gathering = queue("http://127.0.0.1:9", on_rejected=lambda event, error: told.append(error.found))
    gathering._do(gathering._client.close())
    gathering.put(*events("u", 3))
    gathering.close()
    assert len(told) == 3
    assert "client has been closed" in told[0]


def test_an_async_queue_is_open_within_its_block() -> None:
    async def run() -> None:
        async with AsyncClient("http://127.0.0.1:9") as client:
            await AsyncEventQueue(client).put(NewEvent("u", "i"))

    with pytest.raises(QueueFullError, match="closed"):
        asyncio.run(run())


def test_threads_share_a_queue(service: Service, stored: Stored) -> None:
    with Client(service.address) as client, EventQueue(client, size=64) as gathering:

        def put() -> None:
            for event in events("threads", 500):
                gathering.put(event)

        threads = [Thread(target=put) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert gathering.flush(20)
        assert stored() == 2000


def test_a_program_that_forgets_to_close_sends_its_events_when_it_ends(service: Service, stored: Stored) -> None:
    code = ("import sys; from paretail.client import *; queue = EventQueue(Client(sys.argv[1]), seconds=60)\n"
            "for number in range(3): queue.put(NewEvent(sys.argv[2], 'i00000012', 'pv'))")  # fmt: skip
    subprocess.run([sys.executable, "-c", code, service.address, "forgot"], check=True)
    assert stored() == 3
