"""What a client raises: the service's own errors as it tells them, and what kept an answer from coming."""

from collections.abc import Mapping
from typing import Self

import httpx
import msgspec

from paretail.core.errors import ParetailError, Problem
from paretail.pipeline.live.bodies import ErrorAnswer, ErrorDetail


class ServiceError(ParetailError):
    """The service, or what stands before it, answered with an error; `detail.code` has a section in docs/errors.md."""

    def __init__(self, status: int, detail: ErrorDetail, request_id: str | None) -> None:
        super().__init__(problem(detail))
        self.status, self.detail, self.request_id = status, detail, request_id

    def __reduce__(self) -> tuple[type[Self], tuple[int, ErrorDetail, str | None]]:
        return type(self), (self.status, self.detail, self.request_id)

    def __str__(self) -> str:
        return f"{super().__str__()} [HTTP {self.status}, request {self.request_id or 'unknown'}]"


class NoAnswerError(ParetailError):
    """No answer came, however often it was asked for; the work may have been done all the same (CLNT-01)."""


class QueueFullError(ParetailError):
    """An event was not taken in: the queue has no room, or is closed (CLNT-04)."""


class NotKeptError(ParetailError):
    """Events that a queue took in were not kept by the service, and nobody asked for them back (CLNT-05)."""


def problem(detail: ErrorDetail) -> Problem:
    """Return what the service tells as a problem."""
    return Problem(detail.code, detail.found, detail.expected, detail.do)


def failure(status: int, headers: Mapping[str, str], content: bytes) -> ServiceError:
    """Return the error that an answer tells."""
    try:
        told = msgspec.json.decode(content, type=ErrorAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return foreign(status, headers, content)
    return ServiceError(status, told.error, told.request_id)


def foreign(status: int, headers: Mapping[str, str], content: bytes) -> ServiceError:
    """Return the error for an answer that is none of the service's: it comes from elsewhere (CLNT-02)."""
    text = " ".join(content[:200].decode("utf-8", "replace").split())
    found = f"status {status} with {headers.get('content-type', 'no content type')}: {text[:100]!r}"
    detail = ErrorDetail("CLNT-02", found, "An answer of the service", "Check the address, and what stands before it")
    return ServiceError(status, detail, headers.get("x-request-id"))


def no_answer(error: httpx.RequestError, attempts: int) -> NoAnswerError:
    """Return the error for a request of which each attempt failed."""
    url = error.request.url
    times = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    found = f"no answer from {url.scheme}://{url.netloc.decode()} after {times}: {type(error).__name__}: {error}"
    expected = "A service that listens there and answers in time"
    return NoAnswerError(Problem("CLNT-01", found, expected, "Start it, or correct the address or the timeout"))


def not_sent(error: Exception) -> NoAnswerError:
    """Return the error for a request that could not even be made."""
    found = f"nothing was sent: {type(error).__name__}: {error}"
    return NoAnswerError(Problem("CLNT-01", found, "A client that is open", "Close the queue before its client"))
