"""Fixtures that every test may use."""

import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from .trained import DemoShop, make_shop

#: Packages whose tensors' shapes are checked at run time in tests; without the extra `learn` they cannot be imported.
SHAPED = ["paretail.learn", "paretail.retrieve.batches", "paretail.retrieve.losses", "paretail.retrieve.net"]
if find_spec("jaxtyping"):
    import jaxtyping

    from . import shapes

    sys.modules["shapes"] = shapes  # the hook wants a name that can be imported
    jaxtyping.install_import_hook(SHAPED, "shapes.checked")


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
