"""A network that is to know items by their attributes or content alone says so where the catalogue has neither."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from paretail.core.errors import ConfigError
from paretail.data.types import Catalogue, Links
from paretail.graph.shopgraph import ShopGraph
from paretail.graph.targets import turned
from paretail.retrieve.models import model
from paretail.sim.planted import planted

LINKS = Links(pl.DataFrame({"user_id": [f"u{n}" for n in range(29)], "friend_id": [f"u{n + 1}" for n in range(29)]}))


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


def test_people_who_had_things_are_folded_in_as_in_training() -> None:
    """Where lists hold people, what they had is one more relation, which has another verb than their traits."""
    shop = replace(planted(30, 20, 5, held=1).shop, links=LINKS)
    people = turned(shop, "user").graph()
    hetero: Any = model("hetero")
    config = hetero.config_type.parse({"dim": 8, "epochs": 1, "negatives": 8, "weights": {"friend": 1.0}})
    fitted = hetero.fit(people, config, 0)
    scores = fitted.score(people.history)
    assert scores.shape == (people.users, people.items)
    nothing = {name: edges * 0 for name, edges in people.history.about.items()}
    assert "product" in nothing, "what people had is told of them"
    assert not np.allclose(fitted.score(replace(people.history, about=nothing)), scores), "and is heard"
