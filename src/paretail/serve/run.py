"""Run the service under granian, in this process, until it is told to stop."""

import asyncio
import ipaddress
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import structlog
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from paretail.core.errors import Problem, UsageError
from paretail.data.stores.embedded import EmbeddedStore
from paretail.pipeline.bundle import current
from paretail.pipeline.config import ServeConfig
from paretail.pipeline.experiments.config import ExperimentConfig
from paretail.pipeline.live.shop import LiveShop
from paretail.serve.app import create_app
from paretail.serve.batching import Batcher
from paretail.serve.gate import Gate
from paretail.serve.handle import Works
from paretail.serve.keys import KeyRing
from paretail.serve.metrics import Metrics
from paretail.serve.process import prepare, settle
from paretail.serve.threads import Threads

#: Connections at a time; more wait to be accepted. A connection that asks nothing holds a place too.
CONNECTIONS = 4096
#: A larger head of a request is refused by the server below.
HEAD_BYTES = 1 << 16
#: An idle connection is closed after this long: later than nginx, which keeps one for 60 s, so that no request is sent
#: on a connection that is just being closed.
IDLE_MS = 75_000
#: Python lets a thread run this long while another waits. With its 5 ms, answers wait for those being scored: 16
#: connections on 41,000 items got 5,700 answers in 8 s, and 7,700 with this; less made no difference.
SWITCH_SECONDS = 0.001


def run(bundle: Path, folder: Path, config: ServeConfig, experiments: Sequence[ExperimentConfig] = ()) -> None:
    """Serve `bundle` with the store in `folder` until SIGINT or SIGTERM, under the experiments of a shop.

    Raises BundleError, DataError or UsageError where it cannot, before it listens.
    """
    address = _address(config.host)
    _refuse_taken(address, config.port)
    current(bundle)  # before a store is made beside what is no bundle
    log_as_json()
    with closing(EmbeddedStore.open(folder)) as store:
        elsewhere = not ipaddress.ip_address(address).is_loopback
        known = store.keys()
        if elsewhere and all(key.revoked_ms is not None for key in known):
            raise _no_key(config.host, folder)
        prepare()
        opened = LiveShop.open(bundle, store, config, experiments)
        with closing(KeyRing(store.keys, elsewhere)) as keys, closing(opened) as shop:
            told = "an API key is needed" if keys.needed else "no API key is needed"
            where = f"http://{f'[{address}]' if ':' in address else address}:{config.port}"
            print(f"paretail serves {bundle} with the store {folder} on {where} (its pages: /docs), {told}. "
                  "Ctrl-C stops it.", flush=True)  # fmt: skip
            settle()
            with asyncio.Runner(loop_factory=_new_loop) as runner:
                runner.run(_serve(shop, keys, address, config))


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


async def _serve(shop: LiveShop, keys: KeyRing, address: str, config: ServeConfig) -> None:
    async with working(shop, keys, config) as works:
        server = Server(
            create_app(works), address=address, port=config.port, interface=Interfaces.ASGINL, log_enabled=False,
            http=HTTPModes.http1, websockets=False, backlog=1024, backpressure=CONNECTIONS,
            http1_settings=HTTP1Settings(header_read_timeout=IDLE_MS, max_buffer_size=HEAD_BYTES),
        )  # fmt: skip
        loop = asyncio.get_running_loop()
        serving = asyncio.ensure_future(server.serve())

        def stop() -> None:
            """Accept nothing more, and answer what is in flight; who does not take their answer is left in the end."""
            server.stop()  # type: ignore[no-untyped-call]
            loop.call_later(2 * config.timeout_seconds + 1, serving.cancel)

        for told in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(told, stop)
        with suppress(asyncio.CancelledError):
            await serving


def _new_loop() -> asyncio.AbstractEventLoop:
    """Return uvloop's loop where this system has it: Python's own takes a third more time a request."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return asyncio.new_event_loop()
    return new_event_loop()


@asynccontextmanager
async def working(shop: LiveShop, keys: KeyRing, config: ServeConfig) -> AsyncIterator[Works]:
    """Yield what answers requests; what is begun is finished at the end."""
    metrics = Metrics(shop)
    batcher = Batcher(shop.recommend_many, metrics.batch)
    threads, reports, solving = Threads(), Threads(threads=1), Threads(threads=1, waiting=8)
    try:
        yield Works(shop, batcher, threads, reports, solving, Gate(keys, config.rate), metrics, config.timeout_seconds)
    finally:
        batcher.close()
        threads.close()
        reports.close()
        solving.close()


def _address(host: str) -> str:
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        found, do = f"address {host!r} cannot be used ({error.strerror})", "Choose another with --host"
        raise UsageError(Problem("SERV-05", found, "An address of this machine", do)) from None


def _no_key(host: str, folder: Path) -> UsageError:
    expected = "An API key, because others can reach that address"
    do = f"Create one with: paretail keys create --store {folder} --name NAME --scope recommend,events"
    return UsageError(Problem("KEYS-01", f"--host {host}, and the store has no key", expected, do))


def _refuse_taken(address: str, port: int) -> None:
    if not 1 <= port <= 65535:
        raise UsageError(Problem("SERV-05", f"port {port}", "A port from 1 to 65535", "Choose another with --port"))
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            found = f"{address} port {port} cannot be used ({error.strerror})"
            do = "Choose another with --port or --host"
            raise UsageError(Problem("SERV-05", found, "A free port of this machine", do)) from None
