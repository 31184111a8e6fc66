"""AITM: tasks in the order of the funnel; each learns how much to take over from the one before.

    z_1 = q_1,   z_k = sum over u in (g(z_{k-1}), q_k) of  softmax_u(<h1(u), h2(u)> / sqrt(dim)) h3(u)

q_k is tower k's output. Later steps of a funnel are no likelier than those before them: `disorder` is `calibrator`
times the mean of max(0, p(k) - p(k - 1)), of probabilities over the same impressions. The ranker's tasks are given a
click: it asks with P(click), P(click) P(cart | click), P(click) P(purchase | click), where a cart holds every purchase.

D. Xi et al., "Modeling the Sequential Dependence among Audience Multi-step Conversions with Multi-task Learning in
Targeted Display Advertising", KDD 2021, arXiv:2105.08489. Deviations: 1. a shared bottom stands below the towers, where
the paper shares embeddings alone, so that gradients can be balanced there; 2. each transfer has its own h1, h2, h3.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from paretail.rank.sharing.base import Shared, Sharing, SharingConfig


class AitmConfig(SharingConfig):
    """Settings of `aitm`."""

    calibrator: float = Field(0.6, ge=0, description="How strongly later tasks are kept from being likelier; 0: not.")


class Aitm(Sharing[AitmConfig]):
    """The order of the tasks is that of the funnel: click, cart, purchase."""

    config_type, ordered = AitmConfig, True

    def __init__(self, config: AitmConfig, tasks: Sequence[str], inputs: int) -> None:
        super().__init__(config, tasks, inputs)
        self.bottom = self.tower(inputs, config.layers)
        self.towers = nn.ModuleDict({task: self.tower(config.dim, 1) for task in tasks})
        self.transfers = nn.ModuleDict({task: _Transfer(config.dim) for task in tasks[1:]})
        self.last = self.heads()

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Shared:
        """Return the logits; the bottom's output is shared."""
        shared = self.bottom(x)
        z = {self.tasks[0]: self.towers[self.tasks[0]](shared)}
        for before, task in pairwise(self.tasks):
            z[task] = self.transfers[task](z[before], self.towers[task](shared))
        return Shared(self.logits(self.last, z), (shared,))

    def disorder(self, p: Mapping[str, Float[Tensor, " batch"]]) -> Float[Tensor, ""]:
        """Return how much likelier than the steps before them later ones are, in the order of `p`."""
        rises = [torch.relu(later - before).sum() / max(1, len(later)) for before, later in pairwise(p.values())]
        return self.config.calibrator * sum(rises, torch.zeros(()))


class _Transfer(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.g = nn.Sequential(nn.Linear(dim, dim), nn.ReLU())
        self.h1, self.h2, self.h3 = (nn.Linear(dim, dim) for _ in range(3))

    def forward(
        self, before: Float[Tensor, "batch dim"], own: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, "batch dim"]:
        u = torch.stack([self.g(before), own], 1)
        shares = ((self.h1(u) * self.h2(u)).sum(-1) / u.shape[-1] ** 0.5).softmax(1)
        taken: Tensor = (shares[..., None] * self.h3(u)).sum(1)
        return taken
