"""The way of one request: let in, read, decoded, answered, counted; every failure leaves in the one shape."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import uuid4

import msgspec

from paretail.core.errors import Problem
from paretail.pipeline.live.bodies import BatchAnswer, RecommendAnswer, RecommendRequest
from paretail.pipeline.live.shop import LiveShop
from paretail.serve.batching import Batcher
from paretail.serve.endpoints import Asked, Endpoint
from paretail.serve.errors import RefusedError, no_such_method, no_such_path, telling
from paretail.serve.gate import Gate
from paretail.serve.metrics import Metrics
from paretail.serve.reading import Body, asked
from paretail.serve.threads import Threads

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = "application/json"
#: How many reasons are told where every row of a batch is rejected.
REASONS = 3
_encode = msgspec.json.Encoder().encode


class Reply(NamedTuple):
    """What is sent."""

    status: int
    body: bytes
    request_id: str
    kind: str = JSON
    headers: Sequence[tuple[str, str]] = ()


#: Answers a request from what the service itself knows.
Own = Callable[[Scope], Reply | Awaitable[Reply]]


@dataclass(frozen=True)
class Works:
    """What answers requests: the shop, its threads, the gate before it, and the counters."""

    shop: LiveShop
    batcher: Batcher[RecommendRequest, RecommendAnswer]
    threads: Threads
    reports: Threads
    solving: Threads
    gate: Gate
    metrics: Metrics
    timeout_seconds: float


class Path:
    """All methods of one path, as an ASGI application."""

    def __init__(self, works: Works, path: str, endpoints: Mapping[str, Endpoint], own: Own | None) -> None:
        self._works, self._path, self._own = works, path, own
        self._endpoints = dict(endpoints)
        if "GET" in endpoints:
            self._endpoints["HEAD"] = endpoints["GET"]  # the server leaves out the body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        endpoint = self._endpoints.get(scope["method"])
        name = endpoint.name if endpoint else f"other {self._path}"
        status = 499  # the asker left before the answer
        self._works.metrics.began()
        given = dict(scope["headers"])
        body = Body(given, receive)
        try:
            reply = await self._reply(endpoint, name, scope, given, body)
            await send_reply(send, reply)
            status = reply.status
        finally:
            self._works.metrics.ended(name, status, time.perf_counter() - started)
        if status != 408:
            await body.discard()

    async def _reply(
        self, endpoint: Endpoint | None, name: str, scope: Scope, given: dict[bytes, bytes], body: Body
    ) -> Reply:
        question: Asked | None = None
        headers: Sequence[tuple[str, str]] = ()
        try:
            if not self._matches(scope["path"]):
                raise no_such_path(scope["path"])
            if endpoint is None:
                return self._without(scope["method"])
            headers = self._works.gate.admit(endpoint, given)
            async with asyncio.timeout(self._works.timeout_seconds) as limit:
                told = await body.read() if endpoint.reads_body else bytearray()
                question = asked(endpoint, told, scope["query_string"], scope["raw_path"])
                limit.reschedule(asyncio.get_running_loop().time() + self._works.timeout_seconds)
                reply = await self._answer(endpoint, question, scope)
            return reply._replace(headers=(*headers, *reply.headers)) if headers else reply
        except Exception as error:
            known = None if question is None else getattr(question.question, "request_id", None)
            late = self._late(question is None) if isinstance(error, TimeoutError) else error
            return failed(late, known or uuid4().hex, name, headers)

    async def _answer(self, endpoint: Endpoint, question: Asked, scope: Scope) -> Reply:
        works = self._works
        if endpoint.work is None:
            assert self._own is not None
            reply = self._own(scope)
            return reply if isinstance(reply, Reply) else await reply
        if endpoint.together:
            if (solve := works.shop.to_solve(question.question)) is not None:
                mine, all_others = solve
                await works.threads.ask(mine)
                works.solving.begin(all_others)
            answer: Any = await works.batcher.ask(question.question)
        else:
            threads = works.reports if endpoint.slow else works.threads
            answer = await threads.ask(endpoint.work, works.shop, question)
        request_id = getattr(answer, "request_id", None) or uuid4().hex
        if isinstance(answer, BatchAnswer) and not answer.accepted + answer.duplicates:
            return failed(_all_rejected(answer), request_id, endpoint.name, ())
        return Reply(200, _encode(answer), request_id)

    def _matches(self, path: str) -> bool:
        """Whether it is this path: `$` in the router's patterns lets a line end at the end pass."""
        return path == self._path or "{id}" in self._path

    def _without(self, method: str) -> Reply:
        """Answer a method that is not in the table."""
        allowed = [*self._endpoints, "OPTIONS"]
        if method == "OPTIONS":
            return Reply(204, b"", uuid4().hex, "", [("allow", ", ".join(allowed))])
        raise no_such_method(method, self._path, allowed)

    def _late(self, reading: bool) -> RefusedError:
        seconds = self._works.timeout_seconds
        if reading:
            found, do = f"the body took longer than {seconds:g} seconds", "Send it faster, or in smaller batches"
            return RefusedError(Problem("SERV-12", found, "A body without pauses", do), [("connection", "close")])
        found = f"no answer within {seconds:g} seconds"
        do = "Ask again; what was written may be kept already, so send events with their event_id"
        return RefusedError(Problem("SERV-13", found, "An answer in time", do), [("retry-after", "1")])


def failed(error: Exception, request_id: str, name: str, headers: Sequence[tuple[str, str]]) -> Reply:
    """Return the answer that tells an error."""
    status, answer, more = telling(error, request_id, name)
    return Reply(status, _encode(answer), request_id, JSON, (*headers, *more))


def _all_rejected(answer: BatchAnswer) -> RefusedError:
    """Tell the first problem, and beside it which others there are and how often each is."""
    first = answer.rows[0].error
    assert first is not None
    reasons = Counter(row.error.found.removeprefix(f"row {row.row}: ") for row in answer.rows if row.error)
    told = [f"{count:,} × {found}" for found, count in islice(reasons.items(), REASONS)]
    if others := answer.rejected - sum(islice(reasons.values(), REASONS)):
        told.append(f"{others:,} × others")
    found = f"{answer.rejected:,} of {len(answer.rows):,} rows are rejected ({'; '.join(told)})"
    return RefusedError(Problem(first.code, found, first.expected, first.do), status=422)


async def send_reply(send: Send, reply: Reply) -> None:
    """Send an answer with its headers."""
    headers = [(b"content-length", b"%d" % len(reply.body)), (b"x-request-id", _plain(reply.request_id))]
    if reply.kind:
        headers.append((b"content-type", reply.kind.encode()))
    headers += [(name.encode(), value.encode("latin-1")) for name, value in reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body, "more_body": False})


def _plain(request_id: str) -> bytes:
    """Return a name as a header may hold it: where it is not plain ASCII, percent-encoded."""
    plain = request_id.isascii() and request_id.isprintable() and " " not in request_id
    return (request_id if plain else quote(request_id, safe="")).encode()
