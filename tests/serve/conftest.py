"""The service as a process of its own, asked over real HTTP; and the shop in this process, for what HTTP cannot do."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from paretail.data.stores.embedded import EmbeddedStore
from paretail.pipeline.config import ServeConfig
from paretail.pipeline.live.shop import LiveShop

from ..trained import DemoShop, paretail
from .client import Service, serving


@pytest.fixture(scope="session")
def service(shop: DemoShop, sides: list[object], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return a service without keys that answers from the small shop's bundles; nobody writes to its store."""
    with serving(shop.bundle, tmp_path_factory.mktemp("read") / "store", *sides) as running:
        yield running


@pytest.fixture(scope="session")
def written(shop: DemoShop, sides: list[object], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return a service without keys to whose store anything may be written."""
    with serving(shop.bundle, tmp_path_factory.mktemp("written") / "store", *sides) as running:
        yield running


@pytest.fixture(scope="session")
def guarded(shop: DemoShop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, dict[str, str]]]:
    """Return a service that needs keys, and one key for each scope."""
    store = tmp_path_factory.mktemp("guarded") / "store"
    keys = {scope: create_key(store, scope) for scope in ("events", "recommend", "read", "admin")}
    with serving(shop.bundle, store) as running:
        yield running, keys


@pytest.fixture(scope="session")
def live(shop: DemoShop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveShop]:
    """Return the small shop's live shop in this process."""
    with (
        closing(EmbeddedStore.open(tmp_path_factory.mktemp("live") / "store")) as store,
        LiveShop.open(shop.bundle, store, ServeConfig()) as opened,
    ):
        yield opened


def create_key(store: object, scope: str, *more: object) -> str:
    """Create a key by the command line and return it."""
    done = paretail("keys", "create", "--store", store, "--name", f"of {scope}", "--scope", scope, *more)
    assert done.code == 0, done.err
    return done.out.strip()
