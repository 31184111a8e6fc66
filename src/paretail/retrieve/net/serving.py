"""What serves of a trained network: arrays for a bundle, and users folded in from their events alone.

Where a user's vector is a sum over the events (`GraphModelSpec.linear`), the arrays are matrices of items, from which
`retrieve/served.py` answers without torch. Else the states of the items are kept, layer by layer, and a user's layers
are computed from them as in training.
"""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, nn

from paretail.data.types import History
from paretail.graph.interactions import interactions, kind_weights
from paretail.learn.products import propagate
from paretail.retrieve.base import Arrays, Scores
from paretail.retrieve.net.edges import Edges
from paretail.retrieve.net.layers import Combination, Layer
from paretail.retrieve.net.network import Network
from paretail.retrieve.net.scorers import SCORERS
from paretail.retrieve.net.wiring import Heard, Wiring, said_by
from paretail.retrieve.spec import GraphModelSpec

#: Under this name a bundle has all that was trained, from which training may start again.
TRAINED = "net/"
#: So many scores are made at once by a scorer that is no product.
CELLS = 1 << 20


@torch.no_grad()
def arrays_of(network: Network) -> Arrays:
    """Return what a bundle keeps."""
    network.eval()
    spec, wiring = network.spec, network.whole()
    states = network.states(wiring)
    _, said = network.first_items(wiring, wiring.events.source_degree > 0)
    traits = {} if network.traits is None else network.traits.states()
    kept: dict[str, Tensor] = {"items": network.vectors(states).items, "degree": wiring.events.source_degree}
    kept |= {TRAINED + name: tensor for name, tensor in network.state_dict().items()}
    if (bias := network.biases()) is not None:
        kept["bias"] = bias + network.scale * spec.bias_lift * log_events(wiring)
    if spec.linear:
        kept["profile"] = network.combination("user", [said, *(state["item"] for state in states[:-1])])
        for name, table in traits.items():
            kept[f"told/{name}"] = network.combination("user", [table, *([torch.zeros_like(table)] * spec.depth)])
    else:
        kept["profile"] = said
        kept |= {f"told/{name}": table for name, table in traits.items()}
        for heard in wiring.hop().get("user", ()):
            kept[f"degree/{heard.name}"] = heard.edges.source_degree
            kept |= {f"states/{layer}/{heard.source}": state[heard.source] for layer, state in enumerate(states[:-1])}
    return {name: np.ascontiguousarray(tensor.detach().cpu().numpy()) for name, tensor in kept.items()}


def log_events(wiring: Wiring) -> Tensor:
    """Return the log of each item's number of users, 0 where nobody had it."""
    return torch.diff(wiring.events.csr.by_column.indptr).clamp(min=1).float().log()


def trained(arrays: Arrays) -> dict[str, Tensor]:
    """Return the weights that a bundle keeps, by their names in the network."""
    return {
        name.removeprefix(TRAINED): torch.from_numpy(np.require(array, requirements="W"))
        for name, array in arrays.items() if name.startswith(TRAINED)
    }  # fmt: skip


class Folding(nn.Module):
    """The users' half of a network; reads histories, knows no graph."""

    def __init__(self, arrays: Arrays, spec: GraphModelSpec) -> None:
        super().__init__()
        tensors = {
            name: torch.from_numpy(np.require(array, requirements="W"))
            for name, array in arrays.items()
            if not name.startswith(TRAINED)
        }
        self.spec, self.kept = spec, tensors
        self.sources = {name: said_by(name) for name in _under("degree/", arrays)}
        names = {"user": list(self.sources)}
        self.layers = nn.ModuleList(Layer(spec, names) for _ in range(spec.depth))
        self.combination = Combination(spec)
        width = spec.dim * (spec.depth + 1 if spec.combination == "concat" else 1)
        self.scorer = SCORERS[spec.scorer](width)
        weights = trained(arrays)
        self.load_state_dict({name: weights[name] for name in self.state_dict()})
        self.eval()

    @torch.no_grad()
    def users(self, history: History, now_ms: int | None) -> Tensor:
        """Return the vectors of the users of `history` as scoring wants them."""
        kept, items = self.kept, len(self.kept["items"])
        weights = kind_weights(history.kinds, self.spec.weights)
        pairs = interactions(history, items, weights, self.spec.half_life_days, now_ms)
        events = Edges.of(pairs, self.kept["degree"].numpy())
        first = propagate(events.symmetric, kept["profile"])
        for name, table in self._told().items():
            first = first + propagate(Edges.of(self._about(history, name, len(table))).means, table)
        layers = [first]
        for number, layer in enumerate(self.layers):
            states = {source: kept[f"states/{number}/{source}"] for source in self.sources.values()}
            heard = [self._heard(name, history, events, len(states[source])) for name, source in self.sources.items()]
            layers.append(layer("user", layers[-1], heard, states))
        vectors: Tensor = self.scorer.user(self.combination("user", layers))
        return vectors

    @torch.no_grad()
    def score(self, users: Tensor, items: NDArray[np.integer] | None = None) -> Scores:
        """Return the scores of users' vectors with all items, or those named."""
        vectors, bias = self.kept["items"], self.kept.get("bias")
        if items is not None:
            rows = torch.from_numpy(items.astype(np.int64))
            vectors, bias = vectors[rows], None if bias is None else bias[rows]
        block = max(1, CELLS // max(1, len(vectors)))
        parts = [self.scorer.table(users[start : start + block], vectors) for start in range(0, len(users), block)]
        scores = torch.cat(parts) if parts else users.new_zeros(0, len(vectors))
        return np.asarray((scores if bias is None else scores + bias).numpy(), np.float32)

    def _told(self) -> dict[str, Tensor]:
        return {name: self.kept[f"told/{name}"] for name in _under("told/", self.kept)}

    def _heard(self, name: str, history: History, events: Edges, count: int) -> Heard:
        source = self.sources[name]
        if source == "item":
            return Heard(name, source, events)
        degree = self.kept[f"degree/{name}"].numpy()
        return Heard(name, source, Edges.of(self._about(history, source, count), degree))

    @staticmethod
    def _about(history: History, name: str, count: int) -> sparse.csr_array:
        known = history.about.get(name)
        nothing = (np.zeros(0, np.float32), np.zeros(0, np.int32), np.zeros(history.users + 1, np.int32))
        return sparse.csr_array(nothing, shape=(history.users, count)) if known is None else known


def _under(prefix: str, names: Iterable[str]) -> list[str]:
    return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
