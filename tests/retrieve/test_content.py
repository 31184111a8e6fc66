"""The map from content: errors left out equal those of leaving out, and useful blocks count."""

import numpy as np
import polars as pl
import pytest

from paretail.data.types import Catalogue, Shop, Users
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.content import STRENGTHS, SURE, _least, content_blocks, price_levels, read

from .shops import shop


def drawn(items: int = 120, seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return blocks of which two tell something of y and one nothing, y, and the number of events."""
    rng = np.random.default_rng(seed)
    blocks = {name: (rng.standard_normal((items, 4)) / 2).astype(np.float32) for name in ("a", "b", "noise")}
    y = blocks["a"] @ rng.standard_normal((4, 3)) + blocks["b"] @ rng.standard_normal((4, 3))
    return blocks, y + 0.1 * rng.standard_normal(y.shape), rng.integers(1, 200, items)


def test_the_error_left_out_is_that_of_fits_without_each_item() -> None:
    blocks, y, events = drawn(30)
    F, w = np.concatenate(list(blocks.values()), axis=1).astype(float), events / (events + SURE)
    by_hand = {}
    for strength in STRENGTHS:
        errors = []
        for item in range(30):
            rest = np.arange(30) != item
            FW = F[rest].T * w[rest]
            B = np.linalg.solve(FW @ F[rest] + strength * np.eye(F.shape[1]), FW @ y[rest])
            errors.append(w[item] * ((y[item] - F[item] @ B) ** 2).sum())
        by_hand[strength] = np.array(errors)
    errors, strength = _least(F.astype(np.float32), y, w)
    assert by_hand[strength].sum() == min(e.sum() for e in by_hand.values())
    np.testing.assert_allclose(errors, by_hand[strength], rtol=1e-3)


def test_predictions_are_those_of_weighted_ridge_regression() -> None:
    blocks, y, events = drawn()
    events[:20] = 0  # new items: predicted, and not learnt from
    y[:20] = 1e6
    how = read(blocks, y, events)
    assert how is not None
    w = how.weights.astype(float)
    F = how.features.astype(float)
    mu = w @ y / w.sum()
    B = np.linalg.solve((F.T * w) @ F + how.strength * np.eye(F.shape[1]), (F.T * w) @ (y - mu))
    assert np.abs(w @ F).max() < 1e-3
    np.testing.assert_allclose(how.predicted(y), mu + F @ B, rtol=1e-3, atol=1e-3)
    true = drawn()[1]
    error = ((how.predicted(y)[:20] - true[:20]) ** 2).sum() / ((true[:20] - mu) ** 2).sum()
    assert error < 0.2
    assert 0.8 < how.explained < 1


def test_a_block_that_tells_nothing_loses_weight_and_costs_nothing() -> None:
    blocks, y, events = drawn()
    with_noise, without = read(blocks, y, events), read({k: blocks[k] for k in ("a", "b")}, y, events)
    assert with_noise is not None
    assert without is not None
    assert with_noise.scales["noise"] < min(with_noise.scales["a"], with_noise.scales["b"])
    assert with_noise.explained > without.explained - 0.01


def test_nothing_is_read_from_noise_or_from_no_items() -> None:
    blocks, y, events = drawn()
    assert read({"noise": blocks["noise"]}, y, events) is None
    assert read({}, y, events) is None
    assert read(blocks, y, 0 * events) is None


def test_a_missing_block_of_an_item_leaves_it_to_the_others() -> None:
    blocks, y, events = drawn()
    blocks["a"][:5] = 0
    how = read(blocks, y, events)
    assert how is not None
    only_b = np.concatenate([np.zeros((5, 4)), blocks["b"][:5] * how.scales["b"]], axis=1)
    widths = [4 * (how.scales[name] > 0) for name in blocks]
    assert how.features.shape[1] == sum(widths)
    shift = how.features[:5, :8] - only_b
    np.testing.assert_allclose(shift, np.tile(shift[0], (5, 1)), atol=1e-6)


def test_blocks_of_a_shop() -> None:
    told = shop([("u", item, "purchase", 1) for item in "abcdef"])
    items = pl.DataFrame(
        {
            "item_id": list("abcdef"),
            "title": ["red cup", "blue cup", "red hat", None, "blue hat", "hat"],
            "category": [["x"], ["x"], ["y"], ["y"], None, ["y"]],
            "price_minor": [100, 400, 300, None, 0, 300],
        }
    )
    told = Shop(told.events, Catalogue(items), Users(pl.DataFrame({"user_id": ["u"]})))
    graph = ShopGraph.build(told, told.user_vocabulary(), told.item_vocabulary())
    blocks = content_blocks(graph)
    assert set(blocks) == {"title", "labels", "price"}
    assert np.flatnonzero(~blocks["price"].any(axis=1)).tolist() == [3, 4]
    assert np.flatnonzero(~blocks["labels"].any(axis=1)).tolist() == [4]
    logs = np.log([100, 400, 300, 300])
    ratio = np.log([100 / 200, 400 / 200, 1, 1])
    found = price_levels(graph.tables["item"])[[0, 1, 2, 5]]
    np.testing.assert_allclose(found[:, 0], logs - logs.mean(), rtol=1e-5)
    np.testing.assert_allclose(found[:, 1], ratio - ratio.mean(), atol=1e-5)
    assert content_blocks(ShopGraph(graph.nodes, graph.history, {})) == {}
    assert price_levels(pl.DataFrame({"item_id": ["a"]})).shape == (1, 0)


@pytest.mark.parametrize("seed", [1, 2])
def test_equal_inputs_equal_bytes(seed: int) -> None:
    blocks, y, events = drawn(seed=seed)
    one, two = read(blocks, y, events), read(blocks, y, events)
    assert one is not None
    assert two is not None
    assert one.predicted(y).tobytes() == two.predicted(y).tobytes()
