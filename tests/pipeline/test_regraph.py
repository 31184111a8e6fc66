"""The graph that a bundle gives back is the one that it was trained on: nodes, edges, tables, what people are."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from paretail.graph.shopgraph import ShopGraph
from paretail.pipeline.config import ShopConfig, load_config
from paretail.pipeline.evaluate import _baseline
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.regraph import graph_in
from paretail.pipeline.train import graph_of, train
from paretail.retrieve.models import model

from ..trained import DemoShop


def same(kept: ShopGraph, trained: ShopGraph) -> None:
    assert {name: ids.ids.to_list() for name, ids in kept.nodes.items()} == {
        name: ids.ids.to_list() for name, ids in trained.nodes.items()
    }
    assert set(kept.edges) == set(trained.edges)
    for relation, edges in trained.edges.items():
        assert np.array_equal(kept.edges[relation].matrix().toarray(), edges.matrix().toarray()), relation
    assert all(kept.tables[name].equals(table) for name, table in trained.tables.items())
    assert set(kept.history.about) == set(trained.history.about)
    assert np.array_equal(kept.history.item_idx, trained.history.item_idx)


def test_of_a_shop_with_catalogue_and_traits(shop: DemoShop) -> None:
    kept = graph_in(Recommender.load(shop.bundle))
    assert {("item", "of", "brand"), ("item", "in", "category"), ("category", "within", "category")} <= set(kept.edges)
    same(kept, graph_of(load_config(shop.config), shop.folder)[0])


@pytest.mark.parametrize("lists", ["item", "user"])
def test_of_a_shop_with_friends(tmp_path: Path, lists: str) -> None:
    rng = np.random.default_rng(0)
    pl.DataFrame({"user_id": [f"u{n % 20}" for n in range(200)], "item_id": [f"i{n}" for n in rng.integers(0, 30, 200)],
                  "event": "listen"}).write_csv(tmp_path / "events.csv")  # fmt: skip
    pl.DataFrame({"user_id": [f"u{n}" for n in range(20)], "friend_id": [f"u{(n + 3) % 20}" for n in range(20)]}
                 ).write_csv(tmp_path / "links.csv")  # fmt: skip
    config = ShopConfig.parse({
        "data": {"events": [{"path": "events.csv"}], "links": [{"path": "links.csv"}],
                 "kinds": {"listen": {"weight": 1.0}}},
        "goal": {"lists": lists}, "model": {"name": "popular"},
    })  # fmt: skip
    train(config, tmp_path, tmp_path / "bundle")
    same(graph_in(Recommender.load(tmp_path / "bundle")), graph_of(config, tmp_path)[0])


def test_baselines_know_the_catalogue(shop: DemoShop) -> None:
    recommender = Recommender.load(shop.bundle)
    trained, _ = graph_of(load_config(shop.config), shop.folder)
    model_type = model("content")
    expected = model_type.fit(trained, model_type.config_type(), int(recommender.manifest.facts["seed"]))
    found = _baseline("content", recommender).model
    some = recommender.history.of_users(np.arange(10))
    assert np.array_equal(found.score(some), expected.score(some))
