"""Whether users stay for another slate, and Q over what a model of users tells: what learning from logs builds on.

    P(stay | session, slate) = σ(c'[1, log steps, share of clicks] + mean_j e(s, i_j | above))
    Q(s, A) = V(s) + mean_j [β P(click at j) + η e(s, i_j | above) + a(s, i_j | above)]

e and a are the structure of a score alone (`networks.Scorer.structure`: what each decay of what was shown and clicked,
of its group and in this slate, counts), some forty numbers; a is held to where it began. The models of clicks and of
staying are fitted to what happened; Q learns what both are worth (β, η) and what they miss (a). First, β is the reward
of a click and η what follows for those who stay. Deviations from Q-learning with free networks: that division. On 6,500
logged slates a free Q, and a free model of staying, found items that are good by mistake among 1,000, and both ended
below the logging policy (docs/lab/LOG.md).
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from paretail.learn.step import step as descend
from paretail.policy.agents.config import AgentConfig
from paretail.policy.agents.items import Items
from paretail.policy.agents.memory import State
from paretail.policy.agents.networks import Eyes, Response, Rows, Scorer, Seen, Valuer
from paretail.policy.agents.sessions import tensors
from paretail.policy.agents.trials import begin, fading

_BATCH: Final = 256
_PASSES: Final = 12
_LR: Final = 0.02
_DECAY: Final = 0.1
#: Columns of `Seen.x` before those by decay at its end: log of steps, steps, share of clicks.
_TOTALS: Final = 3


class Stays(nn.Module):
    """P(stay)."""

    def __init__(self, items: Items, eyes: Eyes, config: AgentConfig) -> None:
        super().__init__()
        self.scorer, self.value, self.width = bare(Scorer(items, eyes, config)), nn.Linear(3, 1), len(config.decays)

    def forward(self, seen: Seen, rows: Rows) -> Tensor:
        """Return the logits `[batch]` of staying after slates."""
        totals = seen.x[:, -_TOTALS - self.width :][:, [0, 2]]
        logits: Tensor = self.value(torch.cat([torch.ones_like(totals[:, :1]), totals], 1))[:, 0]
        return logits + self.scorer.at(self.scorer.prepared(seen), rows).mean(1)

    def fit(self, eyes: Eyes, states: State, rows: Any, stayed: Any, rng: np.random.Generator) -> None:
        """Fit to what happened: `stayed[decisions]` after `rows[decisions, slots]`."""
        learned = [*self.value.parameters(), *self.scorer.structure()]
        optimiser = torch.optim.AdamW(learned, lr=_LR, weight_decay=_DECAY)
        share = float(np.clip(stayed.mean(), 1e-3, 1 - 1e-3))
        with torch.no_grad():
            self.value.weight.zero_()
            self.value.bias.fill_(float(np.log(share / (1 - share))))
        for _ in range(max(1, _PASSES * len(rows) // _BATCH)):
            which = rng.integers(len(rows), size=min(_BATCH, len(rows)))
            logits = self(eyes(tensors(states, which)), torch.from_numpy(rows[which]))
            target = torch.from_numpy(stayed[which].astype(np.float32))
            loss = nn.functional.binary_cross_entropy_with_logits(logits, target)
            descend(loss, learned, optimiser, clip=1.0)


def bare(scorer: Scorer) -> Scorer:
    """Return the scorer with nothing but its structure: layers give 0 and do not learn."""
    known = {id(weight) for weight in scorer.structure()}
    for weight in scorer.parameters():
        if id(weight) not in known:
            weight.requires_grad_(False).zero_()
    return scorer


class LogQ(nn.Module):
    """The part of Q that is learned: V, a, β and η. `origin` is what the structure of a began with."""

    origin: Tensor

    def __init__(self, items: Items, eyes: Eyes, config: AgentConfig) -> None:
        super().__init__()
        self.scorer, self.value = bare(Scorer(items, eyes, config)), Valuer(items, eyes, config)
        self.beta, self.eta = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(0.0))
        self.register_buffer("origin", self._structure().detach().clone())

    def learned(self) -> list[nn.Parameter]:
        """Return what learns."""
        return [*self.value.parameters(), *self.scorer.structure(), self.beta, self.eta]

    def begin(self, beta: float, eta: float, fade: float) -> None:
        """Begin with what a click and staying are worth, and with how much less a group is that was shown."""
        begin(self.scorer, fading(fade))
        with torch.no_grad():
            self.beta.fill_(beta)
            self.eta.fill_(eta)
            self.origin.copy_(self._structure())

    def moved(self) -> Tensor:
        """Return how far the structure has moved from where it began, squared."""
        return (self._structure() - self.origin).square().sum()

    def _structure(self) -> Tensor:
        return torch.cat([weight.flatten() for weight in self.scorer.structure()])


class Known:
    """Q with the models of clicks and of staying, as one scoring of items."""

    def __init__(self, q: LogQ, response: Response, stays: Stays) -> None:
        self.q, self.bias = q, response.bias.mean().item()
        self.scorers: Sequence[Scorer] = [q.scorer, response.scorer, stays.scorer]

    def mix(self, parts: Sequence[Any]) -> Any:
        """Return the advantages of items from the scores of Q's correction, of clicks and of staying."""
        beta, eta = self.q.beta, self.q.eta
        if isinstance(parts[0], Tensor):
            return parts[0] + beta * (parts[1] + self.bias).sigmoid() + eta * parts[2]
        return parts[0] + beta.item() / (1 + np.exp(-parts[1] - self.bias)) + eta.item() * parts[2]

    def value(self, seen: Seen, rows: Rows) -> Tensor:
        """Return Q of slates."""
        correction = self.scorers[0]
        parts = [correction.at(correction.prepared(seen), rows)]
        with torch.no_grad():
            parts += [scorer.at(scorer.prepared(seen), rows) for scorer in self.scorers[1:]]
        value: Tensor = self.q.value(seen) + self.mix(parts).mean(1)
        return value

    def slots(self, seen: Seen, rows: Rows) -> Tensor:
        """Return `[batch, slots, items]`: the advantages of all items in each slot, given the slots above."""
        correction = self.scorers[0]
        parts = [correction.full(correction.prepared(seen), rows)]
        with torch.no_grad():
            parts += [scorer.full(scorer.prepared(seen), rows) for scorer in self.scorers[1:]]
        scores: Tensor = self.mix(parts)
        return scores
