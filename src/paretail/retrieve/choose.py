"""Choosing settings before the fit: a model that knows how searches on a split of the events, the others do not."""

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from paretail.core.config import Config
from paretail.core.progress import Progress
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Question, Retriever


@dataclass(frozen=True)
class Choice:
    """The settings to fit with, what was measured on the way, and why, one line a remark."""

    config: Config
    metrics: dict[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    figure: str = ""


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
    """Return the settings of `model`: chosen by itself where it can, else `given` over its defaults."""
    if isinstance(model, Chooses):
        return model.choose(graph, question, given, seed, seconds, progress)
    return Choice(model.config_type.parse(given, "[model.settings]"))
