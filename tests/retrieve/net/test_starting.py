"""Where training starts: the leading singular vectors, nearer with each round."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from scipy import sparse

from paretail.data.types import Catalogue
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.content import texts_of
from paretail.retrieve.net import training
from paretail.retrieve.net.starting import go_on, spectral
from paretail.retrieve.spec import GraphModelSpec
from paretail.sim.planted import planted

from . import worlds


def test_rounds_bring_the_start_to_the_leading_singular_vectors() -> None:
    rng = np.random.default_rng(0)
    pairs = sparse.csr_array((rng.random((300, 120)) < 0.1).astype(np.float32))
    dense = pairs.toarray()
    normal = dense / np.sqrt(dense.sum(1, keepdims=True) * dense.sum(0))
    leading = np.linalg.svd(normal)[2][:4].T

    def share(rounds: int) -> float:
        basis = np.linalg.qr(spectral(pairs, 4, rounds, 0).astype(np.float64))[0]
        return float(np.square(leading.T @ basis).sum() / 4)

    shares = [share(rounds) for rounds in (0, 1, 4, 30)]
    assert shares == sorted(shares)
    assert shares[0] < 0.9
    assert shares[-1] > 0.999


def test_items_and_what_they_say_of_users_start_at_the_spectral_vectors_or_at_random() -> None:
    spec = GraphModelSpec.parse({"dim": 8})
    pairs = training.pairs_of(worlds.graph(), spec)
    expected = spectral(pairs, 8, 4, 0)
    tables = []
    for how in ("spectral", "random"):
        network = training.network_of(worlds.graph(), spec.model_copy(update={"start": how}), pairs, 0)
        assert network.items.ids is not None
        assert network.profile is not None
        assert network.profile.ids is not None
        tables += [network.items.ids.detach().numpy(), network.profile.ids.detach().numpy()]
    assert all(np.array_equal(table, expected) for table in tables[:2])
    assert not any(np.abs(table - expected).max() < 0.1 for table in tables[2:])
    assert np.abs(tables[2] - tables[3]).max() > 0.1
    assert [np.sqrt(np.mean(table**2)) for table in tables] == pytest.approx([0.1] * 4, rel=0.15)


def test_what_is_made_of_texts_starts_anew_and_what_is_made_of_vectors_goes_on() -> None:
    """The vectors of texts are directions of the texts that there are; those of a grown catalogue are others."""
    shop = planted(20, 20, 5, held=1).shop
    titles = pl.Series([f"word{n} other{n % 3}" for n in range(20)])
    items = shop.catalogue.frame.with_columns(title=titles, image=pl.Series(np.eye(20, 6, dtype=np.float32)))
    graph = ShopGraph.build(replace(shop, catalogue=Catalogue(items)), shop.user_vocabulary(), shop.item_vocabulary())
    spec = GraphModelSpec.parse({"content": True, "dim": 4, "start": "random"})
    one, other = (training.network_of(graph, spec, training.pairs_of(graph, spec), seed) for seed in (0, 1))
    start = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    rows = {name: np.arange(len(ids), dtype=np.int32) for name, ids in graph.nodes.items()}
    go_on(other, one.state_dict(), rows, texts_of(graph))
    assert texts_of(graph) == ["title"]
    for name, now in other.state_dict().items():
        assert torch.equal(now, start[name] if name.endswith("of title") else one.state_dict()[name]), name
