"""An open store of each kind."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from paretail.data.stores.base import Store
from paretail.data.stores.embedded import EmbeddedStore

from .made import STORES


@pytest.fixture(params=STORES)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Return what opens the same store once more; all are closed at the end."""
    stores: list[Store] = []

    def again() -> Store:
        stores.append(STORES[request.param](tmp_path / "store"))
        return stores[-1]

    yield again
    for store in stores:
        store.close()


@pytest.fixture
def store(opened: Callable[[], Store]) -> Store:
    return opened()


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore.open(tmp_path / "store")
    yield store
    store.close()
