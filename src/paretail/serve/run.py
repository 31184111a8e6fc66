"""Run the service under granian, on this machine's own address only."""

import os
import socket
from pathlib import Path

from fastapi import FastAPI
from granian.constants import Interfaces
from granian.server import Server

from paretail.core.errors import Problem, UsageError
from paretail.pipeline.bundle import Bundle
from paretail.pipeline.recommender import Recommender
from paretail.serve.app import create_app

#: The worker process finds its bundle here.
BUNDLE = "PARETAIL_BUNDLE"
ADDRESS = "127.0.0.1"


def run(bundle: Path, port: int) -> None:
    """Serve `bundle` until interrupted; raises BundleError or UsageError before it listens, where it could not."""
    Bundle.load(bundle)
    _refuse_taken(port)
    os.environ[BUNDLE] = str(bundle)
    print(f"paretail serves {bundle} on http://{ADDRESS}:{port} (docs: /docs). Ctrl-C stops it.", flush=True)
    Server(
        "paretail.serve.run:application", address=ADDRESS, port=port, interface=Interfaces.ASGI, factory=True,
        log_access=False,
    ).serve()  # fmt: skip


def application() -> FastAPI:
    """Return the application of the bundle that the environment names; called in the worker process."""
    return create_app(Recommender.load(Path(os.environ[BUNDLE])))


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            found = f"port {port} cannot be used ({error.strerror})"
            raise UsageError(Problem("SERV-05", found, "A free port", "Choose another with --port")) from None
