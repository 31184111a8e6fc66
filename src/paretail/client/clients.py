"""Client waits for each answer and AsyncClient is awaited; both do the calls of one table, over HTTP.

An attempt that fails for now (no connection, no answer in time, status 429, 502, 503 or 504) is made again; any other
error is raised at once.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from inspect import Parameter
from random import Random
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar

import httpx

from paretail.client.calls import Call, Table
from paretail.client.connection import settings
from paretail.client.flow import Ask, Flow, Outcome, Pause, Reply, retrying

P = ParamSpec("P")
T = TypeVar("T")
Method = TypeVar("Method", bound=Callable[..., Any])

#: Seconds that each step of an attempt may take: to connect, to send, to wait for the answer.
TIMEOUT: Final = 10.0
#: How often an attempt is made again.
RETRIES: Final = 3


def _now(call: Call[P, T]) -> Callable[Concatenate["Client", P], T]:
    def ask(client: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return client.run(call(*args, **kwargs))

    return _like(call, ask)


def _later(call: Call[P, T]) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, T]]:
    async def ask(client: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await client.run(call(*args, **kwargs))

    return _like(call, ask)


def _like(call: Call[P, T], ask: Method) -> Method:
    """Return a method with the name and the arguments of a call."""
    method: Any = ask
    method.__name__, method.__doc__ = call.name, f"`{call.endpoint}`: {call.answer.__doc__}"
    client, told = Parameter("self", Parameter.POSITIONAL_ONLY), call.signature
    method.__signature__ = told.replace(parameters=[client, *told.parameters.values()])
    return ask


class Client:
    """A client that waits; safe to share by threads. Close it, or use it in `with`."""

    recommend = _now(Table.recommend)
    page = _now(Table.page)
    similar = _now(Table.similar)
    rank = _now(Table.rank)
    categories = _now(Table.categories)
    friends = _now(Table.friends)
    trending = _now(Table.trending)
    events = _now(Table.events)
    merge = _now(Table.merge)
    put_items = _now(Table.put_items)
    change_items = _now(Table.change_items)
    delete_items = _now(Table.delete_items)
    item = _now(Table.item)
    put_users = _now(Table.put_users)
    change_users = _now(Table.change_users)
    forget_users = _now(Table.forget_users)
    profile = _now(Table.profile)
    stats = _now(Table.stats)
    live = _now(Table.live)
    ready = _now(Table.ready)
    metrics = _now(Table.metrics)
    openapi = _now(Table.openapi)

    def __init__(
        self, address: str, key: str | None = None, *, timeout: float = TIMEOUT, retries: int = RETRIES
    ) -> None:
        """Connect to nothing yet; raises UsageError (CLNT-03) for what is no address, key, time-out or count."""
        told = settings(address, key, timeout, retries)
        self._address, self._retries = address, retries
        self._http = httpx.Client(**told)

    def run(self, flow: Flow[T]) -> T:
        """Do what a flow asks for; raises ServiceError and NoAnswerError."""
        steps, outcome = retrying(flow, self._retries, Random()), None
        try:
            while True:
                outcome = self._do(steps.send(outcome))
        except StopIteration as done:
            result: T = done.value
            return result

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._address!r})"

    def _do(self, step: Ask | Pause) -> Outcome | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            reply = self._http.request(step.method, step.path, content=step.body)
        except httpx.RequestError as error:
            return error
        return Reply(reply.status_code, reply.headers, reply.content)


class AsyncClient:
    """The same with `await`, for asyncio; one event loop only. Close it, or use it in `async with`."""

    recommend = _later(Table.recommend)
    page = _later(Table.page)
    similar = _later(Table.similar)
    rank = _later(Table.rank)
    categories = _later(Table.categories)
    friends = _later(Table.friends)
    trending = _later(Table.trending)
    events = _later(Table.events)
    merge = _later(Table.merge)
    put_items = _later(Table.put_items)
    change_items = _later(Table.change_items)
    delete_items = _later(Table.delete_items)
    item = _later(Table.item)
    put_users = _later(Table.put_users)
    change_users = _later(Table.change_users)
    forget_users = _later(Table.forget_users)
    profile = _later(Table.profile)
    stats = _later(Table.stats)
    live = _later(Table.live)
    ready = _later(Table.ready)
    metrics = _later(Table.metrics)
    openapi = _later(Table.openapi)

    def __init__(
        self, address: str, key: str | None = None, *, timeout: float = TIMEOUT, retries: int = RETRIES
    ) -> None:
        """Connect to nothing yet; raises UsageError (CLNT-03) for what is no address, key, time-out or count."""
        told = settings(address, key, timeout, retries)
        self._address, self._retries = address, retries
        self._http = httpx.AsyncClient(**told)

    async def run(self, flow: Flow[T]) -> T:
        """Do what a flow asks for; raises ServiceError and NoAnswerError."""
        steps, outcome = retrying(flow, self._retries, Random()), None
        try:
            while True:
                outcome = await self._do(steps.send(outcome))
        except StopIteration as done:
            result: T = done.value
            return result

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncClient({self._address!r})"

    async def _do(self, step: Ask | Pause) -> Outcome | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        try:
            reply = await self._http.request(step.method, step.path, content=step.body)
        except httpx.RequestError as error:
            return error
        return Reply(reply.status_code, reply.headers, reply.content)
