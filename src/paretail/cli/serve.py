"""`paretail serve`: the answer over HTTP."""

import os
import sys
from pathlib import Path

from paretail.core.errors import Problem, UsageError


def serve(
    *,
    bundle: Path | None = None,
    store: Path | None = None,
    categories: Path | None = None,
    friends: Path | None = None,
    config: Path | None = None,
    host: str | None = None,
    port: int | None = None,
) -> None:
    """Serve a bundle and a store until Ctrl-C, by default on 127.0.0.1.

    Parameters
    ----------
    bundle
        The trained bundle; a version that is published later is picked up.
    store
        The folder of live data, made where it is not there; by default beside the bundle, its name and `-store`.
    categories
        A bundle trained with `--target category` (or `brand`, or an attribute), for `POST /v1/categories`.
    friends
        A bundle trained with `--target user`, for `POST /v1/friends`.
    config
        A shop.toml whose `[serve]` tells all of this and the bounds; options given here count more.
    host
        The address to listen on; default 127.0.0.1. Any but this machine's own needs an API key.
    port
        The port; default 8000.
    """
    from paretail.pipeline.config import ServeConfig, load_config
    from paretail.serve.run import run

    shop = None if config is None else load_config(config)
    settings = ServeConfig() if shop is None else shop.serve
    if bundle is None and config is not None and settings.bundle is not None:
        bundle = config.parent / settings.bundle
    if bundle is None:
        expected = "--bundle BUNDLE, or --config shop.toml with [serve] bundle"
        raise UsageError(Problem("CLI-07", "no bundle to serve", expected, "Name one"))
    if store is None and config is not None and settings.store is not None:
        store = config.parent / settings.store
    sides = {"categories": (categories, settings.categories), "friends": (friends, settings.friends)}
    given: dict[str, object] = {"host": host, "port": port}
    given |= {name: str(_beside(config, told) if here is None else here)
              for name, (here, told) in sides.items() if here is not None or told is not None}  # fmt: skip
    settings = settings.model_copy(update={name: value for name, value in given.items() if value is not None})
    experiments = [one.beside(config.parent) for one in shop.experiments] if shop is not None and config else []
    run(bundle, store or beside(bundle), settings, experiments)
    # Threads of the HTTP server may still run Python while the interpreter is taken down, which then aborts: one to
    # four of eight stops did (github.com/emmett-framework/granian/issues/693). Nothing is left to be done: leave.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _beside(config: Path | None, told: str | None) -> Path:
    """Return the path that a file of settings tells, relative to it."""
    return (config.parent if config is not None else Path()) / (told or "")


def beside(bundle: Path) -> Path:
    """Return the folder of live data of a bundle for which none is named."""
    named = bundle if bundle.name not in ("", "..") else bundle.resolve()
    return named.with_name(f"{named.name}-store")
