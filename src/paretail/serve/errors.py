"""Every failure leaves the service as one JSON shape: `{"error": {code, found, expected, do}, "request_id"}`."""

from uuid import uuid4

import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from paretail.core.errors import ParetailError, Problem
from paretail.pipeline.live.bodies import ErrorAnswer, ErrorDetail

#: The HTTP status of problems that are not a request which cannot be answered (422).
STATUS = {"SERV-01": 400, "SERV-03": 404, "SERV-06": 413}

log = structlog.get_logger()


def answer_error(problem: Problem, status: int) -> Response:
    """Return `problem` as the answer."""
    detail = ErrorDetail(problem.code, problem.found, problem.expected, problem.do)
    body = msgspec.json.encode(ErrorAnswer(detail, uuid4().hex))
    return Response(body, status, media_type="application/json")


def install(app: FastAPI) -> None:
    """Make every exception of `app` leave in the one shape; an unexpected one is logged whole and told in short."""
    app.add_exception_handler(ParetailError, _on_ours)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_unexpected)


async def _on_ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, ParetailError)
    return answer_error(error.problems[0], STATUS.get(error.problems[0].code, 422))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    found = f"{request.method} {request.url.path}: {error.detail}"
    expected = "A path and method that the page /docs lists"
    return answer_error(Problem("SERV-02", found, expected, "Correct the request"), error.status_code)


async def _on_unexpected(request: Request, error: Exception) -> Response:
    log.error("request_failed", path=request.url.path, exc_info=error)
    expected = "This should not happen; the service goes on"
    do = "Look at the service's log, and report it"
    return answer_error(Problem("SERV-09", f"{type(error).__name__} inside the service", expected, do), 500)
