"""Fitting: what a fit may use beyond graph and settings, for models that are trained step by step.

A model that is fitted in closed form has `fit` alone. One that is trained has `train` too, which is told whom to tell
of its progress, where to keep a checkpoint, how long it may take, and from which earlier model it may start.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.core.progress import Progress, silent
from paretail.data.types import History
from paretail.graph.interactions import event_weights, kind_weights
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Retriever


@dataclass(frozen=True, eq=False)
class WarmStart:
    """An earlier model of the same type, and the row that each of its nodes has now, -1 where it is gone, by type.

    `log` are the events that it was made of, items in their rows of then; None where these are not known.
    """

    model: Retriever
    rows: Mapping[str, Rows]
    log: History | None = None

    def learned(self, weights: Mapping[str, float] | None, known: NDArray[np.bool_]) -> Mapping[str, Rows]:
        """Return `rows`, -1 also of items that have their first events now, so that they start as new ones do.

        `known[items]` are those with events now. Only kinds count that the model read: those that weigh more than 0.
        """
        if self.log is None:
            return self.rows
        read = event_weights(self.log, kind_weights(self.log.kinds, weights), None, None) > 0
        items = self.rows["item"]
        first = (np.bincount(self.log.item_idx[read], minlength=len(items)) == 0) & known[items]
        return {**self.rows, "item": np.where(first, -1, items).astype(np.int32)}


@dataclass(frozen=True)
class FitContext:
    """What a training may use: it goes on from `checkpoint` where that file is there, and ends after `minutes`.

    With a `judge` (greater is better) the epoch that it likes best is kept, and training ends where it gains no more.
    """

    progress: Progress = silent
    checkpoint: Path | None = None
    minutes: float | None = None
    start: WarmStart | None = field(default=None, repr=False)
    judge: Callable[[Retriever], float] | None = field(default=None, repr=False)


#: Validations without a gain until a training ends.
PATIENCE: Final = 3


#: The share of its epochs for which a model is trained that goes on from an earlier one.
WARM_SHARE: Final = 0.25


@runtime_checkable
class Trains(Protocol):
    """A retriever that is trained step by step."""

    #: What the training did, as `learn.curves.Run.to_json` tells it; None for a model that was read from a bundle.
    run: Mapping[str, Any] | None

    @classmethod
    def train(cls, graph: ShopGraph, config: Any, seed: int, context: FitContext) -> Self:
        """Learn as `fit` does, under `context`; without a time limit the same seed gives the same bytes."""
        ...


def as_validated(config: Any, run: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a validated training says of settings: its best epoch, and a learning rate that falls as it did."""
    if not run or run.get("best_epoch") is None:
        return {}
    schedule = {"lr_epochs": max(config.epochs, config.lr_epochs or 0)} if hasattr(config, "lr_epochs") else {}
    return {"epochs": max(int(run["best_epoch"]), 1), **schedule}


def shortened(model_type: type[Retriever], config: Any) -> Any:
    """Return the settings of a training that goes on from an earlier one: the same, for WARM_SHARE of the epochs.

    A class says with `warm_starts` that its training goes on; one with models in it has a `shortened` of its own.
    """
    own = getattr(model_type, "shortened", None)
    if own is not None:
        return own(config)
    if not getattr(model_type, "warm_starts", False):
        return config
    whole = {"lr_epochs": None} if hasattr(config, "lr_epochs") else {}
    return config.model_copy(update={"epochs": max(1, round(WARM_SHARE * config.epochs)), **whole})


def fit(
    model_type: type[Retriever], graph: ShopGraph, config: Any, seed: int, context: FitContext | None = None
) -> Retriever:
    """Fit a model of the table; one that is trained step by step hears of the context."""
    train = getattr(model_type, "train", None)
    if train is None:
        return model_type.fit(graph, config, seed)
    trained: Retriever = train(graph, config, seed, context or FitContext())
    return trained


def fits(
    model_type: type[Retriever], graph: ShopGraph, config: Any, seed: int, context: FitContext | None = None
) -> Callable[[History], Retriever]:
    """Return what fits a model to one part of a log after another, each longer than the last, the earliest first.

    One that is trained goes on from the last part's model, for WARM_SHARE of the epochs. A part that ends before the
    last one did is learned from nothing: no model knows of what comes after its part.
    """
    trains, before, model = hasattr(model_type, "train"), None, None
    rows = {name: np.arange(len(ids), dtype=np.int32) for name, ids in graph.nodes.items()}

    def to(log: History) -> Retriever:
        nonlocal before, model
        start = None
        if model is not None and before is not None and before.ts_ms.max(initial=0) <= log.ts_ms.max(initial=0):
            start = WarmStart(model, rows, before)
        settings = config if start is None else shortened(model_type, config)
        its = replace(context or FitContext(), start=start)
        fitted = fit(model_type, graph.with_history(log), settings, seed, its)
        if trains:
            before, model = log, fitted
        return fitted

    return to
