"""Run the service under granian, in this process, on this machine's own address only."""

import asyncio
import signal
import socket
import sys
from pathlib import Path

import polars as pl
import structlog
from fastapi import FastAPI
from granian.constants import Interfaces
from granian.server.embed import Server

from paretail.core.errors import Problem, UsageError
from paretail.pipeline.recommender import Recommender
from paretail.serve.app import create_app

ADDRESS = "127.0.0.1"


def run(bundle: Path, port: int) -> None:
    """Serve `bundle` until SIGINT or SIGTERM; raises BundleError or UsageError where it cannot, before it listens."""
    _refuse_taken(port)
    log_as_json()
    recommender = Recommender.load(bundle)
    recommender.recommend(recommender.history_of(pl.Series("user_id", ["nobody"])))  # compiled before the first answer
    app = create_app(recommender)
    print(f"paretail serves {bundle} on http://{ADDRESS}:{port} (its pages: /docs). Ctrl-C stops it.", flush=True)
    asyncio.run(_serve(app, port))


def log_as_json() -> None:
    """Log one JSON object a line to standard error, a fault with its traceback and without the values of variables."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


async def _serve(app: FastAPI, port: int) -> None:
    server = Server(app, address=ADDRESS, port=port, interface=Interfaces.ASGI, log_enabled=False)
    loop = asyncio.get_running_loop()
    for stop in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(stop, server.stop)
    await server.serve()


def _refuse_taken(port: int) -> None:
    if not 1 <= port <= 65535:
        raise UsageError(Problem("SERV-05", f"port {port}", "A port from 1 to 65535", "Choose another with --port"))
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            found = f"port {port} cannot be used ({error.strerror})"
            raise UsageError(Problem("SERV-05", found, "A free port", "Choose another with --port")) from None
