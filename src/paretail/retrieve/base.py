"""What a retriever is: fitted on a graph, it scores every item for any history, known or new."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from paretail.core.config import Config
from paretail.data.held import Mode
from paretail.data.kinds import FRIEND
from paretail.data.types import History
from paretail.graph.shopgraph import ShopGraph

Scores = NDArray[np.float32]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Question:
    """What the shop asks: which kind of event to predict, and whether items may come back (repeat purchases).

    `wishes` are the kinds of the log that show a wish (not impressions, not refunds); `weights` those of kinds that
    the shop declared.
    """

    target: str
    repeat: bool
    wishes: tuple[str, ...]
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def mode(self) -> Mode:
        """What lists leave out: of people whoever is known, and oneself."""
        if self.target == FRIEND:
            return "all"
        return "none" if self.repeat else "target"


def reads_traits(model: object) -> bool:
    """Say whether a model's scores follow from what is known of users beside their events, too."""
    return bool(getattr(model, "reads_traits", False))


class Retriever(Protocol):
    """A model of the table `retrieve.models.MODELS`.

    Fitting reads the graph; scoring reads nothing but the histories given, so a user never seen in training is
    served like any other, and a new event changes the next answer. A user without history gets finite scores.
    Kernels of numba on all cores are compiled by `core.kernels.parallel_kernel`: then any thread may call. Recommenders
    score under their lock, so that `score` itself must not wait for threads of its own that launch some.
    """

    name: ClassVar[str]
    config_type: ClassVar[type[Config]]

    @classmethod
    def fit(cls, graph: ShopGraph, config: Any, seed: int) -> Self:
        """Learn from the graph under `config` (a `config_type`); same seed, same bytes."""
        ...

    def score(self, history: History, now_ms: int | None = None, mode: Mode = "target") -> Scores:
        """Return `scores[users, items]`, higher is better, for the users of `history`; dense, so call in blocks.

        `now_ms` is the moment of the answer where time is known, by default the newest event of the fit. `mode`
        says which of a user's items will be left out of the list, for models that answer each question apart.
        """
        ...

    def arrays(self) -> Arrays:
        """Return all that scoring needs, as named arrays for a bundle."""
        ...

    @classmethod
    def from_arrays(cls, arrays: Arrays, config: Any) -> Self:
        """Rebuild from `arrays()`; scores are equal to the last bit."""
        ...
