"""Tasks that few logs tell of: favourites, and how long somebody stayed."""

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch")

from paretail.data.types import Predictions, Shop  # noqa: E402  # torch may be missing
from paretail.graph.shopgraph import ShopGraph  # noqa: E402
from paretail.rank.config import RankConfig  # noqa: E402
from paretail.rank.examples import Examples, learnable  # noqa: E402
from paretail.rank.learned.ranker import Ranker  # noqa: E402

from .world import World, world  # noqa: E402


@cache
def planted() -> World:
    """Whoever clicks on what they like stays for long, and makes it a favourite as often as they would buy it."""
    made, rng = world(users=60, items=40, requests=3_000), np.random.default_rng(5)
    frame = made.shop.events.frame
    clicks = frame.filter(pl.col("kind") == "click")
    user, item = (clicks[end].str.slice(1).cast(pl.Int64).to_numpy() for end in ("user_id", "item_id"))
    liked = made.p_purchase[user, item]
    seconds = np.where(rng.random(len(clicks)) < liked, 60.0, 5.0)
    known = rng.random(len(clicks)) < 0.8
    told = clicks.with_columns(dwell_ms=pl.when(pl.Series(known)).then(pl.Series((1000 * seconds).astype(np.int64))))
    saved = clicks.filter(pl.Series(rng.random(len(clicks)) < liked)).with_columns(
        kind=pl.lit("favourite"), ts_ms=pl.col("ts_ms") + 500, request_id=pl.lit(None, pl.String)
    )
    rest = frame.filter(pl.col("kind") != "click")
    events = replace(made.shop.events, frame=pl.concat([rest, told, saved]).sort("ts_ms"))
    return replace(made, shop=replace(made.shop, events=events))


def examples(shop: Shop, **settings: float) -> Examples:
    return Examples.of(shop.events, shop.user_vocabulary(), shop.item_vocabulary(), **settings)


def test_labels_are_those_of_the_events_that_followed() -> None:
    found, frame = examples(planted().shop), planted().shop.events.frame
    click, stay, saved = (found.labels[task] for task in ("click", "long_view", "favourite"))
    assert learnable(found)[0].tasks == ("click", "long_view", "favourite", "cart", "purchase", "value")
    assert np.isnan(saved[click == 0]).all()
    assert np.isnan(stay[click == 0]).all()
    assert np.nansum(saved) == frame.filter(pl.col("kind") == "favourite").height
    known = frame.filter(pl.col("dwell_ms").is_not_null())
    assert np.isfinite(stay).sum() == known.height
    assert np.nansum(stay) == known.filter(pl.col("dwell_ms") >= 30_000).height
    assert np.nansum(examples(planted().shop, long_view_seconds=90.0).labels["long_view"]) == 0


def test_a_favourite_without_a_click_counts_as_one() -> None:
    shop = planted().shop
    frame = shop.events.frame.filter(pl.col("kind").is_in(["impression", "favourite"]))
    found = examples(replace(shop, events=replace(shop.events, frame=frame)))
    np.testing.assert_array_equal(found.labels["click"] == 1, found.labels["favourite"] == 1)
    assert "long_view" not in found.labels


def test_stays_that_are_all_short_are_named() -> None:
    found = examples(planted().shop, long_view_seconds=90.0)
    _, told = learnable(found, planted().shop.events.frame)
    assert told == ("the task `long_view` is left out: 0 positive examples, 20 are needed",)


def test_they_are_predicted() -> None:
    shop = planted().shop
    graph = ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())
    ranker = Ranker.train(graph, shop.events, RankConfig(epochs=10, dim=6, own_dim=2))
    users, items = graph.users, graph.items
    user, item = np.repeat(np.arange(users, dtype=np.int32), items), np.tile(np.arange(items, dtype=np.int32), users)
    at = np.full(users * items, ranker.end_ms + 1)
    told = ranker.predict(graph.history, np.arange(users, dtype=np.int32), user, item, at)
    for task in ("long_view", "favourite"):
        found = told.given_click(task)
        assert np.corrcoef(found, planted().p_purchase.ravel())[0, 1] > 0.6
        assert found.mean() / planted().p_purchase.mean() == pytest.approx(1, abs=0.25)
    assert np.isnan(told.given_click("unheard of")).all()
    first, second = told.split([3, users * items - 3])
    np.testing.assert_array_equal(first.more["favourite"], told.more["favourite"][:3])
    assert isinstance(second, Predictions)
