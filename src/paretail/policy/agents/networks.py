"""Networks of agents: what they see of a state, scores of items from item vectors, and values of states.

A score is a product of a vector that follows from the state and of the item's features, never one output an item:

    score(s, c, i) = q(s, c)·φ_i + pull(φ_i) + Σ_ages θ(age) [i was shown then],   c = Σ φ of the slots above
    q = [ U(x) + α∘taste + Σ_d ω_d T_d + ω c  |  g(h_k) for each group k ]

x is the observation, the taste and totals of the session; h_k is what the session tells of group k: how much of it was
shown and clicked, at each decay and in this slate, its rate of clicks and the taste's product with its centre. g is one
network for all groups, so what is learned of the boredom with one holds for all (M. Zaheer et al., "Deep Sets", 2017,
arXiv:1703.06114). As c moves q, slots know what stands above them.
Deviations: scores pool nothing, each group has an output of its own (their equivariant layer with γ = 0); values pool
by a mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from paretail.policy.agents.config import AgentConfig
from paretail.policy.agents.items import Items
from paretail.policy.agents.rests import Rests
from paretail.policy.agents.windows import Window

Rows = Int[Tensor, "batch slots"]
Scores = Float[Tensor, "batch slots items"]
Within = Float[Tensor, "batch slots dim"]
#: Decays by steps of the memory of single items.
_OWN = (0.8, 0.95, 1.0)
#: Looks that a group's rate of clicks is drawn to the usual one by.
LOOKS = 4.0
_TOTALS = 3
#: Units of the network of groups; one more is kept for a rule of rests.
_UNITS = 32
#: How much faster the structure of a score learns than its layers.
FASTER = 4.0
#: What the squared bias of an item that is shown counts in the loss of the model of clicks.
ITEM_PRIOR = 0.01


@dataclass(frozen=True, eq=False)
class Seen:
    """A state as networks see it: `x[batch, width]`, `groups[batch, groups, columns]`, traces, rows and clicks."""

    x: Tensor
    groups: Tensor
    traces: Tensor
    taste: Tensor
    doubt: Tensor
    rows: Tensor
    clicked: Tensor


@dataclass(frozen=True, eq=False)
class Prepared:
    """What no slot changes: q without the slate, the groups' first layer, and each item's own score."""

    q: Tensor
    hidden: Tensor
    own: Tensor


class Eyes(nn.Module):
    """From the arrays of a state to what networks see; its buffers are moments and constants, it learns nothing."""

    mean: Tensor
    spread: Tensor
    usual: Tensor
    centre: Tensor

    def __init__(self, items: Items, slots: int, width: int, config: AgentConfig) -> None:
        super().__init__()
        self.components, self.groups, self.slots = items.z.shape[1], items.groups, slots
        self.weight = 1.0 / max(1.0, slots / 3)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))
        self.register_buffer("usual", torch.tensor(0.5))
        centre = items.centre if items.groups else np.zeros((0, self.components), np.float32)
        self.register_buffer("centre", torch.from_numpy(centre))
        self.width = width + config.goals + self.components + _TOTALS + len(config.decays)
        self.columns = 2 * len(config.decays) + 2

    def forward(self, state: Mapping[str, Tensor]) -> Seen:
        """Return what is seen of a batch of states."""
        traces, clock, taste = state["traces"], state["clock"], state["taste"]
        observed = ((state["obs"] - self.mean) / self.spread).clamp(-8, 8)
        count = traces[..., self.components :] / self.weight
        shown, clicked = count[:, :, 0], count[:, :, 1]
        logs = (torch.cat([shown, clicked], 1)).log1p().transpose(1, 2)
        rate = ((clicked[:, 0] + LOOKS * self.usual) / (shown[:, 0] + LOOKS)).clamp(0.01, 0.99).logit()
        near = taste @ self.centre.T
        groups = torch.cat([logs, (rate - self.usual.clamp(0.01, 0.99).logit())[..., None], 3 * near[..., None]], 2)
        steps, clicks = clock[:, 0], clock[:, 1]
        share = (clicks + LOOKS * self.usual) / (steps * self.slots + LOOKS) - self.usual
        crowd = (shown**2).sum(2).sqrt().log1p()
        totals = torch.cat([steps.log1p()[:, None] / 3, steps[:, None] / 50, share[:, None], crowd], 1)
        x = torch.cat([observed, state["aim"], 2 * taste, totals], 1)
        return Seen(x, groups, traces, taste, state["doubt"], state["rows"], state["clicked"])


class Scorer(nn.Module):
    """Scores of items in a state, slot by slot."""

    phi: Tensor
    ages: Tensor
    doubt: Tensor

    def __init__(self, items: Items, eyes: Eyes, config: AgentConfig, start: float = 0.01, taste: float = 0.0) -> None:
        super().__init__()
        decays, self.components, self.kept = len(config.decays), eyes.components, max(1, config.kept // eyes.slots)
        self.register_buffer("phi", torch.from_numpy(items.phi), persistent=False)
        ages = (torch.arange(self.kept * eyes.slots) // eyes.slots).float()
        self.register_buffer("ages", torch.stack([decay**ages for decay in _OWN]), persistent=False)
        self.window = Window(items, eyes.slots, config) if config.encoder != "none" else None
        width = eyes.width + (config.dim if self.window else 0)
        self.user = mlp(width, config.dim, items.phi.shape[1], start)
        self.straight = nn.Linear(width, items.phi.shape[1], bias=False)
        self.pull = mlp(items.phi.shape[1], 32, 1, start)
        self.alpha = nn.Parameter(torch.full((self.components,), taste))
        self.omega, self.omega_group = nn.Parameter(torch.zeros(decays, 2)), nn.Parameter(torch.zeros(decays, 2))
        self.above, self.above_group = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))
        self.own = nn.Parameter(torch.zeros(2, len(_OWN)))
        self.rests = Rests(items, eyes.slots)
        self.group = nn.Linear(eyes.columns + 2, _UNITS + 1)
        self.told = nn.Linear(_UNITS + 1, 1)
        self.slot_weight = eyes.weight
        self.item: nn.Parameter | None = None
        nn.init.normal_(self.straight.weight, std=start / width**0.5)
        nn.init.normal_(self.told.weight, std=start)
        nn.init.zeros_(self.told.bias)
        self.register_buffer("doubt", torch.zeros(()))
        with torch.no_grad():
            self.group.weight[_UNITS], self.group.bias[_UNITS], self.told.weight[0, _UNITS] = 0.0, 0.0, 0.0

    def rest(self, most: float, last: int, within: int, each: float, slope: float) -> None:
        """Let the unit that is kept for it take `slope` for each click on a group above a rule (`rests.py`)."""
        with torch.no_grad():
            self.rests.rule.copy_(torch.tensor([last, within]))
            self.group.weight[_UNITS] = 0.0
            self.group.weight[_UNITS, -2:] = torch.tensor([1.0, each])
            self.group.bias[_UNITS], self.told.weight[0, _UNITS] = 1.0 - most, -slope

    def structure(self) -> list[nn.Parameter]:
        """Return the few weights of what is known of sessions, which may learn faster than layers do."""
        return [self.alpha, self.omega, self.omega_group, self.above, self.above_group, self.own]

    def prepared(self, seen: Seen) -> Prepared:
        """Return what no slot changes."""
        x = seen.x if self.window is None else torch.cat([seen.x, self.window(seen.rows, seen.clicked)], 1)
        q = self.user(x) + self.straight(x)
        z = (
            self.alpha * seen.taste
            + self.doubt * seen.doubt
            + torch.einsum("bdsm,ds->bm", seen.traces[..., : self.components], self.omega)
        )
        shown = torch.einsum("bdsm,ds->bm", seen.traces[..., self.components :], self.omega_group)
        q = torch.cat([q[:, : self.components] + z, q[:, self.components :] + shown], 1)
        groups = torch.cat([seen.groups, self.rests(seen.rows, seen.clicked)[..., None]], 2)
        hidden = nn.functional.linear(groups, self.group.weight[:, :-1], self.group.bias)
        return Prepared(q, hidden, self._pulls() + self._owned(seen))

    def full(self, known: Prepared, rows: Rows) -> Scores:
        """Return the scores of all items for each slot of slates, given the slots above it."""
        shown, lead = self.phi[rows], self.components
        within = above(shown)
        vectors = [known.q[:, None, :lead] + self.above * within[..., :lead]]
        if known.hidden.shape[1]:
            moved = above(shown[..., lead:] * self._steps(known, shown, within)[..., None])
            vectors.append((known.q[:, lead:] + self._told(known.hidden))[:, None] + moved)
        q = torch.cat(vectors, 2)
        return (q.reshape(-1, q.shape[2]) @ self.phi.T).view(*q.shape[:2], -1) + known.own[:, None]

    def at(self, known: Prepared, rows: Rows) -> Float[Tensor, "batch slots"]:
        """Return the scores of the items of slates, each given the slots above it."""
        shown, lead = self.phi[rows], self.components
        within = above(shown)
        z = ((known.q[:, None, :lead] + self.above * within[..., :lead]) * shown[..., :lead]).sum(2)
        scores = z + known.own.gather(1, rows)
        if not known.hidden.shape[1]:
            return scores
        count = (within[..., lead:] * shown[..., lead:]).sum(2)
        hidden = self._its(known.hidden, shown) + count[..., None] * self.group.weight[:, -1]
        its = (known.q[:, None, lead:] * shown[..., lead:]).sum(2)
        return scores + its + self._told(hidden) + self.above_group * count

    def first(self, known: Prepared) -> Float[Tensor, "batch items"]:
        """Return the scores of all items for the first slot."""
        q = known.q
        if known.hidden.shape[1]:
            told = self._told(known.hidden)
            q = torch.cat([q[:, : self.components], q[:, self.components :] + told], 1)
        return q @ self.phi.T + known.own

    def moved(self, known: Prepared, row: Tensor, counts: Tensor) -> Float[Tensor, "batch items"]:
        """Return what an item in the slate adds to scores below it; `counts` are those of groups above."""
        shown, lead = self.phi[row], self.components
        q = [self.above * shown[:, :lead]]
        if known.hidden.shape[1]:
            within = torch.cat([torch.zeros_like(shown[:, :lead]), counts], 1)[:, None]
            q.append(shown[:, lead:] * self._steps(known, shown[:, None], within))
        return torch.cat(q, 1) @ self.phi.T

    def _steps(self, known: Prepared, shown: Within, within: Within) -> Float[Tensor, "batch slots"]:
        """Return what each slot adds to the score of its own group."""
        count = (within[..., self.components :] * shown[..., self.components :]).sum(2)[..., None]
        hidden, weight = self._its(known.hidden, shown), self.group.weight[:, -1]
        return self._told(hidden + (count + 1) * weight) - self._told(hidden + count * weight) + self.above_group

    def _its(self, hidden: Tensor, shown: Within) -> Tensor:
        """Return the first layer of the groups of the items shown."""
        group = shown[..., self.components :].argmax(2)
        return hidden.gather(1, group[..., None].expand(-1, -1, hidden.shape[2]))

    def _told(self, hidden: Tensor) -> Tensor:
        told: Tensor = self.told(hidden.relu())[..., 0]
        return told

    def _pulls(self) -> Tensor:
        pulls: Tensor = self.pull(self.phi)[:, 0]
        pulls = pulls - pulls.mean()
        return pulls if self.item is None else pulls + self.item

    def _owned(self, seen: Seen) -> Tensor:
        """Return `[batch, items]`: what earlier showings of the item itself, and its clicks, add to its score."""
        weight = self.own @ self.ages
        amount = weight[0] + weight[1] * seen.clicked
        into = torch.zeros(len(seen.rows), len(self.phi) + 1, dtype=amount.dtype)
        rows = seen.rows.long()
        return into.scatter_add(1, rows.masked_fill(rows < 0, len(self.phi)), amount)[:, :-1]


def groups_of(model: nn.Module, lr: float) -> list[dict[str, object]]:
    """Return the parameters for an optimiser: the structure of scorers learns `FASTER` than layers."""
    fast = [weight for part in model.modules() if isinstance(part, Scorer) for weight in part.structure()]
    fast += [weight for name, weight in model.named_parameters() if name.endswith(("log_sharpness", "beta"))]
    known = {id(weight) for weight in fast}
    return [
        {"params": [weight for weight in model.parameters() if id(weight) not in known], "lr": lr},
        {"params": fast, "lr": FASTER * lr, "weight_decay": 0.0},
    ]


class Valuer(nn.Module):
    """The value of a state and, if asked for, what each slot of the next slate is expected to bring at once."""

    def __init__(self, items: Items, eyes: Eyes, config: AgentConfig, slots: int = 0) -> None:
        super().__init__()
        self.window = Window(items, eyes.slots, config) if config.encoder != "none" else None
        pooled = 16 if eyes.groups else 0
        self.pooled = nn.Linear(eyes.columns, pooled) if pooled else None
        self.value = mlp(eyes.width + pooled + (config.dim if self.window else 0), config.dim, 1 + slots, 0.1)

    def forward(self, seen: Seen) -> Float[Tensor, " batch"]:
        """Return the values of a batch."""
        return self.by_slot(seen)[:, 0]

    def by_slot(self, seen: Seen) -> Float[Tensor, "batch columns"]:
        """Return the values of a batch and, in the columns after, what slots bring."""
        parts = [seen.x]
        if self.pooled is not None:
            parts.append(self.pooled(seen.groups).relu().mean(1))
        if self.window is not None:
            parts.append(self.window(seen.rows, seen.clicked))
        found: Tensor = self.value(torch.cat(parts, 1))
        return found


class Response(nn.Module):
    """P(click) of the items of a slate: a scorer, a bias for each slot and one for each item (how it did so far).

    Trained on what was shown and clicked.
    """

    def __init__(self, items: Items, eyes: Eyes, config: AgentConfig) -> None:
        super().__init__()
        self.scorer = Scorer(items, eyes, config, start=0.1, taste=4.0)
        self.bias = nn.Parameter(torch.zeros(eyes.slots))
        self.item = self.scorer.item = nn.Parameter(torch.zeros(len(items.phi)))

    def loss(self, seen: Seen, rows: Rows, clicks: Float[Tensor, "batch slots"]) -> Float[Tensor, ""]:
        """Return the mean negative log-likelihood of the clicks."""
        logits = self.scorer.at(self.scorer.prepared(seen), rows) + self.bias
        prior = self.item[rows].square().mean() * ITEM_PRIOR
        return nn.functional.binary_cross_entropy_with_logits(logits, clicks) + prior


def above(shown: Within) -> Within:
    """Return, for each slot, the sum of what stands above it."""
    return shown.cumsum(1) - shown


def mlp(width: int, dim: int, out: int, start: float) -> nn.Sequential:
    """Return two hidden layers whose output begins near 0."""
    layers = nn.Sequential(nn.Linear(width, dim), nn.Tanh(), nn.Linear(dim, dim), nn.Tanh(), nn.Linear(dim, out))
    for layer in layers:
        if isinstance(layer, nn.Linear):
            last = layer is layers[-1]
            nn.init.orthogonal_(layer.weight, start if last else 2**0.5)
            nn.init.zeros_(layer.bias)
    return layers
