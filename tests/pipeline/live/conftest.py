"""A live shop on the small trained bundle, with a store of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from paretail.data.stores.embedded import EmbeddedStore
from paretail.pipeline.config import ServeConfig
from paretail.pipeline.live.shop import LiveShop

from ...trained import DemoShop

Open = Callable[..., LiveShop]


@pytest.fixture
def open_shop(shop: DemoShop, tmp_path: Path) -> Iterator[Open]:
    """Return what opens a live shop, again and again on the same store; all are closed in the end."""
    opened: list[LiveShop] = []

    def close() -> None:
        while opened:
            live = opened.pop()
            live.close()
            live.store.close()

    def open_(bundle: Path = shop.bundle, store: Path = tmp_path / "store", **settings: object) -> LiveShop:
        close()
        live = LiveShop.open(bundle, EmbeddedStore.open(store), ServeConfig.parse(settings))
        opened.append(live)
        return live

    yield open_
    close()


@pytest.fixture
def live(open_shop: Open) -> LiveShop:
    return open_shop()
