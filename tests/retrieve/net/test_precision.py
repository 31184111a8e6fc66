"""Mixed precision: every option trains where products are of half precision, to a loss near that of float32."""

from typing import Any

import pytest
import torch

from paretail.learn.device import Place
from paretail.retrieve.batches import Batches
from paretail.retrieve.net import training
from paretail.retrieve.net.around import Sampling
from paretail.retrieve.spec import PRESETS, GraphModelSpec

from .test_network import OPTIONS, SMALL
from .worlds import graph

SAMPLED: list[dict[str, Any]] = [
    {}, PRESETS["gat"], PRESETS["hetero"], {"message": "sage", "aggregation": "max"}, {"contrast": 0.1},
]  # fmt: skip


@pytest.mark.parametrize(
    "settings", [*OPTIONS, *({**settings, "sampling": "neighbours"} for settings in SAMPLED)], ids=str
)
def test_a_step_of_half_precision_has_the_loss_of_a_whole_one(settings: dict[str, Any]) -> None:
    spec = GraphModelSpec.parse({**SMALL, **settings})
    pairs = training.pairs_of(graph(), spec)
    losses = []
    for half in (None, torch.bfloat16):
        network = training.network_of(graph(), spec, pairs, 0)
        batch = Batches(pairs, 100, spec, 0).batch(0, 0)
        seen = Sampling(network.wiring, spec, 0).of(batch, 0) if spec.sampling == "neighbours" else batch
        torch.manual_seed(0)
        with Place(torch.device("cpu"), half).autocast():
            parts = network.loss(seen)
        loss = torch.stack(list(parts.values())).sum() if isinstance(parts, dict) else parts
        loss.backward()  # type: ignore[no-untyped-call]
        assert loss.dtype == torch.float32
        assert all(param.grad is None or param.grad.isfinite().all() for param in network.parameters())
        losses.append(loss.item())
    assert losses[1] == pytest.approx(losses[0], rel=0.01)
