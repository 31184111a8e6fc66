"""Requests are read as they were meant, or refused; nothing else can come of any bytes."""

import asyncio
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.core.errors import Problem
from paretail.pipeline.live.bodies import NewEvent, TrendingRequest
from paretail.serve.endpoints import ENDPOINTS, Endpoint
from paretail.serve.errors import RefusedError
from paretail.serve.reading import DISCARDED_BYTES, MAX_BODY_BYTES, Body, asked, id_in

BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}
EVENTS, TRENDING = BY_NAME["POST /v1/events"], BY_NAME["GET /v1/trending"]
IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


def read(endpoint: Endpoint, body: bytes = b"", query: bytes = b"", path: bytes = b"/") -> Any:
    return asked(endpoint, bytearray(body), query, path)


def refused(endpoint: Endpoint, body: bytes = b"", query: bytes = b"") -> str:
    with pytest.raises(RefusedError) as error:
        read(endpoint, body, query)
    return f"{error.value.problems[0].found} ({error.value.problems[0].code})"


def status(endpoint: Endpoint, body: bytes = b"", query: bytes = b"", path: bytes = b"/") -> int:
    try:
        read(endpoint, body, query, path)
    except RefusedError as error:
        return error.status
    return 200


@given(IDS)
def test_an_id_in_a_path_may_be_anything(name: str) -> None:
    raw = quote(name, safe="").encode()
    assert id_in("/v1/items/{id}", b"/v1/items/" + raw) == name
    assert id_in("/v1/users/{id}/profile", b"/v1/users/" + raw + b"/profile") == name
    assert id_in("/v1/users/{id}/profile", b"/v1/%75sers/" + raw + b"/profil%65") == name


@pytest.mark.parametrize(
    ("raw", "name"),
    [(b"a/b", "a/b"), (b"a%2Fb/c", "a/b/c"), (b"caf\xc3\xa9", "café"), (b"a+b", "a+b"), (b"%25", "%"), (b"%00", "\0")],
)
def test_an_id_in_a_path_need_not_be_encoded(raw: bytes, name: str) -> None:
    assert id_in("/v1/items/{id}", b"/v1/items/" + raw) == name
    assert id_in("/v1/users/{id}/merge", b"/v1/users/" + raw + b"/merge") == name


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (b"/v1/users//profile", "SERV-02"), (b"/v1/users/profile", "SERV-02"), (b"/v1/users/a%2Fprofile", "SERV-02"),
        (b"/v1/users/a/b%2Fprofile", "SERV-02"), (b"/v1/users/%/profile", "SERV-10"),
        (b"/v1/users/%f/profile", "SERV-10"), (b"/v1/users/%+f/profile", "SERV-10"),
        (b"/v1/users/%ff/profile", "SERV-10"), (b"/v1/users/%ed%a0%80/profile", "SERV-10"),
        (b"/v1/users/" + b"a" * 513 + b"/profile", "SERV-10"),
    ],
)  # fmt: skip
def test_what_is_no_id_in_a_path(path: bytes, code: str) -> None:
    with pytest.raises(RefusedError, match=code):
        id_in("/v1/users/{id}/profile", path)


@pytest.mark.parametrize(
    ("query", "question"),
    [
        (b"", TrendingRequest()), (b"k=7", TrendingRequest(7)),
        (b"filter=price+%3C+5", TrendingRequest(filter="price < 5")),
        (b"filter=brand+%3D+%22A%2BB%22&k=1", TrendingRequest(1, 'brand = "A+B"')),
        (b"filter=", TrendingRequest(filter="")),
    ],
)  # fmt: skip
def test_a_query(query: bytes, question: TrendingRequest) -> None:
    assert read(TRENDING, query=query).question == question


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (b"k=0", ">= 1 - at `$.k`"), (b"k=1001", "<= 1000"), (b"k=x", "got `str`"), (b"k=", "got `str`"),
        (b"kk=1", "unknown field `kk`"), (b"k=1&k=1", "'k' is there 2 times"), (b"filter=%ff", "percent-encoded"),
        (b"filter=%", "percent-encoded"), (b"k=1&%zz=2", "percent-encoded"), (b"filter=" + b"a" * 4001, "<= 4000"),
        (b"k=1;k=2", "got `str`"), (b"k=\xc2\xb2", "got `str`"),
    ],
)  # fmt: skip
def test_a_bad_query(query: bytes, found: str) -> None:
    told = refused(TRENDING, query=query)
    assert found in told
    assert "SERV-10" in told


@given(st.binary(max_size=60))
def test_any_query_is_read_or_refused(query: bytes) -> None:
    assert status(TRENDING, query=query) in (200, 400)


@given(st.sampled_from([e for e in ENDPOINTS if e.reads_body]), st.binary(max_size=60))
def test_any_body_is_read_or_refused(endpoint: Endpoint, body: bytes) -> None:
    assert status(endpoint, body, path=b"/v1/users/u/merge") in (200, 400)


GOOD = [{"user_id": "u", "item_id": "i"}, {"user_id": "v", "item_id": "j", "ts": 5.5, "event_id": "é"}]
WRONG: list[Any] = [{}, [], None, 7, "x", {"user_id": "u"}, {"user_id": "", "item_id": "i"},
                    {"user_id": "u", "item_id": "i", "what": 1},
                    {"user_id": "u", "item_id": "i", "ts": -1}]  # fmt: skip


@given(st.lists(st.sampled_from([*GOOD, *WRONG]), min_size=1, max_size=8))
def test_each_row_is_judged_for_itself(rows: list[Any]) -> None:
    found = read(EVENTS, msgspec.json.encode({"events": rows})).rows
    assert len(found) == len(rows)
    for number, (told, row) in enumerate(zip(found, rows, strict=True)):
        if row in GOOD:
            assert told == msgspec.convert(row, NewEvent)
        else:
            assert isinstance(told, Problem)
            assert told.code == "SERV-11"
            assert told.found.startswith(f"row {number}: ")


def test_a_row_that_is_not_utf8_or_too_deep_spoils_no_other() -> None:
    good = b'{"user_id": "u", "item_id": "i"}'
    deep = b'{"user_id": "u", "item_id": "i", "what": ' + b"[" * 600 + b"]" * 600 + b"}"
    rows = read(
        EVENTS, b'{"events": [' + b", ".join([good, b'{"user_id": "\xff", "item_id": "i"}', deep, good]) + b"]}"
    ).rows
    assert [isinstance(row, NewEvent) for row in rows] == [True, False, False, True]
    assert "utf-8" in rows[1].found


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "the body is empty"), (b'{"events": []}', "length >= 1"), (b'{"events": 5}', "`array`"),
        (b'{"events": [{}], "more": 1}', "unknown field `more`"), (b'{"event": [{}]}', "unknown field `event`"),
        (b'{"events": [' + b"{}," * 1000 + b"{}]}", "length <= 1000"), (b'{"events": [{}', "truncated"),
        (b'{"events": [' + b"[" * 100_000 + b"]}", "nested too deeply"),
    ],
)  # fmt: skip
def test_a_body_that_is_no_batch_is_refused_whole(body: bytes, found: str) -> None:
    told = refused(EVENTS, body)
    assert found in told
    assert "SERV-01" in told


def parts(*messages: dict[str, Any]) -> Any:
    """Return an ASGI `receive` that tells these messages, and counts how many were asked for."""
    told = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(told)

    return receive


def part(body: bytes, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


SENT = {b"transfer-encoding": b"chunked"}


def test_a_body_comes_in_parts() -> None:
    receive = parts(part(b"ab", True), part(b"", True), part(b"c", False))
    assert asyncio.run(Body(SENT, receive).read()) == b"abc"
    assert asyncio.run(Body(SENT, parts({"type": "http.request"})).read()) == b""
    assert asyncio.run(Body({}, parts()).read()) == b""


def test_what_is_left_of_a_body_is_discarded_after_its_answer() -> None:
    taken = []

    async def endless() -> dict[str, Any]:
        taken.append(1)
        return part(b"x" * 65536, True)

    async def refused() -> None:
        body = Body(SENT, endless)
        with pytest.raises(RefusedError, match="SERV-06"):
            await body.read()
        assert len(taken) == 17
        await body.discard()

    asyncio.run(refused())
    assert len(taken) == 17 + DISCARDED_BYTES // 65536
    asyncio.run(Body({b"content-length": b"9"}, parts(part(b"{", True), {"type": "http.disconnect"})).discard())
    asyncio.run(Body({b"content-length": b"0"}, parts()).discard())


def test_a_large_body_is_not_read_further() -> None:
    half = part(b"x" * (MAX_BODY_BYTES // 2), True)
    assert len(asyncio.run(Body(SENT, parts(half, part(half["body"], False))).read())) == MAX_BODY_BYTES
    with pytest.raises(RefusedError, match="SERV-06"):  # a further part would be a StopIteration
        asyncio.run(Body(SENT, parts(half, half, part(b"x", True))).read())
    with pytest.raises(RefusedError, match="SERV-06"):
        asyncio.run(Body({b"content-length": b"1048577"}, parts()).read())


def test_a_body_that_breaks_off() -> None:
    with pytest.raises(RefusedError, match=r"breaks off.*SERV-01"):
        asyncio.run(Body(SENT, parts(part(b"{", True), {"type": "http.disconnect"})).read())
