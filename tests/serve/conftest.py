"""The service as a process of its own, asked over real HTTP."""

from collections.abc import Iterator

import pytest

from ..trained import DemoShop
from .client import Service, serving


@pytest.fixture(scope="session")
def service(shop: DemoShop) -> Iterator[Service]:
    """Return a service that answers from the small shop's bundle."""
    with serving("--bundle", shop.bundle) as running:
        yield running
