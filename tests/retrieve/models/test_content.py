"""New items get vectors from content, new users from traits; many events make both fade."""

from dataclasses import replace

import numpy as np
import polars as pl

from paretail.core.ids import Vocabulary
from paretail.data.types import Catalogue, Events, History, Shop, Users
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.models.content import TRAITS_PULL, Content, ContentConfig, _effects
from paretail.sim.planted import Planted, planted

CONFIG = ContentConfig(dim=8, alpha=1.0)
NEW = 20


def told(world: Planted, noise: float = 0.3) -> Shop:
    """Return the world's shop without the events of its last items, which a vector column describes; with traits."""
    rng = np.random.default_rng(0)
    U, _, Vt = np.linalg.svd(world.oracle - world.oracle.mean(axis=0), full_matrices=False)
    taste = Vt[:4].T * np.sqrt(len(Vt))
    vectors = (taste + noise * rng.standard_normal(taste.shape)).astype(np.float32)
    items = world.shop.catalogue.frame.drop("category").with_columns(
        look=pl.Series(vectors, dtype=pl.Array(pl.Float32, 4))
    )
    segment = [f"s{int(n)}" for n in (U[:, 0] > 0) * 2 + (U[:, 1] > 0)]
    users = world.shop.users.frame.with_columns(segment=pl.Series(segment))
    new = items["item_id"].tail(NEW)
    events = world.shop.events.frame.filter(~pl.col("item_id").is_in(new.implode()))
    return Shop(Events(events, "clock"), Catalogue(items), Users(users))


def graph_of(shop: Shop, world: Planted) -> ShopGraph:
    ids = world.shop.catalogue.frame["item_id"]
    return ShopGraph.build(shop, shop.user_vocabulary(), Vocabulary(ids))


def correlation(scores: np.ndarray, oracle: np.ndarray) -> float:
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(scores, oracle, strict=True)]))


def test_new_items_are_ranked_by_their_content() -> None:
    world = planted(600, 200, 30, 1)
    shop = told(world)
    graph = graph_of(shop, world)
    new = np.arange(200 - NEW, 200)
    scores = Content.fit(graph, CONFIG, 0).score(graph.history)
    assert correlation(scores[:, new], world.oracle[:, new]) > 0.7
    bare = graph_of(replace(shop, catalogue=Catalogue(shop.catalogue.frame.select("item_id"))), world)
    nothing = Content.fit(bare, CONFIG, 0).score(bare.history)
    assert not nothing[:, new].any()
    old = np.arange(200 - NEW)
    assert correlation(scores[:, old], world.oracle[:, old]) > correlation(nothing[:, old], world.oracle[:, old]) - 0.01


def test_a_new_user_with_a_profile_only_gets_a_list_of_their_own() -> None:
    world = planted(600, 200, 30, 1)
    graph = graph_of(told(world), world)
    hidden = np.arange(600) >= 500  # these users' events are forgotten
    history = graph.history.where(~hidden[graph.history.user_idx])
    fitted = Content.fit(graph.with_history(history), CONFIG, 0)
    cold = history.of_users(np.flatnonzero(hidden))
    known, unknown = fitted.score(cold), fitted.score(replace(cold, about={}))
    assert np.ptp(unknown, axis=0).max() < 1e-6
    old = np.arange(200 - NEW)
    oracle = world.oracle[hidden][:, old]
    assert correlation(known[:, old], oracle) > correlation(unknown[:, old], oracle) + 0.1


def test_what_all_users_share_fades_with_events_and_items_keep_to_their_own() -> None:
    world = planted(300, 100, 20, 1)
    graph = graph_of(told(world), world)
    fitted = Content.fit(graph, CONFIG, 0)
    shared = fitted.shared(graph.history)
    for user in (0, 5):
        history = graph.history.of_users(np.array([user]))
        own = fitted.vectors(replace(history, about={}))[0]
        n = len(np.unique(history.item_idx))
        weight = CONFIG.user_shrinkage / (CONFIG.user_shrinkage + n)
        moved = fitted.vectors(history)[0] - own
        np.testing.assert_allclose(moved, weight * (shared[user] - fitted.mean), atol=1e-5)
    kept = Content.fit(graph, CONFIG.model_copy(update={"item_shrinkage": 0.0}), 0)
    freed = Content.fit(graph, CONFIG.model_copy(update={"item_shrinkage": 1e9}), 0)
    new = np.arange(100 - NEW, 100)
    np.testing.assert_allclose(kept.item_vectors[new], freed.item_vectors[new], atol=1e-4)
    assert not np.allclose(kept.item_vectors[:10], freed.item_vectors[:10], atol=1e-2)


def test_effects_are_those_of_ridge_regression() -> None:
    world = planted(60, 40, 10, 1)
    history: History = graph_of(told(world), world).history
    X = np.random.default_rng(0).standard_normal((60, 3)).astype(np.float32)
    T = history.about["segment"].toarray().astype(float)
    A = np.linalg.solve(T.T @ T + TRAITS_PULL * np.eye(T.shape[1]), T.T @ X)
    np.testing.assert_allclose(_effects(history, X)["segment"], A, atol=1e-5)
    assert _effects(replace(history, about={}), X) == {}
