"""The Plackett-Luce policy that PPO and REINFORCE learn, and how they see a round.

    score = κ · logit P(click) + a score of its own;   κ = exp(log κ)

The first policy shows what is clicked, as far as the model of clicks knows; what is learned beside it is what a click
now costs later. The model of clicks is a constant for the policy's losses: it moves between rounds alone, so that
ratios of probabilities stay those of one policy.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from paretail.policy.agents.config import AgentConfig
from paretail.policy.agents.items import Items
from paretail.policy.agents.networks import Eyes, Response, Rows, Scorer, Scores, Seen
from paretail.policy.agents.sessions import Round


class Policy(nn.Module):
    """Scores of a Plackett-Luce policy; `response` is not its own."""

    phi: Tensor

    def __init__(self, items: Items, eyes: Eyes, config: AgentConfig, sharpness: float) -> None:
        super().__init__()
        self.scorer = Scorer(items, eyes, config)
        self.phi = self.scorer.phi
        self.log_sharpness = nn.Parameter(torch.tensor(float(np.log(sharpness))))
        self.trusts = False

    def bind(self, response: Response) -> "Bound":
        """Return the policy with this model of clicks."""
        return Bound(self, response)


class Bound:
    """A policy and a model of clicks, as one scoring of items."""

    def __init__(self, policy: Policy, response: Response) -> None:
        self.policy, self.phi = policy, policy.scorer.phi
        self.scorers: Sequence[Scorer] = [policy.scorer, *([response.scorer] if policy.trusts else [])]

    @cached_property
    def kappa(self) -> float:
        """κ as a number: that of the weights when it was first asked for."""
        return self.policy.log_sharpness.exp().item()

    def mix(self, parts: Sequence[Any]) -> Any:
        """Return the scores of the policy from those of its own scorer and of the model of clicks."""
        if len(parts) == 1:
            return parts[0]
        kappa = self.policy.log_sharpness.exp() if isinstance(parts[0], Tensor) else self.kappa
        return parts[0] + kappa * parts[1]

    def slates(self, seen: Seen, rows: Rows) -> Scores:
        """Return the scores of all items for each slot of slates; the model of clicks is a constant."""
        mine = self.scorers[0]
        parts = [mine.full(mine.prepared(seen), rows)]
        with torch.no_grad():
            parts += [scorer.full(scorer.prepared(seen), rows) for scorer in self.scorers[1:]]
        mixed: Scores = self.mix(parts)
        return mixed


def gumbel(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    """Return noise of Gumbel's distribution."""
    uniform = rng.random(shape, dtype=np.float32)
    return np.asarray(-np.log(-np.log(np.clip(uniform, 1e-9, 1 - 1e-7))), np.float32)


class Scale:
    """The running spread of discounted returns, by which rewards are divided."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0.0, 0.0, 0.0

    def take(self, played: Round, discount: float) -> float:
        """Take a round's discounted returns, and return the spread of all so far."""
        later, found = np.zeros(played.reward.shape[1]), []
        for reward, chain in zip(played.reward[::-1], played.chain[::-1], strict=True):
            later = reward + discount * chain * later
            found.append(later)
        values = np.concatenate(found)
        self.count += len(values)
        self.mean += float((values - self.mean).sum()) / self.count
        self.squares += float((values**2).sum())
        return float(np.sqrt(max(self.squares / self.count - self.mean**2, 1e-8)))


__all__ = ["Bound", "Policy", "Scale", "gumbel"]
