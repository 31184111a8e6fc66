"""A search from shop to bundle whose trainings take no time, also as a command that can be killed: `... FOLDER`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from paretail.graph.targets import turned
from paretail.pipeline import search as module
from paretail.pipeline.bundle import Draft, publish
from paretail.pipeline.config import ShopConfig, parse_config
from paretail.pipeline.search import Asked, search
from paretail.pipeline.search_report import Searched
from paretail.pipeline.train import Trained

from ..search.made_up import Lab
from ..search.test_trial import shop_of

TEXT = """
[data]
events = "events.csv"
[rank]
enabled = false
[search]
trials = 18
strategy = "evolution"
baselines = ["popular", "lightgcn"]
[search.space]
dim = [8, 64]
epochs = [4, 6, 8]
"""


def config(more: str = "") -> ShopConfig:
    return parse_config(f"{TEXT}{more}", "shop.toml")


@contextmanager
def made_up(lab: Lab) -> Iterator[Lab]:
    """Search a shop in memory, with trainings, the last one too, that take no time."""

    def published(searched: Searched, *others: Any) -> Trained:
        settings = dict(searched.picked.chosen.settings)
        facts = {"model": "graph", "settings": settings | {"epochs": 4 if settings["epochs"] != 4 else 6}}
        return Trained(publish(Draft({}, "", facts=facts), others[4]), None, facts)  # type: ignore[arg-type]

    @contextmanager
    def there(*_: Any) -> Iterator[Lab]:
        yield lab

    shop = shop_of(40)
    with patch.multiple(module, _lab=there, _published=published, what_matters=lambda *_: [],
                        target_of=lambda *_: turned(shop, "item")):  # fmt: skip
        yield lab


def called(folder: Path, shop: ShopConfig | None = None, **wish: Any) -> Searched:
    return search(shop or config(), folder, folder / "search", folder / "bundle", Asked(**wish))


if __name__ == "__main__":
    with made_up(Lab(pause=0.03)):
        called(Path(sys.argv[1]))
