"""Training of the sequence model: from a graph to the arrays that scoring needs."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from paretail.graph.interactions import kind_weights
from paretail.graph.shopgraph import ShopGraph
from paretail.learn import device
from paretail.learn.encoders import EncoderConfig
from paretail.learn.loop import LoopConfig, run
from paretail.retrieve.base import Arrays
from paretail.retrieve.fitting import FitContext
from paretail.retrieve.sequences import start
from paretail.retrieve.sequences.learning.batches import Batches
from paretail.retrieve.sequences.learning.net import Net, Teacher
from paretail.retrieve.sequences.learning.warm import take_over
from paretail.retrieve.sequences.tokens import GAPS, Sequences

if TYPE_CHECKING:
    from paretail.retrieve.models.sequence import SequenceConfig

#: Returns a number that should grow, from the arrays of the model as it is.
Judge = Callable[[Arrays], float]
#: Steps until the learning rate is there, and the bound of all gradients together.
WARMUP_STEPS = 100
CLIP = 5.0


def train(
    graph: ShopGraph, config: "SequenceConfig", seed: int, context: FitContext,
    judge: Judge | None = None, patience: int = 3, teacher: Arrays | None = None,
) -> tuple[Arrays, Mapping[str, Any]]:  # fmt: skip
    """Learn; return the arrays of the best epoch by `judge`, or of the last one, and what training did.

    `teacher` has the arrays of a model of the size `config.teacher` on the same graph. Without two events of one user
    there is nothing to learn: the arrays are those of the start.
    """
    weights = kind_weights(graph.history.kinds, config.weights)
    kinds = tuple(kind for kind in graph.history.kinds if weights.get(kind, 0.0) > 0)
    sequences = Sequences.of(graph.history, kinds)
    counts = np.bincount(sequences.item, minlength=graph.items)
    taught = None if teacher is None else Teacher(
        _filled(_net(graph, config.of_teacher(), counts, kinds, seed), teacher), config.teacher_share, config.softness
    )  # fmt: skip
    net = _net(graph, config, counts, kinds, seed, taught, None if teacher is None else teacher["items"])
    if context.start is not None:
        take_over(net, context.start, counts > 0, kinds)
    by_kind = np.array([weights[kind] for kind in kinds], np.float32)
    batches = Batches(
        sequences, graph.history.time, config.length, config.batch_size, by_kind, config.again, config.negatives,
        counts, seed,
    )  # fmt: skip
    if not len(batches.size):
        return arrays_of(net, kinds), {}
    validate = None if judge is None else lambda model: judge(arrays_of(model, kinds))
    done = run(
        net, batches, validate, _loop(config, seed, context, patience), context.checkpoint, context.progress,
        fingerprint=_fingerprint(sequences, config),
    )  # fmt: skip
    return arrays_of(net, kinds), done.to_json()


def _fingerprint(sequences: Sequences, config: "SequenceConfig") -> str:
    """Return what a checkpoint must be of: a SHA-256 (hex) of the events that are read, and of the settings."""
    digest = sha256(config.model_dump_json().encode())
    for part in (sequences.indptr, sequences.item, sequences.kind, sequences.gap):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def _loop(config: "SequenceConfig", seed: int, context: FitContext, patience: int) -> LoopConfig:
    return LoopConfig(
        epochs=config.epochs, lr=config.lr, weight_decay=config.weight_decay, seed=seed, patience=patience,
        warmup_steps=WARMUP_STEPS, clip=CLIP, minutes=context.minutes,
    )  # fmt: skip


def _net(
    graph: ShopGraph, config: "SequenceConfig", counts: NDArray[np.int64], kinds: tuple[str, ...], seed: int,
    teacher: Teacher | None = None, longer: NDArray[np.float32] | None = None,
) -> Net:  # fmt: skip
    """Return the net as it starts; `longer` vectors of items, a teacher's, take the place of the start that is set."""
    shape = config.shape
    if longer is not None:
        vectors = start.shortened(longer, shape.dim)
    elif config.start == "spectral":
        vectors = start.spectral(graph.interactions(dict.fromkeys(kinds, 1.0)), shape.dim, seed)
    else:
        vectors = start.random(counts > 0, shape.dim, seed)
    marks = start.attributes(graph.edges if config.attributes else {}, graph.items)
    encoder = EncoderConfig(
        dim=shape.dim, layers=shape.layers, heads=shape.heads, dropout=config.dropout, length=config.length,
        gap_buckets=GAPS if config.gaps and graph.history.time == "clock" else 0,
    )  # fmt: skip
    begin = start.Start.of(vectors, marks, counts, config.bias_start)
    with device.seeded("retrieve/sequences", seed):
        once = kinds.index(config.target) if config.target in kinds and not config.repeat else None
        return Net(encoder, begin, len(kinds), config.temperature, teacher, once)


@torch.no_grad()
def _filled(net: Net, arrays: Arrays) -> Net:
    """Return the net with the weights of `arrays`; all of an item's vector becomes its own."""
    net.encoder.load_state_dict({
        name.removeprefix("encoder/"): torch.from_numpy(array.copy()) for name, array in arrays.items()
        if name.startswith("encoder/")
    })  # fmt: skip
    net.told.zero_()
    for tensor, name in (
        (net.own, "items"),
        (net.bias, "bias"),
        (net.kinds, "kinds/vectors"),
        (net.asked, "kinds/asked"),
    ):
        tensor.copy_(torch.from_numpy(arrays[name].copy()))
    return net


@torch.no_grad()
def arrays_of(net: Net, kinds: tuple[str, ...]) -> Arrays:
    """Return what scoring needs of a net."""
    tensors = {
        "items": net.vectors(), "bias": net.bias, "kinds/vectors": net.kinds, "kinds/asked": net.asked,
        **{f"encoder/{name}": tensor for name, tensor in net.encoder.state_dict().items()},
    }  # fmt: skip
    names = np.frombuffer("\n".join(kinds).encode(), np.uint8)
    return {"kinds/names": names, **{name: tensor.cpu().numpy().copy() for name, tensor in tensors.items()}}
