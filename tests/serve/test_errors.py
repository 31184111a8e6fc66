"""Every failure leaves in one shape, a fault of ours as well; what is late or too much is told too."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import structlog

from paretail.core.errors import DataError, Problem, UsageError
from paretail.data.stores.base import StoreError
from paretail.pipeline.config import ServeConfig
from paretail.pipeline.live.bodies import Live, MergeRequest, RecommendRequest
from paretail.pipeline.live.shop import LiveShop
from paretail.serve.endpoints import Asked, Endpoint
from paretail.serve.handle import Path
from paretail.serve.keys import KeyRing
from paretail.serve.run import log_as_json, working

Ask = Callable[..., httpx.Response]


def fail(shop: LiveShop, asked: Asked) -> Live:
    """Fail as the visitor's id says."""
    what = asked.question.visitor_id
    if what == "fault":
        raise RuntimeError("the secret of a stack")
    if what == "many":
        raise DataError([Problem("DATA-07", "a", "b", "c"), Problem("DATA-08", "d", "e", "f")])
    if what == "slow":
        time.sleep(0.6)
        return Live()
    if what.startswith("STOR"):
        raise StoreError(Problem(what, "/srv/secret/place: full", "Room", "Make room"))
    raise UsageError(Problem(what, "found", "expected", "do"))


@pytest.fixture
def ask(live: LiveShop) -> Ask:
    """Return what asks an endpoint that fails, in this process."""

    async def post(body: Any, seconds: float) -> httpx.Response:
        endpoint = Endpoint("POST", "/fail", None, "Fail", Live, fail, MergeRequest)
        keys = KeyRing(list, False)
        async with working(live, keys, ServeConfig(timeout_seconds=seconds)) as works:
            transport = httpx.ASGITransport(Path(works, "/fail", {"POST": endpoint}, None))
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                reply = await client.post("/fail", content=body)
        keys.close()
        return reply

    def asked(what: str, body: Any = None, seconds: float = 10.0) -> httpx.Response:
        return asyncio.run(post(json.dumps({"visitor_id": what}).encode() if body is None else body, seconds))

    return asked


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("code", "status"),
    [("SERV-01", 400), ("SERV-03", 404), ("SERV-04", 422), ("SERV-06", 413), ("CLI-04", 422), ("FILT-01", 422),
     ("LIVE-02", 404), ("LIVE-03", 422), ("STOR-04", 503), ("STOR-06", 422)],
)  # fmt: skip
def test_each_code_has_its_status(ask: Ask, code: str, status: int) -> None:
    reply = ask(code)
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/json"
    body = reply.json()
    assert body["error"]["code"] == code
    assert set(body) == {"error", "request_id"}
    assert reply.headers["x-request-id"] == body["request_id"]


def test_the_first_of_many_problems_is_told(ask: Ask) -> None:
    assert ask("many").json()["error"] == {"code": "DATA-07", "found": "a", "expected": "b", "do": "c"}


def test_a_fault_is_logged_whole_and_told_in_short(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    log_as_json()
    reply = ask("fault")
    assert (reply.status_code, reply.json()["error"]["code"]) == (500, "SERV-09")
    assert reply.json()["error"]["found"] == "RuntimeError inside the service"
    assert "secret" not in reply.text
    (line,) = capsys.readouterr().err.splitlines()
    logged = json.loads(line)
    assert (logged["event"], logged["endpoint"], logged["level"]) == ("request_failed", "POST /fail", "error")
    assert logged["request_id"] == reply.json()["request_id"]
    assert "the secret of a stack" in logged["exception"]
    assert logged["timestamp"].endswith("Z")


def test_a_store_that_fails_is_logged_and_not_shown_around(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    log_as_json()
    reply = ask("STOR-04")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
    assert "/srv" not in reply.text
    (line,) = capsys.readouterr().err.splitlines()
    assert "/srv/secret/place: full" in json.loads(line)["problem"]


def test_what_the_asker_did_wrong_is_not_logged(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    log_as_json()
    ask("SERV-03")
    ask("", body=b"{")
    assert capsys.readouterr().err == ""


def test_a_slow_answer(ask: Ask) -> None:
    reply = ask("slow", seconds=0.1)
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "SERV-13")
    assert reply.headers["retry-after"] == "1"
    assert "0.1 seconds" in reply.json()["error"]["found"]


def test_a_slow_body(ask: Ask) -> None:
    async def body() -> Any:
        yield b'{"visitor_id"'
        await asyncio.sleep(5)
        yield b': "v"}'

    started = time.monotonic()
    reply = ask("", body=body(), seconds=0.1)
    assert (reply.status_code, reply.json()["error"]["code"]) == (408, "SERV-12")
    assert time.monotonic() - started < 3


def test_two_answers_have_two_names(ask: Ask) -> None:
    assert len({ask("SERV-01").json()["request_id"] for _ in range(3)}) == 3


@pytest.mark.parametrize(
    ("name", "header"),
    [("r-1", "r-1"), ("a b", "a%20b"), ("é\r\nx: y", "%C3%A9%0D%0Ax%3A%20y"), ("50%", "50%"), ("\0", "%00")],
)
def test_a_name_that_the_asker_gave_comes_back(live: LiveShop, name: str, header: str) -> None:
    def refuse(shop: LiveShop, asked: Asked) -> Live:
        raise UsageError(Problem("SERV-04", "found", "expected", "do"))

    async def post() -> httpx.Response:
        endpoint = Endpoint("POST", "/x", None, "Refuse", Live, refuse, RecommendRequest)
        keys = KeyRing(list, False)
        async with working(live, keys, ServeConfig()) as works:
            transport = httpx.ASGITransport(Path(works, "/x", {"POST": endpoint}, None))
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                reply = await client.post("/x", json={"request_id": name})
        keys.close()
        return reply

    reply = asyncio.run(post())
    assert reply.json()["request_id"] == name
    assert reply.headers["x-request-id"] == header
