"""The network of a graph model: first vectors, layers of messages, one vector for each node, scores and their loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from paretail.learn import device
from paretail.learn.parts import by_parts
from paretail.learn.products import propagate
from paretail.retrieve.batches import Batch
from paretail.retrieve.losses import LOSSES, Scored, contrast, fused_softmax, noised
from paretail.retrieve.net.around import Step
from paretail.retrieve.net.inputs import Inputs
from paretail.retrieve.net.layers import Combination, Layer
from paretail.retrieve.net.scorers import SCORERS
from paretail.retrieve.net.wiring import Heard, New, Wiring, newcomers
from paretail.retrieve.spec import GraphModelSpec

#: Numbers of the vectors of pairs that are in memory at once, where a negative's score is no product of matrices.
CELLS: Final = 1 << 20
#: The states of every type of node, layer by layer.
States = list[dict[str, Tensor]]


@dataclass(frozen=True)
class Shape:
    """What a network must know of a graph to have its weights."""

    sizes: Mapping[str, int]
    relations: Mapping[str, Sequence[str]]
    told: Mapping[str, Sequence[str]]
    content: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Vectors:
    """One vector for each user and item, and each item's bias, as scoring wants them."""

    users: Float[Tensor, "users width"]
    items: Float[Tensor, "items width"]
    bias: Float[Tensor, " items"] | None = None


class Network(nn.Module):
    """A point of the space; the loss of a `Batch` sees the whole graph, that of a `Step` what is around its batch."""

    def __init__(self, spec: GraphModelSpec, shape: Shape, wiring: Wiring) -> None:
        super().__init__()
        self.spec, self.wiring = spec, wiring
        told = {side: {name: shape.sizes[name] for name in names} for side, names in shape.told.items()}
        told = told if spec.attributes else {"item": {}, "user": {}}
        count = shape.sizes["item"] if spec.ids else None
        self.items = Inputs(count, told["item"], spec.dim, shape.content)
        self.profile = Inputs(count, told["item"], spec.dim, shape.content) if spec.profile == "own" else None
        self.traits = Inputs(None, told["user"], spec.dim) if told["user"] else None
        others = {} if spec.edges == "events" else {n: s for n, s in shape.sizes.items() if n not in ("user", "item")}
        self.nodes = Inputs(None, others, spec.dim)
        self.layers = nn.ModuleList(Layer(spec, shape.relations) for _ in range(spec.depth))
        self.combination = Combination(spec)
        self.scorer = SCORERS[spec.scorer](spec.dim * (spec.depth + 1 if spec.combination == "concat" else 1))
        self.bias = nn.Parameter(torch.zeros(shape.sizes["item"])) if spec.bias else None
        self.scale = spec.temperature if spec.loss == "softmax" else 1.0

    def loss(self, seen: Batch | Step) -> Tensor | dict[str, Tensor]:
        """Return the loss of a batch, and that of the contrast beside it where the specification wants one.

        Messages may be of half precision; what is made of the layers' states is not.
        """
        batch, wiring = (seen.batch, seen.wiring) if isinstance(seen, Step) else (seen, self.whole())
        new = newcomers(self.spec.id_dropout, *wiring.events.csr.shape, batch.users.device)
        states = _full(self.states(wiring.shown(self.spec.edge_dropout, new), new))
        with device.unmixed(states[-1]["item"]):
            loss = self._loss(*self._asked(states, batch, wiring.rows.get("item")))
        if not self.spec.contrast:
            return loss
        return {self.spec.loss: loss, "contrast": self.spec.contrast * self._contrast(batch, wiring)}

    def _asked(self, states: States, batch: Batch, rows: Int[Tensor, " items"] | None) -> tuple[Vectors, Batch]:
        """Return the vectors of whom the batch names, and the batch with their places, where that is less than all.

        Of 30,000 items a batch with shared negatives names one in eight: layers are combined for these alone.
        """
        items = len(states[-1]["item"])
        if len(batch.negatives) != 1 or len(batch.items) + batch.negatives.shape[1] > items // 2:
            return self.vectors(states, rows), batch
        users, user = torch.unique(batch.users, return_inverse=True)
        named, place = torch.unique(torch.cat([batch.items, batch.negatives[0]]), return_inverse=True)
        few = [{"user": s["user"].index_select(0, users), "item": s["item"].index_select(0, named)} for s in states]
        seen = replace(batch, users=user, items=place[: len(batch.items)], negatives=place[None, len(batch.items) :])
        return self.vectors(few, named if rows is None else rows[named]), seen

    def _loss(self, vectors: Vectors, batch: Batch) -> Tensor:
        """Return the loss; the softmax of shared negatives whose scores are products never makes their table."""
        if self.spec.loss != "softmax" or len(batch.negatives) != 1 or self.spec.scorer == "mlp":
            return LOSSES[self.spec.loss](self.scored(vectors, batch), self.spec)
        users, items = vectors.users.index_select(0, batch.users), vectors.items.index_select(0, batch.items)
        negatives, bias = vectors.items.index_select(0, batch.negatives[0]), vectors.bias
        positive, offset = self.scorer.pairs(users, items), negatives.new_zeros(len(negatives))
        if bias is not None:
            positive, offset = positive + bias.index_select(0, batch.items), bias.index_select(0, batch.negatives[0])
        if self.spec.correction and batch.log_q is not None:
            offset = offset - self.spec.temperature * batch.log_q[0]
        return fused_softmax(users, negatives, offset, positive, batch.weight, batch.free, self.spec.temperature)

    def states(self, wiring: Wiring, new: New | None = None, noise: float = 0.0) -> States:
        """Return the states of all nodes in every layer; `noise` is what the contrast adds to each layer."""
        states = [self._first(wiring, new)]
        for layer, hop in zip(self.layers, wiring.hops(len(self.layers)), strict=True):
            hears = {kind: hop.get(kind, ()) for kind in states[-1]}
            before = {kind: state[: _targets(hears[kind])] for kind, state in states[-1].items()}
            made = {kind: layer(kind, state, hears[kind], states[-1]) for kind, state in before.items()}
            states.append({kind: noised(state, noise) for kind, state in made.items()} if noise else made)
        return states

    def vectors(self, states: States, rows: Int[Tensor, " items"] | None = None) -> Vectors:
        """Return what scoring wants of those whom the last layer has; `rows` says which items these are."""
        users, items = (
            self.combination(side, [state[side][: len(states[-1][side])] for state in states])
            for side in ("user", "item")
        )
        bias = self.biases()
        known = bias if bias is None or rows is None else bias.index_select(0, rows[: len(items)])
        return Vectors(self.scorer.user(users), self.scorer.item(items), known)

    def scored(self, vectors: Vectors, batch: Batch) -> Scored:
        """Return the scores of a batch's examples; of hard negatives those alone that score best."""
        users, items = vectors.users.index_select(0, batch.users), vectors.items.index_select(0, batch.items)
        bias = vectors.bias
        if self.spec.negatives_from == "hard":
            with torch.no_grad():
                pool = self._negatives(users, vectors, batch.negatives)
            batch = batch.hardest(pool, self.spec.negatives)
        positive = self.scorer.pairs(users, items) + (0.0 if bias is None else bias.index_select(0, batch.items))
        negative = self._negatives(users, vectors, batch.negatives)
        return Scored(positive, negative, batch.weight, users, items, batch.free, batch.log_q)

    def biases(self) -> Float[Tensor, " items"] | None:
        """Return the items' biases in units of the scores; they are trained in those of the loss."""
        return None if self.bias is None else self.bias * self.scale

    def kinds(self) -> dict[str, str]:
        """Return the type of node that the rows of each weight are, for those whose rows are nodes."""
        parts = {"items": self.items, "profile": self.profile, "traits": self.traits, "nodes": self.nodes}
        kinds = {
            f"{part}.{name}": kind
            for part, inputs in parts.items() if inputs is not None
            for name, kind in inputs.kinds("item").items()
        }  # fmt: skip
        return kinds if self.bias is None else {**kinds, "bias": "item"}

    def _first(self, wiring: Wiring, new: New | None) -> dict[str, Tensor]:
        known = wiring.events.source_degree > 0
        known = known if new is None else known & ~new.items
        items, said = self.first_items(wiring, known)
        return {"user": self.first_users(wiring, said), "item": items, **self.nodes.states(wiring.rows)}

    def first_items(
        self, wiring: Wiring, known: Bool[Tensor, " items"]
    ) -> tuple[Float[Tensor, "items dim"], Float[Tensor, "items dim"]]:
        """Return the first vectors of items, and what each says of a user who had it."""
        about = wiring.told.get("item", {}), known, wiring.content, wiring.rows.get("item")
        items = self.items(*about)
        return items, items if self.profile is None else self.profile(*about)

    def first_users(self, wiring: Wiring, said: Float[Tensor, "items dim"]) -> Float[Tensor, "users dim"]:
        """Return the first vectors of the users of `wiring`, of whom each item had says `said`."""
        users = propagate(wiring.events.symmetric, said)
        return users if self.traits is None else users + self.traits(wiring.told["user"])

    def _negatives(self, users: Tensor, vectors: Vectors, negatives: Tensor) -> Tensor:
        """Return the scores `[pairs, negs]` of negatives that all examples share or that each has for itself."""
        items, bias = vectors.items, vectors.bias
        if len(negatives) == 1 and self.spec.scorer != "mlp":
            scores = self.scorer.table(users, items.index_select(0, negatives[0]))
        else:
            rows = max(1, CELLS // max(1, negatives.shape[1] * users.shape[1]))
            split, whole = ([users], [negatives, items]) if len(negatives) == 1 else ([users, negatives], [items])
            scores = by_parts(self._few, rows, split, whole, list(self.scorer.parameters()))
        return scores if bias is None else scores + bias.index_select(0, negatives.flatten()).view_as(negatives)

    def _few(self, users: Tensor, negatives: Tensor, items: Tensor) -> Tensor:
        """Return the scores of a few users with negatives, on the way to which each pair has a vector."""
        if len(negatives) == 1:
            return self.scorer.table(users, items.index_select(0, negatives[0]))
        of_each = users.repeat_interleave(negatives.shape[1], 0)
        return self.scorer.pairs(of_each, items.index_select(0, negatives.flatten())).view_as(negatives)

    def _contrast(self, batch: Batch, seen: Wiring) -> Tensor:
        """Return how far two views disagree on the distinct users and items of the batch."""
        size, views = self.spec.augmentation_size, []
        for _ in range(2):
            edges = self.spec.augmentation == "edges"
            wiring = seen.shown(size if edges else self.spec.edge_dropout, None)
            states = _full(self.states(wiring, noise=0.0 if edges else size))
            with device.unmixed(batch.users):
                views.append(self.vectors(states, seen.rows.get("item")))
        users, items = (torch.unique(nodes) for nodes in (batch.users, batch.items))
        sides = ((users, [view.users for view in views]), (items, [view.items for view in views]))
        with device.unmixed(batch.users):
            losses = [contrast(both[0][nodes], both[1][nodes], self.spec.contrast_temperature) for nodes, both in sides]
        return torch.stack(losses).sum()

    def whole(self) -> Wiring:
        """Return the wiring of the whole graph, where the weights are."""
        there = next(self.parameters()).device
        if self.wiring.events.target_degree.device != there:
            self.wiring = device.moved(self.wiring, there)
        return self.wiring


def _full(states: States) -> States:
    return [{kind: device.full(state) for kind, state in layer.items()} for layer in states]


def _targets(heard: Sequence[Heard]) -> int | None:
    """Return how many nodes of a type hear something; None: all that there are."""
    return heard[0].edges.csr.shape[0] if heard else None
