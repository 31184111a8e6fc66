"""Sequence: a Transformer reads a user's events in order and says what comes next, on top of graph item vectors.

    x_t = v_{i_t} + kind_{k_t} + place_t + gap_t,   h = Encoder(x_1 .. x_n),   x_uj = (h_n + asked_k)·v_j / τ + b_j

with v_j an item's own vector and those of its attributes, k the kind to predict; trained by the cross-entropy of the
next item at each event (`retrieve/sequences/learning/net.py`). Item vectors start as eigenvectors of the user-item
graph (`retrieve/sequences/start.py`), b_j at a share of the log of the item's events.

W. Kang, J. McAuley, "Self-attentive sequential recommendation" (SASRec), ICDM 2018, arXiv:1808.09781; A. Klenitskiy,
A. Vasilev, "Turning dross into gold loss: is BERT4Rec really better than SASRec?", RecSys 2023,
doi:10.1145/3604915.3610644 (cross-entropy instead of one negative); A. Petrov, C. Macdonald, "gSASRec", RecSys 2023,
arXiv:2308.07192 (many negatives).
Deviations:
1. Tokens know kind and time, items their attributes; the next item is asked for by the kind of its event.
2. Layers are pre-norm (`learn/encoders.py`), items have a bias.
3. Vectors start at the graph's, not at random.
4. A user without events gets the biases alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, NonNegativeFloat, ValidationInfo, field_validator, model_validator

from paretail.core.config import Config
from paretail.core.ids import Rows
from paretail.core.progress import Progress
from paretail.data.held import Mode
from paretail.data.types import History
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Arrays, Question, Scores
from paretail.retrieve.choose import Choice
from paretail.retrieve.fitting import PATIENCE, FitContext
from paretail.retrieve.sequences.choosing import choose
from paretail.retrieve.sequences.forward import Reader, Vectors
from paretail.retrieve.sequences.int8 import Packed
from paretail.retrieve.sequences.sizes import SIZES, Size, SizeName
from paretail.retrieve.sequences.tokens import Sequences


class SequenceConfig(Config):
    """Settings of `sequence`."""

    target: str = Field("purchase", description="The kind to predict.")
    weights: dict[str, NonNegativeFloat] | None = Field(
        None,
        description="How much an event of a kind counts as what comes next; by default purchase 1, cart and favourite "
        "0.6, click and view 0.3. Kinds of weight 0, and unknown ones, are not read either.",
    )
    repeat: bool = Field(
        True,
        description="Whether items that the user had under the target kind stand among those that could come next, in "
        "the loss. Where items never come back it may help to leave them out: `train` tries both.",
    )
    again: float = Field(1.0, ge=0, description="Factor of an event with an item that the user had before.")
    size: Literal[SizeName, "auto"] = Field(
        "1M",
        description="Parameters with 12,000 items; `dim`, `layers` and `heads` override it. `auto` grows until "
        "validation stops gaining, or without a choice is 1M.",
    )
    dim: int | None = Field(None, ge=1, description="Length of the vectors.")
    layers: int | None = Field(None, ge=0, description="Layers of the Transformer.")
    heads: int | None = Field(None, ge=1, description="Heads of attention; they divide `dim`.")
    length: int = Field(50, ge=1, description="How many of a user's newest events are read.")
    gaps: bool = Field(True, description="Whether a token knows the time since the event before, where time is known.")
    attributes: bool = Field(True, description="Whether vectors of an item's attributes are part of the item's.")
    start: Literal["spectral", "random"] = Field("spectral", description="Where item vectors start from.")
    bias_start: float = Field(0.5, ge=0, description="An item's bias starts at so many times the log of its events.")
    temperature: float = Field(1.0, gt=0, description="What products of vectors are divided by.")
    negatives: int | None = Field(
        1024,
        ge=1,
        description="Items that stand for all others in a step's loss, popular ones more often, which the loss takes "
        "into account; without them it goes over all. Of 12,000 items a sample of 1,024 takes a quarter of the time.",
    )
    dropout: float = Field(0.5, ge=0, lt=1, description="Share of the activations dropped while training.")
    lr: float = Field(1e-3, gt=0, description="Learning rate.")
    weight_decay: float = Field(0.0, ge=0, description="Pull of the weights towards zero.")
    epochs: int = Field(15, ge=1, description="Passes over the events.")
    batch_size: int = Field(1024, ge=1, description="Events of a step, at most.")

    teacher: SizeName | None = Field(
        None, description="The size of a model that is trained first and whose scores this one learns from, too."
    )
    teacher_share: float = Field(0.5, ge=0, le=1, description="Share of the loss that the teacher's scores have.")
    softness: float = Field(1.0, gt=0, description="What both scores are divided by before they are compared.")
    precision: Literal["float32", "int8"] = Field(
        "float32",
        description="What item vectors are kept as; `int8` takes a quarter of the memory and is faster for one user.",
    )

    @field_validator("dim")
    @classmethod
    def _leaves_room(cls, dim: int | None, info: ValidationInfo) -> int | None:
        if dim is not None and info.data.get("size") == "auto":
            raise ValueError("none, or a size: 'auto' grows the length of the vectors itself")
        return dim

    @field_validator("teacher")
    @classmethod
    def _is_larger(cls, teacher: SizeName | None, info: ValidationInfo) -> SizeName | None:
        size = info.data.get("size")
        if teacher is None or size is None:
            return teacher
        if size == "auto":
            raise ValueError("none with size = 'auto', which tries sizes alone: name the size that is to learn")
        own = any(info.data.get(name) is not None for name in ("dim", "layers"))
        if not own and list(SIZES).index(teacher) <= list(SIZES).index(size):
            raise ValueError(f"a size above {size!r}, the one that learns")
        return teacher

    @field_validator("teacher_share", "softness")
    @classmethod
    def _has_a_teacher(cls, value: float, info: ValidationInfo) -> float:
        if value != cls.usual(info.field_name) and "teacher" in info.data and info.data["teacher"] is None:
            raise ValueError("none given, or a teacher")
        return value

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        shape = self.shape
        if shape.dim % shape.heads:
            raise ValueError(f"heads must divide dim: {shape.heads} heads do not divide {shape.dim}")
        return self

    @property
    def shape(self) -> Size:
        """Length of the vectors, layers and heads."""
        size = SIZES["1M" if self.size == "auto" else self.size]
        heads = size.heads if self.heads is None else self.heads
        return Size(self.dim or size.dim, size.layers if self.layers is None else self.layers, heads)

    def of_teacher(self) -> Self:
        """Return the settings of the teacher: those of its size, else the same."""
        size = {"size": self.teacher, "dim": None, "layers": None, "heads": None}
        return self.model_copy(update=size | {"teacher": None, "precision": "float32"})


def rounded(arrays: Arrays) -> Arrays:
    """Return the arrays with item vectors as 8-bit integers."""
    packed = Packed.of(arrays["items"])
    others = {name: array for name, array in arrays.items() if name != "items"}
    return others | {"items/int8": packed.numbers, "items/scale": packed.scale}


class Sequence:
    """The encoder's weights and the vectors and biases of items; scoring needs no torch."""

    name: ClassVar[str] = "sequence"
    config_type: ClassVar[type[Config]] = SequenceConfig
    warm_starts: ClassVar[bool] = True

    def __init__(self, arrays: Arrays, config: SequenceConfig, run: Mapping[str, Any] | None = None) -> None:
        self.config, self.run, self._arrays = config, run, arrays
        self.kinds = tuple(filter(None, bytes(arrays["kinds/names"]).decode().split("\n")))
        self.bias = arrays["bias"]
        self.encoder = {n.removeprefix("encoder/"): a for n, a in arrays.items() if n.startswith("encoder/")}
        asked = arrays["kinds/asked"]
        rows = [self.kinds.index(config.target)] if config.target in self.kinds else list(range(len(asked)))
        self.asked = asked[rows].sum(axis=0) / np.float32(max(len(rows), 1))
        self.packed = Packed(arrays["items/int8"], arrays["items/scale"]) if "items/int8" in arrays else None
        self.items: Vectors = arrays["items"] if self.packed is None else self.packed.vectors(len(self.asked))
        self.reader = Reader.of(self.encoder, self.items, arrays["kinds/vectors"])

    @classmethod
    def fit(cls, graph: ShopGraph, config: Any, seed: int) -> Self:
        """Learn from the graph."""
        return cls.train(graph, config, seed, FitContext())

    @classmethod
    def train(cls, graph: ShopGraph, config: Any, seed: int, context: FitContext) -> Self:
        """Learn as `fit` does, under `context`; a teacher comes first, with half of the time."""
        teacher = None
        if config.teacher is not None:
            context = replace(context, minutes=None if context.minutes is None else context.minutes / 2)
            kept = context.checkpoint and context.checkpoint.with_name(f"{context.checkpoint.name}-teacher")
            own = replace(context, checkpoint=kept, start=None)
            teacher = cls.train(graph, config.of_teacher(), seed, own)
        return cls.judged(graph, config, seed, context, context.judge, PATIENCE, teacher)

    @classmethod
    def judged(
        cls, graph: ShopGraph, config: Any, seed: int, context: FitContext,
        judge: Callable[[Self], float] | None = None, patience: int = 1, teacher: Self | None = None,
    ) -> Self:  # fmt: skip
        """Learn from `teacher` too; keep the epoch that `judge` likes best, stop `patience` epochs after it."""
        from paretail.retrieve.sequences.learning.training import train  # only training needs torch

        validate = None if judge is None else lambda arrays: judge(cls(arrays, config))
        taught = None if teacher is None else teacher.arrays()
        arrays, run = train(graph, config, seed, context, validate, patience, taught)
        return cls(arrays if config.precision == "float32" else rounded(arrays), config, run)

    @classmethod
    def choose(
        cls, graph: ShopGraph, question: Question, given: dict[str, Any], seed: int, seconds: float, progress: Progress
    ) -> Choice:
        """Find the number of epochs and other settings on a split of the events, within `seconds`."""
        return choose(cls, graph, question, given, seed, seconds, progress)

    @property
    def item_vectors(self) -> Vectors:
        """Return what stands for every item."""
        return self.items

    def vectors(self, history: History) -> Vectors:
        """Return what stands for the next item of each user, `[users, dim]`; 0 without events."""
        told = Sequences.of(history, self.kinds)
        out = self.reader.newest(told, self.config.shape.heads, self.config.length)
        out[told.counts > 0] += self.asked
        return out / np.float32(self.config.temperature)

    def score(self, history: History, now_ms: int | None = None, mode: Mode = "target") -> Scores:
        """Return the log of how likely each item is to come next, up to a constant of each user."""
        asked = self.vectors(history)
        return asked @ self.items.T + self.bias if self.packed is None else self.packed.scores(asked, self.bias)

    def falls(
        self, history: History, causes: Rows, listed: Rows, now_ms: int | None = None, mode: Mode = "target"
    ) -> Scores:
        """Return the differences of scores with and without each cause that is read, 0 for older events."""
        read = np.isin(causes, history.item_idx[-self._reach(history) :])
        kept = np.concatenate([np.ones((1, len(history.item_idx)), bool), history.item_idx != causes[read][:, None]])
        vectors = self.vectors(history.of_users(np.zeros(len(kept), np.int64)).where(kept.ravel()))
        out = np.zeros((len(causes), len(listed)), np.float32)
        out[read] = (vectors[0] - vectors[1:]) @ self.items[listed].T
        return out

    def arrays(self) -> Arrays:
        """Return the weights."""
        return self._arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays, config: Any) -> Self:
        """Rebuild from arrays."""
        return cls(arrays, config)

    def _reach(self, history: History) -> int:
        """Return how many of a user's newest events hold those that are read."""
        known = [row for row, kind in enumerate(history.kinds) if kind in self.kinds]
        places = np.flatnonzero(np.isin(history.kind, known)[::-1])
        return int(places[min(len(places), self.config.length) - 1]) + 1 if len(places) else 1
