"""Fixtures that every test may use."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from .trained import DemoShop, make_shop


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """Return the folder of a real data set, or skip where PARETAIL_DATA does not hold it."""

    def folder(name: str) -> Path:
        path = Path(os.environ.get("PARETAIL_DATA", "")) / name
        if "PARETAIL_DATA" not in os.environ or not path.is_dir():
            pytest.skip(f"the data set {name!r} is not there: set PARETAIL_DATA to the folder that holds it")
        return path

    return folder


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> DemoShop:
    """Return a small simulated shop with a bundle; copy the bundle before harming it."""
    return make_shop(tmp_path_factory.mktemp("demo"))
