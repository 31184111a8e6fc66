"""`paretail serve`: the answer over HTTP."""

import os
import sys
from pathlib import Path

from paretail.core.errors import Problem, UsageError


def serve(*, bundle: Path | None = None, config: Path | None = None, port: int | None = None) -> None:
    """Serve a bundle on 127.0.0.1 until Ctrl-C.

    Parameters
    ----------
    bundle
        The trained bundle.
    config
        A shop.toml whose `[serve]` names the bundle and port, instead of --bundle.
    port
        The port; default 8000.
    """
    from paretail.pipeline.config import ServeConfig, load_config
    from paretail.serve.run import run

    settings = ServeConfig() if config is None else load_config(config).serve
    if bundle is None and config is not None and settings.bundle is not None:
        bundle = config.parent / settings.bundle
    if bundle is None:
        expected = "--bundle BUNDLE, or --config shop.toml with [serve] bundle"
        raise UsageError(Problem("CLI-07", "no bundle to serve", expected, "Name one"))
    run(bundle, settings.port if port is None else port)
    # Threads of the HTTP server may still run Python while the interpreter is taken down, which then aborts: one to
    # four of eight stops did (github.com/emmett-framework/granian/issues/693). Nothing is left to be done: leave.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
