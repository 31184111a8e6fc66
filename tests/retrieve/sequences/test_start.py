"""Where vectors start: items of the same users point the same way, attributes explain what they can."""

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from paretail.data.types import Catalogue, Events, Shop
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.sequences import start


def test_items_of_the_same_users_start_in_one_direction() -> None:
    rng = np.random.default_rng(0)
    taste = rng.integers(3, size=60)
    cells = (rng.random((60, 30)) < 0.5) & (taste[:, None] == np.arange(30) % 3)
    cells[:, 29] = False
    vectors = start.spectral(sparse.csr_array(cells.astype(np.float32)), 3, 0)
    alike = vectors @ vectors.T
    same = np.arange(29)[:, None] % 3 == np.arange(29) % 3
    assert alike[:29, :29][same].min() > 0.9
    assert np.abs(alike[:29, :29][~same]).max() < 0.3
    assert not vectors[29].any()
    assert np.linalg.norm(vectors[:29], axis=1) == pytest.approx(1)


def test_a_small_shop_has_vectors_of_any_length() -> None:
    vectors = start.spectral(sparse.csr_array(np.eye(2, 3, dtype=np.float32)), 16, 0)
    assert vectors.shape == (3, 16)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 0])


def test_attributes_are_unit_rows_in_which_the_rare_weighs_more() -> None:
    catalogue = pl.DataFrame({"item_id": ["a", "b", "c", "d"], "colour": [["red", "odd"], ["red"], ["red"], None]})
    events = pl.DataFrame({"user_id": ["u"], "item_id": ["a"], "kind": ["purchase"], "ts_ms": [0], "quantity": [1.0]})
    shop = Shop(Events(events), Catalogue(catalogue))
    graph = ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())
    odd, red = np.log(1 + 4 / 1), np.log(1 + 4 / 3)
    told = start.attributes(graph.edges, graph.items).toarray()
    norm = np.hypot(odd, red)
    assert told == pytest.approx(np.array([[odd / norm, red / norm], [0, 1], [0, 1], [0, 0]]))
    assert start.attributes({}, 4).shape == (4, 0)


def test_attributes_explain_and_the_rest_is_the_items_own() -> None:
    rng = np.random.default_rng(1)
    told = sparse.csr_array((rng.random((200, 4)) < 0.4).astype(np.float32))
    truth = rng.standard_normal((4, 3)).astype(np.float32)
    vectors, known = (told @ truth).astype(np.float32), np.arange(200) < 190
    vectors[~known] = 0
    of_told, own = start.explained(vectors, told, known)
    assert of_told == pytest.approx(truth, abs=0.15)
    assert told @ of_told + own == pytest.approx(np.where(known[:, None], vectors, told @ of_told), abs=1e-5)
    assert not own[~known].any()


def test_shortened_vectors_keep_their_products() -> None:
    rng = np.random.default_rng(0)
    flat = (rng.standard_normal((30, 3)) @ rng.standard_normal((3, 8))).astype(np.float32)
    for dim in (3, 5, 11):
        short = start.shortened(flat, dim)
        assert short.shape == (30, dim)
        np.testing.assert_allclose(short @ short.T, flat @ flat.T, rtol=1e-3, atol=1e-3)
    assert not start.shortened(flat, 11)[:, 8:].any()
    kept = np.linalg.norm(start.shortened(flat, 2)) ** 2
    assert kept == pytest.approx((np.linalg.svd(flat)[1][:2] ** 2).sum(), rel=1e-4)
