"""DSelect-k: an MMoE whose gates learn to hear k experts and no more.

    gate(x) = sum_{i <= k} softmax(G x)_i r(Z_i x),   r(z)_e = prod_j S(z_j)^{b_ej} (1 - S(z_j))^{1 - b_ej}

b_e is the binary code of expert e, and S the smooth step, which reaches 0 and 1: a selector ends at one expert. It
starts near none: weights of Z are drawn from ± gamma / 100, as in the authors' code, since S has no gradient beyond
± gamma / 2. The penalty is `entropy` times the mean entropy of the selectors.

H. Hazimeh et al., "DSelect-k: Differentiable Selection in the Mixture of Experts with Applications to Multi-Task
Learning", NeurIPS 2021, arXiv:2106.03760. Deviations: 1. the number of experts is a power of two, so that every code is
an expert's.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from pydantic import Field, field_validator
from torch import Tensor, nn

from paretail.rank.sharing.base import Shared, Sharing, SharingConfig, mixed


class DSelectKConfig(SharingConfig):
    """Settings of `dselect_k`."""

    experts: int = Field(4, ge=2, description="Experts that all tasks may hear: 2, 4, 8, ...")
    k: int = Field(2, ge=1, description="Experts that a task hears of an example at most, in the end.")
    gamma: float = Field(1.0, gt=0, description="The width of the smooth step.")
    entropy: float = Field(0.01, ge=0, description="How strongly selectors are pressed to choose.")

    @field_validator("experts")
    @classmethod
    def _power_of_two(cls, experts: int) -> int:
        if experts & (experts - 1):
            raise ValueError(f"a power of two, such as {1 << experts.bit_length() - 1}")
        return experts


class DSelectK(Sharing[DSelectKConfig]):
    """Which task hears which expert can be read off in the end."""

    config_type = DSelectKConfig
    codes: Tensor

    def __init__(self, config: DSelectKConfig, tasks: Sequence[str], inputs: int) -> None:
        super().__init__(config, tasks, inputs)
        bits = config.experts.bit_length() - 1
        codes = (torch.arange(config.experts)[:, None] >> torch.arange(bits)) & 1
        self.register_buffer("codes", codes.float(), persistent=False)
        self.experts = self.experts_of(inputs, config.experts)
        self.selectors = nn.ModuleDict({task: nn.Linear(inputs, config.k * bits) for task in tasks})
        for param in self.selectors.parameters():
            nn.init.uniform_(param, -config.gamma / 100, config.gamma / 100)
        self.shares = nn.ModuleDict({task: nn.Linear(inputs, config.k) for task in tasks})
        self.towers = nn.ModuleDict({task: self.tower(config.dim, 1) for task in tasks})
        self.last = self.heads()

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Shared:
        """Return the logits and the penalty; all experts' outputs are shared."""
        experts = self.experts(x)
        selected = {task: self.selected(task, x) for task in self.tasks}
        gates = {task: torch.einsum("bk,bke->be", self.shares[task](x).softmax(-1), r) for task, r in selected.items()}
        heard = {task: self.towers[task](mixed(gates[task], experts)) for task in self.tasks}
        entropy = torch.stack([_entropy(r) for r in selected.values()]).mean()
        return Shared(self.logits(self.last, heard), (experts,), self.config.entropy * entropy)

    def selected(self, task: str, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch k experts"]:
        """Return the distribution of each selector over the experts."""
        s = _smooth_step(self.selectors[task](x), self.config.gamma)
        s = s.reshape(len(x), self.config.k, 1, self.codes.shape[1])
        return torch.where(self.codes.bool(), s, 1 - s).prod(-1)


def _smooth_step(t: Tensor, gamma: float) -> Tensor:
    t = t.clamp(-gamma / 2, gamma / 2)
    return -2 / gamma**3 * t**3 + 3 / (2 * gamma) * t + 0.5


def _entropy(r: Float[Tensor, "batch k experts"]) -> Float[Tensor, ""]:
    return -torch.xlogy(r, r.clamp(min=1e-12)).sum() / max(1, r.shape[:-1].numel())
