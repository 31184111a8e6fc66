"""A server that stands before the service, or alone, and does to each request what a test tells it, over real HTTP."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Act:
    """What becomes of one request; the order of the fields is that in which things happen."""

    wait: float = 0.0
    forward: bool = False  # ask the service
    lose: bool = False  # close the connection without an answer
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"status": "live"}'


LIVE, FORWARD = Act(), Act(forward=True)
LOST_BEFORE, LOST_AFTER = Act(lose=True), Act(forward=True, lose=True)


def refusal(status: int, code: str = "SERV-14", **headers: str) -> Act:
    """Return an error of the service's one shape."""
    told = {"error": {"code": code, "found": "f", "expected": "e", "do": "d"}, "request_id": "r1"}
    return Act(status=status, headers=headers, body=json.dumps(told).encode())


@dataclass
class Between:
    """The server: what it will do, one act a request and then `last` for ever, and what it was asked."""

    port: int
    acts: list[Act]
    last: Act
    upstream: str = ""
    asked: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def bodies(self) -> list[Any]:
        return [body for *_, body in self.asked]


@contextmanager
def between(*acts: Act, last: Act = LIVE, upstream: str = "") -> Iterator[Between]:
    """Yield a running server."""
    server = _Server(("127.0.0.1", 0), _Handler)
    state = Between(server.server_address[1], list(acts), last, upstream)
    server.state = state  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing where a client left, as tests want it to."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        state: Between = self.server.state  # type: ignore[attr-defined]
        sent = self.rfile.read(int(self.headers.get("content-length", 0)))
        state.asked.append((self.command, self.path, dict(self.headers), json.loads(sent) if sent else None))
        act = state.acts.pop(0) if state.acts else state.last
        time.sleep(act.wait)
        status, headers, body = act.status, act.headers, act.body
        if act.forward:
            status, headers, body = _forwarded(state.upstream, self.command, self.path, sent)
        if act.lose:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in (headers | {"content-length": str(len(body))}).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  (the library's names)

    def log_message(self, *_: object) -> None:
        pass


def _forwarded(upstream: str, method: str, path: str, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    link = http.client.HTTPConnection(urlsplit(upstream).netloc, timeout=30)
    try:
        link.request(method, path, sent)
        reply = link.getresponse()
        return reply.status, {"content-type": reply.getheader("content-type", "")}, reply.read()
    finally:
        link.close()
