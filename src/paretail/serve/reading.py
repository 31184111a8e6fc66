"""Reading a request: its body within bounds, its query, the id in its path, and the rows of a batch one by one."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from typing import Annotated, Any, get_type_hints
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec
from msgspec import Raw

from paretail.core.errors import Problem
from paretail.serve.advice import Advice, advice, batch_advice
from paretail.serve.endpoints import Asked, Endpoint
from paretail.serve.errors import RefusedError, no_such_path

Receive = Callable[[], Awaitable[Any]]

#: Larger bodies are refused before they are read to their end.
MAX_BODY_BYTES = 1 << 20
#: What is taken of a body after its answer, at most.
DISCARDED_BYTES, DISCARDING_SECONDS = 1 << 24, 5.0
#: Characters of an id, as in `bodies.Id`.
MAX_ID = 512
_DO = "The page /docs describes every field"


class Body:
    """The body of one request, read within bounds or left to be discarded."""

    def __init__(self, told: dict[bytes, bytes], receive: Receive) -> None:
        self._told, self._receive = told, receive
        self._whole = told.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in told

    async def read(self) -> bytearray:
        """Return all of it; raises RefusedError where it is too large (SERV-06), packed (SERV-15) or breaks off."""
        if self._told.get(b"content-encoding", b"identity") != b"identity":
            found = f"content-encoding {self._told[b'content-encoding'][:50].decode('latin-1')}"
            raise RefusedError(Problem("SERV-15", found, "A body that is not compressed", "Send it as it is"))
        length = self._told.get(b"content-length", b"")
        if length.isdigit() and int(length) > MAX_BODY_BYTES:
            raise _too_large(f"a body of {int(length):,} bytes")
        body = bytearray()
        while not self._whole:
            body += await self._part()
            if len(body) > MAX_BODY_BYTES:
                raise _too_large("a larger body")
        return body

    async def discard(self) -> None:
        """Take what is still sent, and keep none of it; call it once the answer is sent.

        A connection that is closed while its asker still writes tells them "broken pipe", and not the answer.
        """
        left = DISCARDED_BYTES
        with suppress(TimeoutError, RefusedError):
            async with asyncio.timeout(DISCARDING_SECONDS):
                while not self._whole and left > 0:
                    left -= len(await self._part())

    async def _part(self) -> bytes:
        part = await self._receive()
        if part["type"] == "http.disconnect":
            self._whole = True
            raise RefusedError(Problem("SERV-01", "the body breaks off", "A whole body", "Send it again"))
        self._whole = not part.get("more_body")
        return bytes(part.get("body", b""))


def _too_large(found: str) -> RefusedError:
    return RefusedError(Problem("SERV-06", found, f"At most {MAX_BODY_BYTES:,} bytes", "Ask in smaller batches"))


def asked(endpoint: Endpoint, body: bytearray, query: bytes, raw_path: bytes) -> Asked:
    """Decode a request; raises RefusedError where it cannot be (SERV-01 the body, SERV-10 the address)."""
    name = id_in(endpoint.path, raw_path) if endpoint.has_id else ""
    told = _query(query)
    if endpoint.question is None or endpoint.reads_body:
        if told:
            raise _bad_address(f"query parameter {told[0][0][:50]!r}", "No query parameters")
        question, rows = (None, []) if endpoint.question is None else _decoded(endpoint, body)
        return Asked(name, question, rows)
    return Asked(name, _converted(endpoint.question, told), [])


def id_in(pattern: str, raw_path: bytes) -> str:
    """Return the id at the place of `{id}`; it may hold any character, slashes too, percent-encoded or not.

    The path as the server decoded it does not tell a slash from `%2F`, and has lost what is no UTF-8.
    """
    before, after = pattern.split("{id}")
    parts, end = raw_path.split(b"/"), after.count("/")
    first, last = before.count("/"), len(parts) - end
    name = _unquoted(b"/".join(parts[first:last]), "the id in the path")
    if not name or unquote_to_bytes(b"/".join([b"", *parts[last:]] if end else [])) != after.encode():
        raise no_such_path(raw_path.decode("latin-1"))
    if len(name) > MAX_ID:
        raise _bad_address(f"the id in the path has {len(name):,} characters", f"At most {MAX_ID}")
    return name


def _query(query: bytes) -> list[tuple[str, str]]:
    if not query:
        return []
    for part in query.split(b"&"):
        _unquoted(part.replace(b"+", b" "), "the query")
    told = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="utf-8")
    names = [name for name, _ in told]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise _bad_address(
            f"query parameter {repeated[0][:50]!r} is there {names.count(repeated[0])} times", "Each once"
        )
    return told


def _unquoted(raw: bytes, what: str) -> str:
    text = unquote_to_bytes(raw)
    try:
        if raw.count(b"%") != sum(_is_escape(part) for part in raw.split(b"%")[1:]):
            raise ValueError
        return text.decode()
    except ValueError:
        raise _bad_address(f"{what} is not percent-encoded UTF-8", "%XX for each byte that is not plain") from None


def _is_escape(part: bytes) -> bool:
    return len(part) > 1 and all(digit in b"0123456789abcdefABCDEF" for digit in part[:2])


def _bad_address(found: str, expected: str, do: str = _DO) -> RefusedError:
    return RefusedError(Problem("SERV-10", found, expected, do))


def _converted(kind: type, told: list[tuple[str, str]]) -> Any:
    try:
        return msgspec.convert(dict(told), kind, strict=False)
    except msgspec.ValidationError as error:
        known = advice(str(error), kind) or Advice("Parameters as the page /docs describes them", _DO)
        raise _bad_address(f"in the query: {error}", *known) from None


def _decoded(endpoint: Endpoint, body: bytearray) -> tuple[Any, list[Any]]:
    """Decode the body whole, and only where that fails row by row, which takes twice as long."""
    assert endpoint.question is not None
    if not body:
        raise _bad_body(ValueError("the body is empty"), endpoint)
    try:
        question = _decoder(endpoint.question).decode(body)
        return question, [] if endpoint.rows is None else getattr(question, endpoint.rows.field)
    except (ValueError, RecursionError) as error:
        if endpoint.rows is None or isinstance(error, RecursionError):
            raise _bad_body(error, endpoint) from None
    try:
        raws = getattr(_raw_decoder(endpoint.question, endpoint.rows.field).decode(body), endpoint.rows.field)
    except (ValueError, RecursionError) as error:
        raise _bad_body(error, endpoint) from None
    return None, [_row(number, raw, endpoint.rows.kind) for number, raw in enumerate(raws)]


def _bad_body(error: Exception, endpoint: Endpoint) -> RefusedError:
    assert endpoint.question is not None
    told = _told(error)
    known = batch_advice(told, *endpoint.rows) if endpoint.rows else None
    known = known or advice(told, endpoint.question)
    expected, do = known or Advice("A JSON body as the page /docs describes it", "Correct the body")
    return RefusedError(Problem("SERV-01", told, expected, do))


def _row(number: int, raw: Raw, kind: type) -> Any:
    try:
        return _decoder(kind).decode(raw)
    except (ValueError, RecursionError) as error:
        told = _told(error)
        expected, do = advice(told, kind) or Advice("A row as the page /docs describes it", "Correct the row")
        return Problem("SERV-11", f"row {number}: {told}", expected, do)


def _told(error: Exception) -> str:
    return "the body is nested too deeply" if isinstance(error, RecursionError) else str(error)


@cache
def _decoder(kind: type) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


@cache
def _raw_decoder(question: type, field: str) -> msgspec.json.Decoder[Any]:
    """Return a decoder of the same body, with the same bounds, that leaves each row as it stands."""
    bounds = get_type_hints(question, include_extras=True)[field].__metadata__[0]
    rows = msgspec.defstruct("Body", [(field, Annotated[list[Raw], bounds])], forbid_unknown_fields=True)
    return msgspec.json.Decoder(rows)
