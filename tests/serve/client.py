"""Start the service on a free port, and ask it."""

import http.client
import json
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..trained import start

#: The first start on a machine compiles, for 100 CPU seconds.
PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class Reply:
    """An answer: status, decoded body, headers."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def kind(self) -> str:
        return self.headers.get("content-type", "")

    @property
    def items(self) -> list[str]:
        return [item["item_id"] for item in self.body["items"]]

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])


@dataclass(frozen=True)
class Service:
    """A running service."""

    port: int
    process: "subprocess.Popen[str]"
    store: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, path: str, body: object = None, method: str | None = None, raw: bytes | None = None,
        headers: Mapping[str, str] | None = None, key: str | None = None,
    ) -> Reply:  # fmt: skip
        """Send JSON (`body`), or bytes as they are (`raw`), and return the answer."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        sent = raw if raw is not None else None if body is None else json.dumps(body).encode()
        given = dict(headers or {}) | ({} if key is None else {"Authorization": f"Bearer {key}"})
        try:
            link.request(method or ("GET" if sent is None else "POST"), path, sent, given)
            reply = link.getresponse()
            told = {name.lower(): value for name, value in reply.getheaders()}
            text = reply.read()
            decoded = json.loads(text) if text and "json" in told.get("content-type", "") else text.decode()
            return Reply(reply.status, decoded, told)
        finally:
            link.close()

    def recommend(self, **question: object) -> Reply:
        return self.ask("/v1/recommend", question)

    def send(self, raw: bytes, seconds: float = 10.0) -> bytes:
        """Send bytes as they are and return all that comes back until the other side closes, or nothing more comes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as link:
            link.sendall(raw)
            return received(link)


def received(link: socket.socket) -> bytes:
    """Return what comes until the other side closes, or for as long as the link's time-out."""
    parts = []
    try:
        while part := link.recv(65536):
            parts.append(part)
    except TimeoutError:
        pass
    return b"".join(parts)


@contextmanager
def serving(bundle: Path, store: Path, *arguments: object) -> Iterator[Service]:
    """Yield a ready service; it is ended, and its streams closed, whatever happens."""
    port = free_port()
    process = start("serve", "--bundle", bundle, "--store", store, "--port", port, *arguments)
    service = Service(port, process, store)
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
