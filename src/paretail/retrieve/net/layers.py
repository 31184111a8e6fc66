"""A layer: what a node hears along each relation, on average, made into its next state; and layers made one vector.

    x_t' = dropout(φ(norm(mean over relations r of message_r(x_t, x_s, edges_r)))) [+ x_t]

A type of node that hears nothing keeps its state.
Combination: z = x^L (last), Σ x^l, mean x^l, [x^0, ..., x^L] (concat), Σ α_l x^l with trained α (weighted), or with
α = softmax_l q·tanh(W x^l) of each node (attention). concat: K. Xu et al., "Representation learning on graphs with
jumping knowledge networks", ICML 2018, arXiv:1806.03536. Deviations: none.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from paretail.retrieve.net.inputs import slot
from paretail.retrieve.net.messages import MESSAGES
from paretail.retrieve.net.wiring import Heard
from paretail.retrieve.spec import Activation, GraphModelSpec

ACTIVATIONS: Final[dict[Activation, Callable[[Tensor], Tensor]]] = {
    "none": lambda x: x,
    "relu": functional.relu,
    "leaky_relu": lambda x: functional.leaky_relu(x, 0.2),
    "elu": functional.elu,
    "gelu": functional.gelu,
    "tanh": torch.tanh,
}
#: The name of weights that all relations share.
SHARED: Final = "shared"


class Layer(nn.Module):
    """One round of messages; `relations` names what each type of node hears."""

    def __init__(self, spec: GraphModelSpec, relations: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        names = [SHARED] if spec.relations == "shared" else [name for heard in relations.values() for name in heard]
        self.messages = nn.ModuleDict({slot(name): MESSAGES[spec.message](spec) for name in names})
        norms: dict[str, Callable[[], nn.Module]] = {
            "none": nn.Identity, "layer": lambda: nn.LayerNorm(spec.dim), "batch": lambda: _BatchNorm(spec.dim),
        }  # fmt: skip
        self.norms = nn.ModuleDict({slot(kind): norms[spec.normalisation]() for kind in relations})
        self.shared = spec.relations == "shared"
        self.activation, self.residual, self.dropout = ACTIVATIONS[spec.activation], spec.residual, spec.dropout

    def forward(
        self, kind: str, state: Float[Tensor, "targets dim"], heard: Sequence[Heard], states: Mapping[str, Tensor]
    ) -> Float[Tensor, "targets dim"]:
        """Return the next state of nodes of one type, who hear `states` of others, those that come first."""
        if not heard:
            return state
        said = [
            self._message(one.name)(state, states[one.source][: one.edges.csr.shape[1]], one.edges) for one in heard
        ]
        told = said[0] if len(said) == 1 else torch.stack(said).mean(0)
        made = functional.dropout(self.activation(self.norms[slot(kind)](told)), self.dropout, self.training)
        return made + state if self.residual else made

    def _message(self, name: str) -> nn.Module:
        return self.messages[slot(SHARED if self.shared else name)]


class Combination(nn.Module):
    """The layers of users and of items, each as one vector."""

    def __init__(self, spec: GraphModelSpec) -> None:
        super().__init__()
        self.way, layers = spec.combination, spec.depth + 1
        if self.way == "weighted":
            self.alpha = nn.ParameterDict({kind: nn.Parameter(torch.full((layers,), 1 / layers)) for kind in SIDES})
        if self.way == "attention":
            self.lin, self.query = nn.Linear(spec.dim, spec.dim), nn.Linear(spec.dim, 1, bias=False)

    def forward(self, kind: str, layers: Sequence[Float[Tensor, "nodes dim"]]) -> Float[Tensor, "nodes width"]:
        """Return the vectors; `concat` makes them as many times longer as there are layers."""
        if self.way == "last":
            return layers[-1]
        if self.way == "concat":
            return torch.cat(list(layers), 1)
        stacked = torch.stack(list(layers), 1)
        if self.way == "weighted":
            return torch.einsum("nld,l->nd", stacked, self.alpha[kind])
        if self.way == "attention":
            share: Tensor = self.query(torch.tanh(self.lin(stacked))).softmax(1)
            return (stacked * share).sum(1)
        return stacked.sum(1) if self.way == "sum" else stacked.mean(1)


#: The types of node that scores are made of.
SIDES: Final = ("user", "item")


class _BatchNorm(nn.BatchNorm1d):
    """Batch normalisation that leaves a single node to the running figures."""

    def forward(self, x: Tensor) -> Tensor:
        learns = self.training and len(x) > 1
        return functional.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, learns, self.momentum or 0.0, self.eps
        )
