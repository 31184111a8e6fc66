"""Choosing settings before the fit: a model that knows how searches on a split of the events, the others do not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from paretail.core.config import Config
from paretail.core.progress import Progress
from paretail.graph.interactions import check_kinds
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Question, Retriever


@dataclass(frozen=True)
class Choice:
    """The settings to fit with, what was measured on the way, and why, one line a remark.

    `run` is the training that validation chose, as `learn.curves.Run.to_json` tells it, or one a member of a hybrid.
    """

    config: Config
    metrics: dict[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    figure: str = ""
    run: Mapping[str, Any] | None = None


@runtime_checkable
class Chooses(Protocol):
    """A retriever that chooses its own settings."""

    @classmethod
    def choose(cls, graph: ShopGraph, question: Question, given: dict[str, Any], seed: int, seconds: float,
               progress: Progress) -> Choice:  # fmt: skip
        """Search the settings that `given` does not fix, on a split of the graph's events, within `seconds`."""
        ...


def choose(model: type[Retriever], graph: ShopGraph, question: Question, given: dict[str, Any], seed: int,
           seconds: float, progress: Progress) -> Choice:  # fmt: skip
    """Return the settings of `model`: chosen by itself where it can, else `given` over its defaults.

    Raises ConfigError (GRAPH-03) where `given` weighs kinds that the log does not have.
    """
    check_given(graph, question, model, given)
    if isinstance(model, Chooses):
        return model.choose(graph, question, given, seed, seconds, progress)
    return Choice(model.config_type.parse(given, "[model.settings]"))


def check_given(graph: ShopGraph, question: Question, model: type[Retriever], given: dict[str, Any]) -> None:
    """Raise ConfigError (GRAPH-03) where settings weigh kinds that neither the log nor the shop knows."""
    for name in ("weights", "kind_weights"):
        if given.get(name) is not None:
            where = f"[model.settings] {name} of {model.name}"
            check_kinds(graph.history.kinds, given[name], where, question.weights)
