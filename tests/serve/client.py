"""Start the service on a free port, and ask it."""

import http.client
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..trained import start

PATIENCE_SECONDS = 90


@dataclass(frozen=True)
class Reply:
    """An answer: status, decoded body, content type."""

    status: int
    body: Any
    kind: str

    @property
    def items(self) -> list[str]:
        return [item["item_id"] for item in self.body["items"]]


@dataclass(frozen=True)
class Service:
    """A running service."""

    port: int
    process: "subprocess.Popen[str]"

    def ask(self, path: str, body: object = None, method: str | None = None, raw: bytes | None = None) -> Reply:
        """Send JSON (`body`), or bytes as they are (`raw`), and return the answer."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        sent = raw if raw is not None else None if body is None else json.dumps(body).encode()
        try:
            link.request(method or ("GET" if sent is None else "POST"), path, sent)
            reply = link.getresponse()
            kind, text = reply.getheader("content-type", ""), reply.read()
            return Reply(reply.status, json.loads(text) if "json" in kind else text.decode(), kind)
        finally:
            link.close()

    def recommend(self, **question: object) -> Reply:
        return self.ask("/v1/recommend", question)


@contextmanager
def serving(*arguments: object) -> Iterator[Service]:
    """Yield a ready service; it is ended, and its streams closed, whatever happens."""
    port = free_port()
    process = start("serve", *arguments, "--port", port)
    service = Service(port, process)
    try:
        until_ready(service)
        yield service
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_SECONDS)


def until_ready(service: Service) -> None:
    """Wait until the service answers; fail with what it printed where it does not."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if service.ask("/health/ready").status == 200:
                return
        except OSError:
            assert service.process.poll() is None, service.process.communicate()
            assert time.monotonic() < deadline, "the service did not get ready"
            time.sleep(0.05)


def free_port() -> int:
    """Return a port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
