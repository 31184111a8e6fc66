"""What a node hears from its neighbours along one relation: one module a kind, in one visible table.

Each works on any bipartite piece of graph: states of targets, states of sources, and the edges between them.

    lightgcn  Σ_s w_ts x_s / √(d_t d_s)
    ngcf      W₁ (x_t + m) + W₂ (x_t ⊙ m),  m as in lightgcn
    gcn       W (x_t / d̂_t + Σ_s w_ts x_s / √(d̂_t d̂_s)),  d̂ = d + 1
    sage      W₁ agg_s(x_s) + W₂ x_t
    gat       Σ_s a_ts W x_s,  a = softmax_s LeakyReLU(α·W x_s + β·W x_t)
    gatv2     Σ_s a_ts W₁ x_s,  a = softmax_s α·LeakyReLU(W₁ x_s + W₂ x_t)
    gin       MLP((1 + ε) x_t + Σ_s w_ts x_s)

w is the weight of the edge from s to t, d a node's weights summed; softmax counts an edge w times (`attention.py`).
lightgcn: X. He et al., SIGIR 2020, arXiv:2002.02126. ngcf: X. Wang et al., SIGIR 2019, arXiv:1905.08108. gcn: T. Kipf,
M. Welling, ICLR 2017, arXiv:1609.02907. sage: W. Hamilton et al., NeurIPS 2017, arXiv:1706.02216. gat: P. Veličković et
al., ICLR 2018, arXiv:1710.10903. gatv2: S. Brody et al., ICLR 2022, arXiv:2105.14491. gin: K. Xu et al., ICLR 2019,
arXiv:1810.00826.
Deviations: 1. edges have weights everywhere; 2. ngcf: W₂ meets the sum, not each summand, which is the same; 3. gat and
gatv2: no edge of a node to itself, as targets and sources are of different types; `residual` keeps a node's own state;
4. sage: states are not scaled to length 1 after each layer; 5. gin: no batch normalisation within the MLP.
With weights of 1 gcn, sage, gat, gatv2 and gin are torch_geometric's layers to rounding; a test compares them.
"""

from collections.abc import Callable
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from paretail.learn.device import full
from paretail.learn.products import propagate
from paretail.retrieve.net.attention import attended, edge_softmax
from paretail.retrieve.net.edges import Edges
from paretail.retrieve.spec import GraphModelSpec, MessageName

#: The slope of the attention's LeakyReLU below 0.
SLOPE: Final = 0.2


class Message(nn.Module):
    """What targets hear; `forward(target, source, edges)` is of the targets' shape."""

    def __init__(self, spec: GraphModelSpec) -> None:
        super().__init__()

    def forward(
        self, target: Float[Tensor, "targets dim"], source: Float[Tensor, "sources dim"], edges: Edges
    ) -> Float[Tensor, "targets dim"]:
        """Return what each target hears."""
        raise NotImplementedError


class LightGcn(Message):
    """The normalised sum, without any weight of its own."""

    def forward(self, target: Tensor, source: Tensor, edges: Edges) -> Tensor:
        """Return the sum."""
        return propagate(edges.symmetric, source)


class Ngcf(Message):
    """The normalised sum, and where it agrees with the target."""

    def __init__(self, spec: GraphModelSpec) -> None:
        super().__init__(spec)
        self.plain, self.agreeing = nn.Linear(spec.dim, spec.dim), nn.Linear(spec.dim, spec.dim)

    def forward(self, target: Tensor, source: Tensor, edges: Edges) -> Tensor:
        """Return both, transformed."""
        heard = propagate(edges.symmetric, source)
        agreeing: Tensor = self.plain(target + heard) + self.agreeing(target * heard)
        return agreeing


class Gcn(Message):
    """The normalised sum with the target in it."""

    def __init__(self, spec: GraphModelSpec) -> None:
        super().__init__(spec)
        self.lin = nn.Linear(spec.dim, spec.dim, bias=False)
        self.bias = nn.Parameter(torch.zeros(spec.dim))

    def forward(self, target: Tensor, source: Tensor, edges: Edges) -> Tensor:
        """Return the transformed sum."""
        sums, own = edges.looped
        heard: Tensor = self.lin(target * own[:, None] + propagate(sums, source))
        return heard + self.bias


class Sage(Message):
    """Neighbours added up by their mean, their greatest or by attention; the target apart."""

    def __init__(self, spec: GraphModelSpec) -> None:
        super().__init__(spec)
        self.lin_l, self.lin_r = nn.Linear(spec.dim, spec.dim), nn.Linear(spec.dim, spec.dim, bias=False)
        self.lin = nn.Linear(spec.dim, spec.dim) if spec.aggregation == "max" else None
        self.gate = nn.Linear(spec.dim, 1) if spec.aggregation == "attention" else None

    def forward(self, target: Tensor, source: Tensor, edges: Edges) -> Tensor:
        """Return the transformed neighbours and the transformed target together."""
        heard: Tensor = self.lin_l(self._neighbours(source, edges)) + self.lin_r(target)
        return heard

    def _neighbours(self, source: Tensor, edges: Edges) -> Tensor:
        if self.lin is not None:
            return greatest(self.lin(source).relu(), edges)
        if self.gate is not None:
            shares = edge_softmax(self.gate(source).index_select(0, edges.sources), edges)
            return attended(shares, source[:, None], edges.csr)[:, 0]
        return propagate(edges.means, source)


class Gat(Message):
    """Neighbours by attention that adds a score of the source and one of the target."""

    def __init__(self, spec: GraphModelSpec) -> None:
        super().__init__(spec)
        self.heads = spec.heads
        self.lin = nn.Linear(spec.dim, spec.dim, bias=False)
        self.bias = nn.Parameter(torch.zeros(spec.dim))
        self.att_src, self.att_dst = (_attention(spec) for _ in range(2))

    def forward(self, target: Tensor, source: Tensor, edges: Edges) -> Tensor:
        """Return what attention lets through."""
        values = self.lin(source).unflatten(1, (self.heads, -1))
        own = (self.lin(target).unflatten(1, (self.heads, -1)) * self.att_dst).sum(-1)
        others = (values * self.att_src).sum(-1)
        shares = edge_softmax(
            leaky_relu(own.index_select(0, edges.targets) + others.index_select(0, edges.sources), SLOPE), edges
        )
        return attended(shares, values, edges.csr).flatten(1) + self.bias


class GatV2(Message):
    """Neighbours by attention that sees source and target together; memory grows with edges times dim."""

    def __init__(self, spec: GraphModelSpec) -> None:
        super().__init__(spec)
        self.heads = spec.heads
        self.lin_l, self.lin_r = nn.Linear(spec.dim, spec.dim), nn.Linear(spec.dim, spec.dim)
        self.bias = nn.Parameter(torch.zeros(spec.dim))
        self.att = _attention(spec)

    def forward(self, target: Tensor, source: Tensor, edges: Edges) -> Tensor:
        """Return what attention lets through."""
        values, own = (lin(x).unflatten(1, (self.heads, -1)) for lin, x in ((self.lin_l, source), (self.lin_r, target)))
        scores = (
            leaky_relu(values.index_select(0, edges.sources) + own.index_select(0, edges.targets), SLOPE) * self.att
        ).sum(-1)
        return attended(edge_softmax(scores, edges), values, edges.csr).flatten(1) + self.bias


class Gin(Message):
    """The plain sum and the target, through two layers."""

    def __init__(self, spec: GraphModelSpec) -> None:
        super().__init__(spec)
        self.nn = nn.Sequential(nn.Linear(spec.dim, spec.dim), nn.ReLU(), nn.Linear(spec.dim, spec.dim))
        self.eps = nn.Parameter(torch.zeros(()))

    def forward(self, target: Tensor, source: Tensor, edges: Edges) -> Tensor:
        """Return the transformed sum."""
        heard: Tensor = self.nn((1 + self.eps) * target + propagate(edges.csr, source))
        return heard


#: What `message` may name; `none` has no layer.
MESSAGES: Final[dict[MessageName, Callable[[GraphModelSpec], Message]]] = {
    "lightgcn": LightGcn,
    "ngcf": Ngcf,
    "gcn": Gcn,
    "sage": Sage,
    "gat": Gat,
    "gatv2": GatV2,
    "gin": Gin,
}


def greatest(source: Float[Tensor, "sources dim"], edges: Edges) -> Float[Tensor, "targets dim"]:
    """Return the greatest of each number of the neighbours, each times its edge's weight; 0 where there are none.

    A maximum has no mean to keep: where edges are left out, the others count as they are.
    """
    source = full(source)
    said = source.index_select(0, edges.sources) * (edges.csr.by_row.values / edges.grown)[:, None]
    heard = torch.zeros(edges.csr.shape[0], source.shape[1], dtype=source.dtype, device=source.device)
    return heard.scatter_reduce(0, edges.targets[:, None].expand_as(said), said, "amax", include_self=True)


def _attention(spec: GraphModelSpec) -> nn.Parameter:
    return nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, spec.heads, spec.dim // spec.heads)))
