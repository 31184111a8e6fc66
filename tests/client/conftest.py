"""A service of its own that anything may be written to, and one way to ask both clients."""

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from paretail.client import AsyncClient, Client

from ..serve.client import Service, serving
from ..trained import DemoShop

#: Calls a method of a fresh client: `ask(address, "recommend", k=3)`; what stands after `|` is the client's own.
Ask = Callable[..., Any]


@pytest.fixture(scope="session")
def service(shop: DemoShop, sides: list[object], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return a service without keys to which the tests of the clients write; each test has users of its own."""
    with serving(shop.bundle, tmp_path_factory.mktemp("client") / "store", *sides) as running:
        yield running


@pytest.fixture(params=["waiting", "awaited"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Return a function that calls one method of one client, of either kind."""

    def waiting(address: str, method: str, *args: Any, options: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        with Client(address, **options or {}) as client:
            return getattr(client, method)(*args, **kwargs)

    def awaited(address: str, method: str, *args: Any, options: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        async def run() -> Any:
            async with AsyncClient(address, **options or {}) as client:
                return await getattr(client, method)(*args, **kwargs)

        return asyncio.run(run())

    return waiting if request.param == "waiting" else awaited


@pytest.fixture
def stored(service: Service) -> Callable[[], int]:
    """Return a function that tells how many events the service has stored since the test began."""

    def count() -> int:
        told = re.findall(r"^paretail_store_events_\w+ (\S+)$", service.ask("/metrics").body, flags=re.MULTILINE)
        assert len(told) == 2  # live and history
        return round(sum(map(float, told)))

    before = count()
    return lambda: count() - before
