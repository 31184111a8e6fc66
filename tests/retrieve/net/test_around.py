"""Steps around their batch: with all neighbours the loss and gradients of the whole graph; else finite and hidden."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.batches import Batches
from paretail.retrieve.fitting import FitContext
from paretail.retrieve.models import model
from paretail.retrieve.net import training
from paretail.retrieve.net.around import Sampling
from paretail.retrieve.net.network import Network
from paretail.retrieve.spec import PRESETS, GraphModelSpec
from paretail.sim.planted import planted

#: Points that meet every kind of message, input, combination, scorer, loss and source of negatives.
POINTS: dict[str, dict[str, Any]] = {
    "depth 0": {"message": "none", "depth": 0, "combination": "last"},
    "lightgcn": {},
    "one table, depth 3": {"profile": "shared", "depth": 3, "combination": "weighted"},
    "ngcf": {"message": "ngcf", "activation": "leaky_relu", "combination": "concat"},
    "gcn": {"message": "gcn", "residual": True, "normalisation": "layer", "combination": "attention"},
    "sage": {"message": "sage", "edges": "all", "attributes": True, "relations": "separate"},
    "sage, greatest": {"message": "sage", "aggregation": "max", "activation": "relu", "loss": "bpr", "shared": False},
    "sage, attention": {"message": "sage", "aggregation": "attention", "edges": "all"},
    "gat": {"message": "gat", "heads": 2, "scorer": "dot", "loss": "bce", "edges": "all", "relations": "shared"},
    "gatv2": {"message": "gatv2", "heads": 2, "negatives_from": "batch", "shared": False},
    "gin": {"message": "gin", "scorer": "hadamard", "bias": False, "normalisation": "layer"},
    "mlp, hard": {"scorer": "mlp", "negatives_from": "hard", "pool": 12, "shared": False},
}
FEW = {"dim": 8, "negatives": 6, "batch_size": 32}


@cache
def graph() -> ShopGraph:
    shop = planted(80, 50, 8, held=2).shop
    return ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())


def network_of(**settings: Any) -> tuple[Network, Batches]:
    spec = GraphModelSpec(**FEW | settings)
    pairs = training.pairs_of(graph(), spec)
    return training.network_of(graph(), spec, pairs, 0), Batches(pairs, 32, spec, 0)


def gradients(network: Network, seen: Any) -> tuple[float, dict[str, torch.Tensor]]:
    network.zero_grad()
    loss = network.loss(seen)
    total = loss if isinstance(loss, torch.Tensor) else sum(loss.values())
    total.backward()
    return total.item(), {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("point", POINTS)
def test_with_all_neighbours_loss_and_gradients_are_those_of_the_whole_graph(point: str) -> None:
    network, batches = network_of(fan_out=-1, **POINTS[point])
    batch = batches.batch(0, 1)
    whole = gradients(network, batch)
    seen = gradients(network, Sampling(network.wiring, network.spec, 0, hide=False).of(batch, 1))
    assert seen[0] == pytest.approx(whole[0], abs=1e-5)
    assert set(seen[1]) == set(whole[1])
    for name, gradient in whole[1].items():
        np.testing.assert_allclose(seen[1][name], gradient, atol=1e-5, err_msg=name)
        assert gradient.abs().max() > 0 or "bias" in name or "lin_r" in name, f"{name} learns nothing"


@pytest.mark.parametrize("extra", [{"id_dropout": 0.3, "attributes": True}, {"edge_dropout": 0.2}, {"contrast": 0.1},
                                   {"contrast": 0.1, "augmentation": "noise"}])  # fmt: skip
def test_what_is_drawn_in_a_step_is_drawn_in_samples_too(extra: dict[str, Any]) -> None:
    network, batches = network_of(fan_out=3, message="sage", edges="all", **extra)
    sampling = Sampling(network.wiring, network.spec, 0)
    loss, found = gradients(network, sampling.of(batches.batch(0, 0), 0))
    assert np.isfinite(loss)
    assert all(torch.isfinite(gradient).all() for gradient in found.values())


def test_a_step_does_not_see_what_it_is_to_predict() -> None:
    """With the batch's events out of the graph, degrees as before, the whole graph gives the same loss."""
    network, batches = network_of(fan_out=-1)
    batch = batches.batch(0, 1)
    seen, _ = gradients(network, Sampling(network.wiring, network.spec, 0).of(batch, 1))
    events = network.wiring.events
    gone = torch.zeros(events.csr.shape, dtype=torch.bool)
    gone[batch.users, batch.items] = True
    values = torch.where(gone[events.targets, events.sources], 0.0, events.csr.by_row.values)
    left = replace(events, csr=events.csr.with_values(values))
    network.wiring = replace(network.wiring, events=left, edges={next(iter(network.wiring.edges)): left})
    assert seen == pytest.approx(gradients(network, batch)[0], abs=1e-5)
    assert seen != pytest.approx(gradients(network_of(fan_out=-1)[0], batch)[0], abs=1e-3)


def test_a_training_on_samples_is_repeatable_and_ranks() -> None:
    world = planted(300, 80, 15)
    made = ShopGraph.build(world.shop, world.shop.user_vocabulary(), world.shop.item_vocabulary())
    settings = {"sampling": "neighbours", "fan_out": 8, "dim": 16, "negatives": 64, "batch_size": 512, "lr": 0.02}
    config = model("lightgcn").config_type.parse(settings | {"start": "random", "bias_start": 0.0, "epochs": 4})
    start, one, two = (model("lightgcn").train(made, c, 0, FitContext()) for c in (barely(config), config, config))
    assert all(one.arrays()[name].tobytes() == array.tobytes() for name, array in two.arrays().items())
    before, after = (world.oracle_share(trained.score(made.history)) for trained in (start, one))
    assert after > max(0.6, before + 0.2)


def barely(config: Any) -> Any:
    """Return the settings of a training that hardly moves."""
    return config.model_copy(update={"epochs": 1, "lr": 1e-6})


def test_samples_are_taken_where_they_are_asked_for_or_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not training.samples(network_of()[0])
    assert training.samples(network_of(sampling="neighbours")[0])
    monkeypatch.setattr(training, "MOST_BYTES", 1000)
    assert training.samples(network_of()[0])
    assert not training.samples(network_of(sampling="none")[0])


def test_every_preset_can_be_trained_on_samples() -> None:
    for name, point in PRESETS.items():
        network, batches = network_of(fan_out=2, **{**point, "dim": 8})
        loss, _ = gradients(network, Sampling(network.wiring, network.spec, 0).of(batches.batch(0, 0), 0))
        assert np.isfinite(loss), name
