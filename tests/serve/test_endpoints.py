"""Every endpoint of the table: described, guarded by its scope, and sure on its feet whatever it is sent."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from paretail.pipeline.live.bodies import BatchAnswer
from paretail.serve.endpoints import ENDPOINTS, Endpoint
from paretail.serve.openapi import ERRORS, document, statuses

from .client import Reply, Service

ROOT = Path(__file__).resolve().parents[2]
SCOPED = [endpoint for endpoint in ENDPOINTS if endpoint.scope]
BODIES = [endpoint for endpoint in ENDPOINTS if endpoint.reads_body]
Guarded = tuple[Service, dict[str, str]]


def ask(service: Service, endpoint: Endpoint, item: str = "i00000012", **more: Any) -> Reply:
    """Ask an endpoint for its example."""
    path = endpoint.path.replace("{id}", item if "items" in endpoint.path else "u00000007")
    if endpoint.reads_body:
        return service.ask(path, endpoint.example, method=endpoint.method, **more)
    query = "&".join(f"{name}={value}" for name, value in endpoint.example.items())
    return service.ask(f"{path}?{query}" if query else path, method=endpoint.method, **more)


def one_shape(reply: Reply, status: int, code: str) -> None:
    """Check that an answer is an error of the one shape."""
    assert (reply.status, reply.kind) == (status, "application/json"), reply
    assert reply.code == code
    assert set(reply.body) == {"error", "request_id"}
    assert set(reply.body["error"]) == {"code", "found", "expected", "do"}
    assert all(reply.body["error"].values())
    assert reply.headers["x-request-id"] == reply.body["request_id"]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_the_example_is_answered_as_described(written: Service, endpoint: Endpoint) -> None:
    reply = ask(written, endpoint)
    assert reply.status == (307 if endpoint.path == "/" else 200), reply.body
    if isinstance(endpoint.answer, str):
        assert reply.kind.startswith(endpoint.answer if endpoint.path != "/" else "")
    else:
        msgspec.convert(reply.body, endpoint.answer)  # nothing is missing, and all is of its type
        described = document()["components"]["schemas"][endpoint.answer.__name__]["properties"]
        assert set(reply.body) <= set(described)
        assert reply.headers["x-request-id"] == reply.body.get("request_id", reply.headers["x-request-id"])
    assert re.fullmatch(r"[0-9a-f]{32}", reply.headers["x-request-id"])


@pytest.mark.parametrize("endpoint", SCOPED, ids=lambda endpoint: endpoint.name)
def test_a_scope_is_enforced(guarded: Guarded, endpoint: Endpoint) -> None:
    service, keys = guarded
    reply = ask(service, endpoint)
    one_shape(reply, 401, "KEYS-02")
    assert reply.headers["www-authenticate"] == 'Bearer realm="paretail"'
    one_shape(ask(service, endpoint, key="paretail_0123456789ab_" + "x" * 43), 401, "KEYS-02")
    for scope, key in keys.items():
        reply = ask(service, endpoint, key=key)
        if scope == endpoint.scope:
            assert reply.status == 200 or reply.body["error"]["code"] == "LIVE-04", reply.body
            assert int(reply.headers["ratelimit-limit"]) == 1000
        else:
            one_shape(reply, 403, "KEYS-03")
            assert f"needs the scope {endpoint.scope}" in reply.body["error"]["expected"]


@pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if not e.scope], ids=lambda endpoint: endpoint.name)
def test_without_a_scope_no_key_is_needed(guarded: Guarded, endpoint: Endpoint) -> None:
    assert ask(guarded[0], endpoint).status in (200, 307)


DEEP = 100_000
BAD = {
    "empty": b"", "cut": b'{"items": [{"item_id"', "no JSON": b"user_id=u1", "no object": b"[1]", "null": b"null",
    "not UTF-8": b'{"user_id": "\xff\xfe"}', "deep": b"[" * DEEP + b"]" * DEEP, "unknown field": b'{"usr_id": "u"}',
    "deep rows": b'{"items": [' + b"[" * DEEP + b"]" * DEEP + b"]}",
    "wrong type": b'{"k": "5", "items": 5, "users": 5}',
    "deep objects": b'{"events": [' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"]}",
    "NaN": b'{"k": NaN}', "huge number": b'{"k": 123456789012345678901234567890, "items": 1e999}',
    "lone surrogate": b'{"user_id": "\\ud800"}', "two values": b"{} {}", "UTF-16": '{"k": 5}'.encode("utf-16"),
    "a mark before": b'\xef\xbb\xbf{"k": 5}',
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("endpoint", BODIES, ids=lambda endpoint: endpoint.name)
def test_a_bad_body_is_refused_in_the_one_shape(service: Service, endpoint: Endpoint, bad: str) -> None:
    path = endpoint.path.replace("{id}", "u")
    one_shape(service.ask(path, raw=BAD[bad], method=endpoint.method), 400, "SERV-01")


@pytest.mark.parametrize("endpoint", BODIES, ids=lambda endpoint: endpoint.name)
def test_a_body_over_the_limit_is_refused_and_not_read(service: Service, endpoint: Endpoint) -> None:
    head = f"{endpoint.method} {endpoint.path.replace('{id}', 'u')} HTTP/1.1\r\nhost: x\r\n"
    told = service.send(f"{head}content-length: 1048577\r\n\r\n{{".encode(), seconds=0.5)  # nothing more is sent
    assert b" 413 " in told.splitlines()[0]
    assert b"SERV-06" in told
    for size in (1 << 20) + 1, 1 << 23:
        reply = service.ask(endpoint.path.replace("{id}", "u"), raw=b" " * size, method=endpoint.method)
        one_shape(reply, 413, "SERV-06")
    chunks = b"".join(b"10000\r\n" + b" " * 65536 + b"\r\n" for _ in range(17))
    told = service.send(f"{head}transfer-encoding: chunked\r\n\r\n".encode() + chunks, seconds=0.5)
    assert b" 413 " in told.splitlines()[0]


@pytest.mark.parametrize("endpoint", BODIES, ids=lambda endpoint: endpoint.name)
def test_a_compressed_body_is_refused(service: Service, endpoint: Endpoint) -> None:
    path = endpoint.path.replace("{id}", "u")
    reply = service.ask(path, {}, method=endpoint.method, headers={"content-encoding": "gzip"})
    one_shape(reply, 415, "SERV-15")


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_parameters_that_nobody_reads_are_refused(service: Service, endpoint: Endpoint) -> None:
    path = endpoint.path.replace("{id}", "u")
    raw = b"{}" if endpoint.reads_body else None
    for query in ("wrong=1", "k=1&k=2", "k", "k=%ff", "k=%zz", "%=1"):
        one_shape(service.ask(f"{path}?{query}", raw=raw, method=endpoint.method), 400, "SERV-10")


@pytest.mark.parametrize("path", sorted({endpoint.path for endpoint in ENDPOINTS}))
def test_methods_that_are_not_there(service: Service, path: str) -> None:
    has = {endpoint.method for endpoint in ENDPOINTS if endpoint.path == path}
    path = path.replace("{id}", "i00000012")
    allowed = has | ({"HEAD"} if "GET" in has else set()) | {"OPTIONS"}
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"):
        if method not in has:
            reply = service.ask(path, method=method)
            one_shape(reply, 405, "SERV-07")
            assert set(reply.headers["allow"].split(", ")) == allowed
    reply = service.ask(path, method="OPTIONS")
    assert (reply.status, set(reply.headers["allow"].split(", "))) == (204, allowed)
    head = service.ask(path, method="HEAD")
    if "GET" in has:
        assert (head.status, head.body) == (307 if path == "/" else 200, "")
        assert head.headers.get("content-type") == service.ask(path).headers.get("content-type")
    else:
        assert (head.status, head.body) == (405, "")


def test_the_document_describes_every_endpoint() -> None:
    described = document()
    assert described["openapi"].startswith("3.1")
    found = {f"{m.upper()} {path}": o for path, methods in described["paths"].items() for m, o in methods.items()}
    assert set(found) == {endpoint.name for endpoint in ENDPOINTS}
    names = [operation["operationId"] for operation in found.values()]
    assert len(set(names)) == len(names)
    for endpoint in ENDPOINTS:
        operation = found[endpoint.name]
        assert ("security" in operation) == bool(endpoint.scope)
        assert ("requestBody" in operation) == endpoint.reads_body
        assert {int(s) for s in operation["responses"] if int(s) >= 400} == set(statuses(endpoint)) <= set(ERRORS)
    known = set(described["components"]["schemas"])
    assert set(re.findall(r"#/components/schemas/(\w+)", json.dumps(described))) == known


def test_every_status_that_the_service_answers_with_is_described() -> None:
    from paretail.serve.errors import STATUS

    assert set(STATUS.values()) <= set(ERRORS)


def test_an_example_is_a_question() -> None:
    for endpoint in ENDPOINTS:
        if endpoint.question:
            assert msgspec.convert(endpoint.example, endpoint.question)
        assert isinstance(endpoint.answer, str) or issubclass(endpoint.answer, msgspec.Struct)
        assert (endpoint.rows is not None) <= (endpoint.answer is BatchAnswer)


def test_the_page_of_the_documentation_lists_every_endpoint() -> None:
    text = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([A-Z]+ /\S*)` \| (\w+|–) \| (.+) \|$", text, flags=re.MULTILINE)
    assert listed == [(e.name, e.scope or "–", e.summary) for e in ENDPOINTS]


def test_the_page_of_the_documentation_lists_every_status() -> None:
    from paretail.serve.errors import STATUS

    text = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d{3}) \| ([^|]+) \|", text, flags=re.MULTILINE)
    told = {code: int(status) for status, codes in rows for code in re.findall(r"[A-Z]+-\d\d", codes)}
    assert {code: told.get(code) for code in STATUS} == STATUS
