"""Every failure leaves the service as one JSON shape: `{"error": {code, found, expected, do}, "request_id"}`."""

from collections.abc import Sequence
from typing import cast

import structlog

from paretail.core.errors import ParetailError, Problem
from paretail.pipeline.live.bodies import ErrorAnswer, ErrorDetail

Headers = Sequence[tuple[str, str]]

#: The HTTP status of a problem by its code; see `status_of` for all others.
STATUS = {
    "SERV-01": 400, "SERV-02": 404, "SERV-03": 404, "SERV-06": 413, "SERV-07": 405, "SERV-09": 500, "SERV-10": 400,
    "SERV-12": 408, "SERV-13": 503, "SERV-14": 503, "SERV-15": 415, "KEYS-02": 401, "KEYS-03": 403, "KEYS-04": 429,
    "KEYS-07": 403, "LIVE-02": 404, "LIVE-04": 404, "STOR-06": 422, "STOR-08": 422,
}  # fmt: skip

log = structlog.get_logger()


class RefusedError(ParetailError):
    """A request that is refused before it reaches the shop, with headers that its answer needs."""

    def __init__(self, problem: Problem, headers: Headers = (), status: int | None = None) -> None:
        super().__init__(problem)
        self.headers, self.status = headers, status or status_of(problem)


def status_of(problem: Problem) -> int:
    """Return the HTTP status with which a problem is answered."""
    return STATUS.get(problem.code) or (503 if problem.code.startswith("STOR-") else 422)


def telling(error: Exception, request_id: str, endpoint: str) -> tuple[int, ErrorAnswer, Headers]:
    """Return status, body and headers for an error; what is no fault of the asker is logged, a fault of ours whole."""
    status, problem, headers = 500, _fault(error), cast(Headers, [])
    if isinstance(error, ParetailError):
        problem, headers = error.problems[0], getattr(error, "headers", [])
        status = getattr(error, "status", None) or status_of(problem)
    if status == 503:
        log.warning("request_not_answered", endpoint=endpoint, request_id=request_id, problem=str(problem))
        problem, headers = _outside(problem), headers or [("retry-after", "1")]
    elif status >= 500:
        log.error("request_failed", endpoint=endpoint, request_id=request_id, exc_info=error)
    detail = ErrorDetail(problem.code, problem.found, problem.expected, problem.do)
    return status, ErrorAnswer(detail, request_id), headers


def _outside(problem: Problem) -> Problem:
    """Return what others may know of a problem of the store: not where it is."""
    if not problem.code.startswith("STOR-"):
        return problem
    return Problem(
        problem.code, "the store cannot be used", "A store that can", "Look at the service's log, and repeat"
    )


def _fault(error: Exception) -> Problem:
    expected = "This should not happen; the service goes on"
    do = "Look at the service's log, and report it"
    return Problem("SERV-09", f"{type(error).__name__} inside the service", expected, do)


def no_such_path(path: str) -> RefusedError:
    """Return the refusal of a path that is not in the table."""
    expected = "A path that the page /docs lists"
    return RefusedError(Problem("SERV-02", f"{path[:200]}: no such path", expected, "Correct the path"))


def no_such_method(method: str, path: str, allowed: Sequence[str]) -> RefusedError:
    """Return the refusal of a method that a path does not have."""
    found = f"{method[:20]} {path}: not with this method"
    return RefusedError(
        Problem("SERV-07", found, f"Expected {' or '.join(allowed)}", "Correct the method"),
        [("allow", ", ".join(allowed))],
    )
