"""Fixtures that every test may use."""

import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

from .trained import DemoShop, make_shop, paretail

#: Packages whose tensors' shapes are checked at run time in tests; without the extra `learn` they cannot be imported.
SHAPED = [
    "paretail.learn",
    "paretail.retrieve.batches",
    "paretail.retrieve.losses",
    "paretail.retrieve.net",
    "paretail.retrieve.sequences.learning",
    "paretail.rank.learned",
    "paretail.rank.sharing",
]
if find_spec("jaxtyping"):
    import jaxtyping

    from . import shapes

    sys.modules["shapes"] = shapes  # the hook wants a name that can be imported
    jaxtyping.install_import_hook(SHAPED, "shapes.checked")


settings.register_profile("suite", deadline=None)  # a machine may be busy with other work
settings.load_profile("suite")


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


@pytest.fixture(scope="session")
def sides(shop: DemoShop, tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """Return the options that serve a bundle of categories and one of people, whose links are made up."""
    folder = tmp_path_factory.mktemp("sides")
    users = shop.users
    links = [f"{user},{friend}" for user, friend in zip(users, users[3:] + users[:3], strict=True)]
    (folder / "links.csv").write_text("\n".join(["user_id,friend_id", *links]))
    config = shop.config_with(folder / "shop.toml")
    config.write_text(config.read_text().replace("[data]\n", f'[data]\nlinks = "{folder / "links.csv"}"\n', 1))
    for name, target in (("categories", "category"), ("friends", "user")):
        done = paretail("train", "--config", config, "--out", folder / name, "--target", target)
        assert done.code == 0, done.err
    return ["--categories", folder / "categories", "--friends", folder / "friends"]
