"""The optimiser of a network: what decays, and by how much in a step."""

from typing import Any

import numpy as np
import pytest
import torch

from paretail.retrieve.fitting import FitContext
from paretail.retrieve.net import training
from paretail.retrieve.net.network import Network
from paretail.retrieve.spec import GraphModelSpec

from .worlds import graph

#: All the graph's events in one step.
ONE: dict[str, Any] = {"dim": 4, "message": "sage", "depth": 1, "epochs": 1, "batch_size": 10_000, "lr": 0.01}


def started(weight_decay: float) -> tuple[Network, Any]:
    spec = GraphModelSpec.parse({**ONE, "weight_decay": weight_decay})
    pairs = training.pairs_of(graph(), spec)
    return training.network_of(graph(), spec, pairs, 0), pairs


def test_vectors_and_matrices_decay_and_biases_do_not() -> None:
    network, _ = started(0.1)
    groups = training._optimiser(network).param_groups
    assert [(group["weight_decay"], {param.ndim for param in group["params"]}) for group in groups] == [
        (0.1, {2}), (0.0, {1})
    ]  # fmt: skip
    held = [id(param) for group in groups for param in group["params"]]
    assert sorted(held) == sorted(id(param) for param in network.parameters())
    assert {group["lr"] for group in groups} == {0.01}


def test_a_step_takes_its_share_of_what_decays() -> None:
    """Apart from the gradient, by lr times weight_decay of where a weight was."""
    (free, pairs), (held, _) = started(0.0), started(0.5)
    start = {name: param.detach().clone() for name, param in free.named_parameters()}
    for network in (free, held):
        assert training.train(network, pairs, 0, FitContext()).steps == 1
    after = dict(held.named_parameters())
    for name, param in free.named_parameters():
        expected = param - (0.01 * 0.5 * start[name] if param.ndim > 1 else 0.0)
        np.testing.assert_allclose(after[name].detach(), expected.detach(), atol=1e-6, err_msg=name)
    assert not torch.equal(after["bias"], start["bias"])
    assert start["bias"].abs().max() == pytest.approx(0.7 * np.log(np.diff(pairs.tocsc().indptr).max()), abs=1e-5)
