"""Every failure leaves in one shape, a fault of ours as well."""

import asyncio
import json
from collections.abc import Callable, Iterator

import httpx
import pytest
import structlog
from fastapi import FastAPI

from paretail.core.errors import DataError, Problem, UsageError
from paretail.serve import errors
from paretail.serve.run import log_as_json

Get = Callable[[str], httpx.Response]


@pytest.fixture
def get() -> Get:
    app = FastAPI()
    errors.install(app)

    @app.get("/{what}")
    async def fail(what: str) -> None:
        if what == "fault":
            raise RuntimeError("the secret of a stack")
        if what == "many":
            raise DataError([Problem("DATA-07", "a", "b", "c"), Problem("DATA-08", "d", "e", "f")])
        raise UsageError(Problem(what, "found", "expected", "do"))

    async def ask(path: str) -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            return await client.get(path)

    return lambda path: asyncio.run(ask(path))


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("code", "status"), [("SERV-01", 400), ("SERV-03", 404), ("SERV-04", 422), ("SERV-06", 413), ("CLI-04", 422)]
)
def test_each_code_has_its_status(get: Get, code: str, status: int) -> None:
    reply = get(f"/{code}")
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/json"
    body = reply.json()
    assert body["error"] == {"code": code, "found": "found", "expected": "expected", "do": "do"}
    assert set(body) == {"error", "request_id"}


def test_the_first_of_many_problems_is_told(get: Get) -> None:
    assert get("/many").json()["error"]["code"] == "DATA-07"


def test_a_fault_is_logged_whole_and_told_in_short(get: Get, capsys: pytest.CaptureFixture[str]) -> None:
    log_as_json()
    reply = get("/fault")
    assert (reply.status_code, reply.json()["error"]["code"]) == (500, "SERV-09")
    assert reply.json()["error"]["found"] == "RuntimeError inside the service"
    assert "secret" not in reply.text
    (line,) = capsys.readouterr().err.splitlines()
    logged = json.loads(line)
    assert (logged["event"], logged["path"], logged["level"]) == ("request_failed", "/fault", "error")
    assert "the secret of a stack" in logged["exception"]
    assert logged["timestamp"].endswith("Z")


def test_two_answers_have_two_names(get: Get) -> None:
    names = {get("/SERV-01").json()["request_id"] for _ in range(3)}
    assert len(names) == 3
