"""The wiring of a shop's graph: which type of node hears which along what, and what is known of items and users."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

import torch
from jaxtyping import Bool, Float, Int
from scipy import sparse
from torch import Tensor

from paretail.data.features.content import Content
from paretail.graph.adjacency import REVERSED
from paretail.graph.edges import Relation
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.net.edges import Edges

#: The verb of events.
HAD: Final = "had"
EVENTS: Final[Relation] = ("user", HAD, "item")


@dataclass(frozen=True, eq=False)
class Heard:
    """Edges along which a type of node hears `source`; `name` says which weights the message has."""

    name: str
    source: str
    edges: Edges


#: What each type of node hears in one layer.
Hop = Mapping[str, tuple[Heard, ...]]


@dataclass(frozen=True, eq=False)
class New:
    """Users and items that a step shows as new: their vectors of their own and their events are hidden."""

    users: Bool[Tensor, " users"]
    items: Bool[Tensor, " items"]


@dataclass(frozen=True, eq=False)
class Wiring:
    """`sizes` counts the nodes of each type; `edges` has each relation as weights `[sources, targets]`.

    The sources of `edges[relation]` hear its targets along it, and the targets hear the sources along the same edges
    turned; events alone where the model goes along them alone. `told` has what is known of items and users, by the type
    of node, as edges on which the item or user hears; `content` what texts and vectors say of items. `rows` says
    which nodes are there, by type; a type without an entry is there whole.
    """

    sizes: Mapping[str, int]
    events: Edges
    edges: Mapping[Relation, Edges]
    told: Mapping[str, Mapping[str, Edges]]
    content: Mapping[str, Float[Tensor, "items width"]] = field(default_factory=dict)
    rows: Mapping[str, Int[Tensor, " nodes"]] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: ShopGraph, pairs: sparse.csr_array, everything: bool, content: Content | None = None) -> Self:
        """Wire the events `pairs[users, items]`, with `everything` all other edges; `content` is that of the items."""
        sizes = {name: len(nodes) for name, nodes in graph.nodes.items()}
        others = {relation: Edges.of(edges.matrix()) for relation, edges in graph.edges.items()}
        told = {
            side: {target: edges for (source, _, target), edges in others.items() if source == side != target}
            for side in ("item", "user")
        }
        said = {name: torch.from_numpy(matrix) for name, matrix in (content or {}).items()}
        events = Edges.of(pairs)
        return cls(sizes, events, {EVENTS: events, **(others if everything else {})}, told, said)

    def hop(self) -> Hop:
        """Return what each type of node hears."""
        heard: dict[str, tuple[Heard, ...]] = {}
        for relation, edges in self.edges.items():
            for turned, (hearing, verb, said) in enumerate(directions(relation)):
                along = edges.turned if turned else edges
                heard[hearing] = (*heard.get(hearing, ()), Heard(heard_of(hearing, verb, said), said, along))
        return heard

    def hops(self, depth: int) -> Sequence[Hop]:
        """Return what each type of node hears in each layer."""
        return [self.hop()] * depth if depth else []

    def shown(self, edge_dropout: float, new: New | None) -> "Wiring":
        """Return what a step sees: without a random share of the edges, and with users and items that are new."""
        events = self.events if new is None else self.events.without(new.users, new.items)
        edges = {relation: kept.dropped(edge_dropout) for relation, kept in {**self.edges, EVENTS: events}.items()}
        return replace(self, events=edges[EVENTS], edges=edges)


def relations_of(graph: ShopGraph, everything: bool) -> dict[str, list[str]]:
    """Return the names of the relations that each type of node hears."""
    names: dict[str, list[str]] = {}
    for relation in [EVENTS, *(graph.edges if everything else ())]:
        for hearing, verb, said in directions(relation):
            names.setdefault(hearing, []).append(heard_of(hearing, verb, said))
    return names


def heard_of(hearing: str, verb: str, said: str) -> str:
    """Return the name under which one type of node hears another."""
    return f"{hearing} {verb} {said}"


def said_by(name: str) -> str:
    """Return whom `heard_of` named as heard."""
    return name.split(" ", 2)[2]


def directions(relation: Relation) -> tuple[Relation, ...]:
    """Return who hears whom along a relation, and turned; friends are edges in both directions already."""
    source, verb, target = relation
    turned = (target, verb + REVERSED, source)
    return (relation,) if source == target == "user" else (relation, turned)


def newcomers(share: float, users: int, items: int, device: torch.device) -> New | None:
    """Draw a share of users and items, from torch's own randomness."""
    if not share:
        return None
    return New(*(torch.rand(count, device=device) < share for count in (users, items)))
