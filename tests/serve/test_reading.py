"""Requests are read as they were meant, or refused; nothing else can come of any bytes."""

import asyncio
import time
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.core.errors import Problem
from paretail.pipeline.live.bodies import NewEvent, TrendingRequest
from paretail.serve.advice import advice
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
        (b"filter=brand+%3D+%22A%2BB%22&k=1", TrendingRequest(1, filter='brand = "A+B"')),
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


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        (b"since=5", 5.0), (b"since=1.5e3", 1500.0), (b"since=20261101", 20261101.0), (b"since=1970-01-02", 86400.0),
        (b"since=1970-01-01T00:00:01.5", 1.5), (b"since=1970-01-01T01:00%2B01:00", 0.0),
        (b"since=2026-11-01T08:00Z", 1793520000.0), (b"until=5", None),
    ],
)  # fmt: skip
def test_a_time_is_seconds_or_a_date(query: bytes, seconds: float | None) -> None:
    assert read(BY_NAME["GET /v1/stats"], query=query).question.since == seconds


@pytest.mark.parametrize(
    "moment",
    [
        "",
        "yesterday",
        "-1",
        "1e12",
        "nan",
        "inf",
        "1969-12-31",
        "2026-13-01",
        "2026-11-01T08:00+01:00",
        "1_0",
        "2026-11-1",
    ],
)
def test_what_is_no_time(moment: str) -> None:
    told = refused(BY_NAME["GET /v1/stats"], query=f"until={moment}".encode())
    assert "until: " in told
    assert told.endswith("a date such as 2026-11-01 is expected (SERV-10)")


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


def advised(name: str, body: Any, query: bytes = b"") -> tuple[str, str]:
    """Return what was expected and what to do, of the body or else of its only row."""
    try:
        (problem,) = read(BY_NAME[name], msgspec.json.encode(body), query, b"/v1/users/u/merge").rows
    except RefusedError as error:
        (problem,) = error.problems
    assert (problem.expected + problem.do).isprintable()
    return problem.expected, problem.do


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("POST /v1/recommend", {"user": "u"}, "; did you mean 'user_id'?"),
        ("POST /v1/recommend", {"events": [{"item_id": "i", "kid": "pv"}]},
         "Expected one of item_id, kind, quantity, ts; did you mean 'kind'?"),
        ("POST /v1/page", {"lists": [{"placment": "new"}]},
         "Expected one of filter, k, placement; did you mean 'placement'?"),
        ("POST /v1/page", {"lists": [{"placement": "new"}, {"placement": "trendy"}]},
         "Expected one of because-you-bought, for-you, new, trending, your-categories; did you mean 'trending'?"),
        ("POST /v1/similar", {"items": ["i"], "relation": "xyz"},
         "Expected one of also-bought, alternative, similar, together"),
        ("DELETE /v1/items", {"item_id": "i"}, "Expected one of item_ids; did you mean 'item_ids'?"),
        ("POST /v1/users/{id}/merge", {"visitor": "v"}, "Expected one of visitor_id; did you mean 'visitor_id'?"),
        ("POST /v1/events", {"events": [{"item_id": "i", "user": "u"}]}, "did you mean 'user_id'?"),
    ],
)  # fmt: skip
def test_the_nearest_name_is_told(name: str, body: Any, expected: str) -> None:
    assert advised(name, body)[0].endswith(expected)


def test_the_nearest_parameter_is_told() -> None:
    with pytest.raises(RefusedError, match=r"Expected one of by, filter, k; did you mean 'filter'\?"):
        read(TRENDING, query=b"filtr=x")


@pytest.mark.parametrize("name", ["PUT /v1/items", "PATCH /v1/items", "PUT /v1/users"])
def test_the_shop_s_own_columns_belong_under_attributes(name: str) -> None:
    field = "users" if "users" in name else "items"
    expected, do = advised(name, {field: [{"item_id": "i", "user_id": "u", "colour": "red"}]})
    assert "attributes" in expected
    assert do.endswith("put it under `attributes`: the shop's own columns belong there")
    assert "attributes" not in advised("POST /v1/events", {"events": [{"colour": "red"}]})[1]


@pytest.mark.parametrize(
    ("name", "body", "do"),
    [
        ("POST /v1/events", GOOD[0], 'Put it into {"events": [...]}'),
        ("POST /v1/events", GOOD, 'Put the rows into {"events": [...]}'),
        ("POST /v1/events", {}, 'Put the rows into {"events": [...]}'),
        ("PATCH /v1/items", {"item_id": "i", "price": 5}, 'Put it into {"items": [...]}'),
        ("PUT /v1/users", {"user_id": "u"}, 'Put it into {"users": [...]}'),
        ("POST /v1/events", {"event": GOOD}, "Correct the name"),
        ("POST /v1/events", {"events": 5}, "Correct the body"),
    ],
)
def test_one_row_is_no_batch(name: str, body: Any, do: str) -> None:
    assert advised(name, body)[1] == do


@given(st.sampled_from([e for e in ENDPOINTS if e.question]), st.text(max_size=40), st.text(max_size=40))
def test_advice_comes_of_anything_told(endpoint: Endpoint, name: str, path: str) -> None:
    assert endpoint.question
    for told in (f"Object contains unknown field `{name}` - at `${path}`", f"Object contains unknown field `{name}`",
                 f"Invalid enum value '{name}' - at `${path}`", name):  # fmt: skip
        known = advice(told, endpoint.question)
        assert known is None or all(known)


def test_a_thousand_bad_rows_are_told_soon() -> None:
    rows = [{"user_id": "u", "item_id": "i", f"order{number}": "x" * 500} for number in range(1000)]
    started = time.process_time()
    found = read(EVENTS, msgspec.json.encode({"events": rows})).rows
    assert time.process_time() - started < 2
    assert all("did you mean 'order_id'?" in problem.expected for problem in found)


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
