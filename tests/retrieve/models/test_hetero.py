"""A relational network knows new items by the nodes that they hang on: categories and brands."""

from dataclasses import replace
from functools import cache
from time import process_time

import numpy as np
import pytest

pytest.importorskip("torch")

from paretail.data.types import Catalogue
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.models import model
from paretail.sim.planted import Planted, planted_labels

SETTINGS = {"batch_size": 1024, "lr": 0.01, "epochs": 14, "id_dropout": 0.5}


@cache
def world() -> Planted:
    return planted_labels()


def share(columns: list[str]) -> tuple[float, float]:
    """Return the share of the oracle with these columns of the catalogue, and the CPU seconds of the fit."""
    shop = replace(world().shop, catalogue=Catalogue(world().shop.catalogue.frame.select("item_id", *columns)))
    graph = ShopGraph.build(shop, world().shop.user_vocabulary(), world().shop.item_vocabulary())
    model_type, began = model("hetero"), process_time()
    told = SETTINGS if columns else SETTINGS | {"id_dropout": 0.0, "attributes": False, "epochs": 2}
    fitted = model_type.fit(graph, model_type.config_type.parse(told), 0)
    seconds = process_time() - began
    scores = np.where(np.isinf(world().oracle), -np.inf, fitted.score(graph.history))
    return world().oracle_share(scores), seconds


@pytest.mark.slow
def test_new_items_are_ranked_by_their_category_and_brand() -> None:
    reached, seconds = share(["category", "brand"])
    print(f"share {reached:.3f} in {seconds:.1f} CPU seconds")
    assert 0.90 <= reached <= 1.0


def test_without_them_nothing_tells_new_items_apart() -> None:
    assert share([])[0] <= 0.3
