"""From a graph and a specification to a trained network, and from that to the arrays that serve."""

from collections.abc import Callable
from hashlib import sha256
from typing import Final

import numpy as np
from scipy import sparse
from torch import nn
from torch.optim import AdamW, Optimizer

from paretail.core.errors import ConfigError, Problem
from paretail.data.features.content import Content
from paretail.graph.interactions import kind_weights
from paretail.graph.shopgraph import ShopGraph
from paretail.learn import device
from paretail.learn.loop import LoopConfig, Run, run
from paretail.learn.settings import MANY
from paretail.learn.training import Batches as MakesBatches
from paretail.retrieve.batches import Batches
from paretail.retrieve.content import content_in, texts_encoded
from paretail.retrieve.fitting import FitContext
from paretail.retrieve.net.around import Sampling, Steps
from paretail.retrieve.net.network import Network, Shape
from paretail.retrieve.net.starting import start
from paretail.retrieve.net.wiring import Wiring, relations_of
from paretail.retrieve.spec import GraphModelSpec

#: What a step of the whole graph may take, and how often it holds each number: states, gradients, what is between.
MOST_BYTES: Final = 2 << 30
COPIES: Final = 4
#: Time from one checkpoint to the next.
CHECKPOINT_MINUTES = 1.0
#: What says how well a network ranks; greater is better.
Judge = Callable[[Network], float]


def pairs_of(graph: ShopGraph, spec: GraphModelSpec) -> sparse.csr_array:
    """Return what users had, weighted as the specification says."""
    return graph.interactions(kind_weights(graph.history.kinds, spec.weights), spec.half_life_days)


def network_of(graph: ShopGraph, spec: GraphModelSpec, pairs: sparse.csr_array, seed: int) -> Network:
    """Return the network where it starts; raises ConfigError (RETR-07) where nothing would tell its items apart."""
    everything = spec.edges == "all"
    wiring = Wiring.of(graph, pairs, everything, _content(graph, spec))
    told = {side: list(known) for side, known in wiring.told.items()}
    content = {name: matrix.shape[1] for name, matrix in wiring.content.items()}
    _check_told(spec, told["item"] if spec.attributes else [], list(content))
    with device.seeded("retrieve/net", seed):
        network = Network(spec, Shape(wiring.sizes, relations_of(graph, everything), told, content), wiring)
    start(network, pairs, seed)
    return network


def _content(graph: ShopGraph, spec: GraphModelSpec) -> Content:
    """Return what texts and vectors say of the items, as far as the specification reads them."""
    if not spec.content or "item" not in graph.tables:
        return {}
    return content_in(graph) | texts_encoded(graph.tables["item"], spec.text_encoder)


def _check_told(spec: GraphModelSpec, attributes: list[str], content: list[str]) -> None:
    if spec.ids or attributes or content:
        return
    asked = [name for name in ("attributes", "content") if getattr(spec, name)]
    found = f"ids = false with {' and '.join(f'{name} = true' for name in asked)}, and the catalogue has none"
    expected = "Categories, brands or other labels for attributes; titles, other texts or vectors for content"
    raise ConfigError(
        Problem("RETR-07", found, expected, "Map such columns in [data.columns.items], or set ids = true")
    )


def train(
    network: Network, pairs: sparse.csr_array, seed: int, context: FitContext, judge: Judge | None = None,
    patience: int = 3,
) -> Run:  # fmt: skip
    """Train; with a judge the best epoch's weights are left, and training ends where it no longer gains."""
    spec = network.spec
    batch_size = batch_size_of(pairs, spec)
    config = LoopConfig(
        epochs=spec.epochs, batch_size=batch_size, lr=spec.lr, weight_decay=spec.weight_decay, schedule="linear",
        schedule_epochs=spec.lr_epochs, patience=patience, minutes=context.minutes,
        checkpoint_minutes=CHECKPOINT_MINUTES, seed=seed,
    )  # fmt: skip
    there = spec.model_copy(update={"negatives": min(spec.negatives, pairs.shape[1])}) if spec.shared else spec
    batches = Batches(pairs, batch_size, there, seed)
    steps: MakesBatches = batches
    if samples(network):
        steps = Steps(Sampling(network.wiring, spec, seed), batches)
    return run(
        network, steps, judge, config, context.checkpoint, context.progress, optimise=_optimiser,
        fingerprint=fingerprint(pairs, spec),
    )  # fmt: skip


def batch_size_of(pairs: sparse.csr_array, spec: GraphModelSpec) -> int:
    """Return the examples of a step."""
    return spec.batch_size or int(np.clip(pairs.nnz // 40, 256, 16384))


def samples(network: Network) -> bool:
    """Say whether steps see samples: where they are asked for, or where a step of the whole graph would not fit."""
    spec, wiring = network.spec, network.wiring
    if spec.sampling != "auto":
        return spec.sampling == "neighbours"
    edges = sum(len(one.edges.csr.by_row.values) for heard in wiring.hop().values() for one in heard)
    wide = spec.message == "gatv2" or (spec.message, spec.aggregation) == ("sage", "max")
    numbers = COPIES * sum(wiring.sizes.values()) * spec.dim * (spec.depth + 1) + edges * (spec.dim if wide else COPIES)
    return 4 * numbers > MOST_BYTES


def fingerprint(pairs: sparse.csr_array, spec: GraphModelSpec) -> str:
    """Return a SHA-256 of what a run is trained on and how; a checkpoint of anything else is refused."""
    digest = sha256(spec.model_dump_json().encode())
    for array in (pairs.indptr, pairs.indices, pairs.data):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _optimiser(network: nn.Module) -> Optimizer:
    """Return AdamW; weights decay where they are vectors or matrices of them, not biases and the like."""
    assert isinstance(network, Network)
    params = [param for param in network.parameters() if param.requires_grad]
    groups = [
        {"params": [param for param in params if (param.ndim > 1) == decays], "weight_decay": decay}
        for decays, decay in ((True, network.spec.weight_decay), (False, 0.0))
    ]
    pace = {"fused": True} if sum(param.numel() for param in params) >= MANY else {"foreach": True}
    return AdamW([group for group in groups if group["params"]], lr=network.spec.lr, **pace)  # type: ignore[arg-type]
