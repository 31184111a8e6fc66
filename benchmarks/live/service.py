"""A service in a process of its own, and what the parts of this benchmark ask of it."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up

PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Service:
    """A running service."""

    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def link(self) -> http.client.HTTPConnection:
        """Return a connection that stays open."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)

    def ask(self, path: str, body: object = None, method: str | None = None) -> Any:
        """Send one request on a connection of its own, and return the decoded body; raises where it is no 200."""
        link = self.link()
        try:
            return ask(link, path, body, method)
        finally:
            link.close()

    def resident_mib(self) -> float:
        """Return the memory that the process holds now."""
        return harness._resident(self.process.pid) / harness.MIB

    def kill(self) -> None:
        """End it as a power cut would, as far as a process can tell."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def ask(link: http.client.HTTPConnection, path: str, body: object = None, method: str | None = None) -> Any:
    """Send one request on an open connection."""
    sent = None if body is None else json.dumps(body).encode()
    link.request(method or ("GET" if sent is None else "POST"), path, sent)
    reply = link.getresponse()
    text = reply.read()
    if reply.status != 200:
        raise RuntimeError(f"{path}: {reply.status} {text[:500]!r}")
    return json.loads(text) if "json" in reply.getheader("content-type", "") else text.decode()


@contextmanager
def serving(bundle: Path, store: Path, *more: str, patience: float = PATIENCE_SECONDS) -> Iterator[Service]:
    """Yield a ready service, and end it."""
    service = start(bundle, store, *more, patience=patience)
    try:
        yield service
    finally:
        if service.process.poll() is None:
            service.process.terminate()
            try:
                service.process.wait(30)
            except subprocess.TimeoutExpired:
                service.kill()


def start(bundle: Path, store: Path, *more: str, patience: float = PATIENCE_SECONDS) -> Service:
    """Start a service and wait until it is ready."""
    port = free_port()
    command = [harness.PARETAIL, "serve", "--bundle", str(bundle), "--store", str(store), "--port", str(port), *more]
    log = (store.parent / f"{store.name}.log").open("ab")
    service = Service(port, subprocess.Popen(command, stdout=log, stderr=log))
    give_up = time.monotonic() + patience
    while time.monotonic() < give_up and service.process.poll() is None:
        try:
            service.ask("/health/ready")
        except (OSError, RuntimeError, http.client.HTTPException):
            time.sleep(0.05)
        else:
            return service
    service.kill()
    sys.exit(f"the service did not get ready; see {store.parent / f'{store.name}.log'}")


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wrk(service: Service, script: str, connections: int, seconds: int, path: str, *arguments: str,
        pause_ms: int = 72) -> dict[str, Any]:  # fmt: skip
    """Run wrk with one of our scripts on one thread; return requests a second, percentiles in ms, and failures.

    `pause_ms` is how long connections wait between requests on average, where the script makes them wait.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(HERE / script),
               f"{service.address}{path}", "--", *arguments]  # fmt: skip
    environment = os.environ | {"LC_ALL": "C", "PAUSE_MS": str(pause_ms)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found = re.search(r"figures (.*)", done.stdout)
    if not found:
        sys.exit(f"wrk said nothing of use:\n{done.stdout}{done.stderr}")
    figures: dict[str, Any] = json.loads(found[1])
    return figures
