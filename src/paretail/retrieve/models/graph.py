"""Graph networks: any point of one space, from matrix factorisation to attention over all edges of the shop.

`graph` is the space itself, the other names here are points of it (`PRESETS`): every setting can be changed, and what a
name stands for is its defaults. How a point becomes a network is in `retrieve/net`: `messages.py` has what nodes hear,
`layers.py` how layers are made and combined, `inputs.py` the first vectors, `scorers.py` scores,
`starting.py` the start at the leading singular vectors.

Users have no vectors of their own: all layers of a user follow from the user's events, in training as in service, so
nothing is lost by folding in. Two tables of items take the users' place, one for items as they are offered and one for
items as they are had: A. Paterek, "Improving regularized singular value decomposition for collaborative filtering", KDD
Cup 2007 (NSVD1). Deviations from the papers of the presets: `docs/models/`.
"""

from collections.abc import Mapping
from copy import copy
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import create_model

from paretail.core.config import Config
from paretail.core.ids import Rows
from paretail.core.progress import Progress
from paretail.data.held import Mode
from paretail.data.types import History
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Arrays, Question, Scores
from paretail.retrieve.choose import Choice
from paretail.retrieve.content import texts_of
from paretail.retrieve.fitting import FitContext
from paretail.retrieve.served import Sums
from paretail.retrieve.spec import PRESETS, GraphModelSpec


class GraphModel:
    """Any point of the space."""

    name: ClassVar[str] = "graph"
    config_type: ClassVar[type[Config]] = GraphModelSpec
    warm_starts: ClassVar[bool] = True

    def __init__(self, arrays: Arrays, spec: GraphModelSpec, run: Mapping[str, Any] | None = None) -> None:
        self.spec, self.run, self._arrays = spec, run, arrays
        self._sums = Sums(arrays, spec) if spec.linear else None
        self._folding: Any = None if spec.linear else _folding(arrays, spec)

    @classmethod
    def fit(cls, graph: ShopGraph, config: Any, seed: int) -> Self:
        """Train for as many epochs as the settings say."""
        return cls.train(graph, config, seed, FitContext())

    @classmethod
    def train(cls, graph: ShopGraph, config: Any, seed: int, context: FitContext) -> Self:
        """Train under `context`, from an earlier model's weights where there is one.

        Without events there is nothing to learn, and the start is what is kept.
        """
        from paretail.retrieve.net import serving, starting, training  # torch, only where something is trained

        pairs = training.pairs_of(graph, config)
        network = training.network_of(graph, config, pairs, seed)
        if context.start is not None:
            before, texts = serving.trained(context.start.model.arrays()), texts_of(graph)
            rows = context.start.learned(config.weights, np.bincount(pairs.indices, minlength=graph.items) > 0)
            starting.go_on(network, before, rows, texts)
        validate = context.judge
        judge = None if validate is None else lambda net: validate(cls(serving.arrays_of(net), config))
        run = training.train(network, pairs, seed, context, judge).to_json() if pairs.nnz else None
        return cls(serving.arrays_of(network), config, run)

    @property
    def reads_traits(self) -> bool:
        """Whether users' vectors follow from traits or friends, too, as first vectors or as neighbours."""
        kept = [name for name in self._arrays if name.startswith(("told/", "states/"))]
        return any(name.startswith("told/") or name.rpartition("/")[2] != "item" for name in kept)

    @property
    def item_vectors(self) -> Scores | None:
        """Return what meets users' vectors in a product; None where scores are no products."""
        return None if self.spec.scorer == "mlp" else self._arrays["items"]

    def vectors(self, history: History) -> Scores:
        """Return users' vectors from their events and traits alone."""
        if self._sums is not None:
            return self._sums.users(history, None)
        return np.asarray(self._folding.users(history, None).numpy(), np.float32)

    def score(self, history: History, now_ms: int | None = None, mode: Mode = "target") -> Scores:
        """Return the scores; without history and traits, the items' biases."""
        if self._sums is not None:
            return self._sums.score(history, now_ms)
        scores: Scores = self._folding.score(self._folding.users(history, now_ms))
        return scores

    def falls(
        self, history: History, causes: Rows, listed: Rows, now_ms: int | None = None, mode: Mode = "target"
    ) -> Scores:
        """Return the summands of the score; of a network that is no sum, what the scores are without each cause."""
        if self._sums is not None:
            return self._sums.falls(history, causes, listed, now_ms)
        kept = np.concatenate([np.ones((1, len(history.item_idx)), bool), history.item_idx != causes[:, None]])
        copies = history.of_users(np.zeros(len(kept), np.int64)).where(kept.ravel())
        scores: Scores = self._folding.score(self._folding.users(copies, now_ms), listed)
        return np.asarray(scores[0] - scores[1:], np.float32)

    def arrays(self) -> Arrays:
        """Return what serves, and under `net/` what was trained."""
        return self._arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays, config: Any) -> Self:
        """Rebuild from arrays."""
        return cls(arrays, config)

    @classmethod
    def choose(
        cls, graph: ShopGraph, question: Question, given: dict[str, Any], seed: int, seconds: float, progress: Progress
    ) -> Choice:
        """Try settings on a split of the events within `seconds`; how many epochs is what validation says."""
        from paretail.retrieve.net.choosing import choose  # torch

        return choose(cls, graph, question, given, seed, seconds, progress)


def _folding(arrays: Arrays, spec: GraphModelSpec) -> Any:
    from paretail.retrieve.net.serving import Folding  # torch, only where scoring needs it

    return Folding(arrays, spec)


def preset(name: str) -> type[GraphModel]:
    """Return the model that PRESETS calls `name`: the space, with that point as its defaults."""
    fields: dict[str, Any] = {}
    for field, value in PRESETS[name].items():
        info = copy(GraphModelSpec.model_fields[field])
        info.default = value
        fields[field] = (info.annotation, info)
    told = f"The point `{name}` of the space of graph models"
    spec = create_model(
        f"{name.capitalize()}Spec", __base__=GraphModelSpec, __module__=__name__, __doc__=f"{told}.", **fields
    )
    members = {
        "name": name,
        "config_type": spec,
        "__doc__": f"{told}; see `docs/models/{name}.md`.",
        "__module__": __name__,
    }
    return type(name.capitalize(), (GraphModel,), members)


LightGcn = preset("lightgcn")
Ngcf = preset("ngcf")
Gcn = preset("gcn")
Sage = preset("sage")
Gat = preset("gat")
Hetero = preset("hetero")
