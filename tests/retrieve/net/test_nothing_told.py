"""A network that is to know items by their attributes or content alone says so where the catalogue has neither."""

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from paretail.core.errors import ConfigError
from paretail.data.types import Catalogue
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.models import model
from paretail.sim.planted import planted


def graph(catalogue: pl.DataFrame) -> ShopGraph:
    shop = replace(planted(20, 20, 5, held=1).shop, catalogue=Catalogue(catalogue))
    return ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())


def fit(graph: ShopGraph, **settings: Any) -> None:
    model_type = model("hetero")
    model_type.fit(graph, model_type.config_type.parse({"start": "random", "epochs": 1, **settings}), 0)


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"ids": False}, "attributes = true"), ({"ids": False, "attributes": False, "content": True}, "content = true"),
     ({"ids": False, "content": True}, "attributes = true and content = true")],
)  # fmt: skip
def test_a_catalogue_of_ids_alone(settings: dict[str, Any], told: str) -> None:
    bare = graph(planted(20, 20, 5, held=1).shop.catalogue.frame.select("item_id"))
    with pytest.raises(ConfigError, match=rf"ids = false with {told}, and the cat.*set ids = true.*RETR-07"):
        fit(bare, **settings)
    fit(bare)


def test_categories_are_enough() -> None:
    fit(graph(planted(20, 20, 5, held=1).shop.catalogue.frame), ids=False)
