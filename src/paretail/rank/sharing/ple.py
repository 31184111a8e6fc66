"""PLE, and CGC with one level: experts of each task beside experts of all; a task hears its own and the common ones.

    level l, task k:    h_k <- sum over (own and common experts e) of softmax(W_k h_k)_e expert_e
    common:             h_0 <- sum over all experts e of softmax(W_0 h_0)_e expert_e,   own experts read h_k, common h_0

H. Tang, J. Liu, M. Zhao, X. Gong, "Progressive Layered Extraction (PLE): A Novel Multi-Task Learning Model for
Personalized Recommendations", RecSys 2020, doi:10.1145/3383313.3412236. Deviations: none; `levels = 1` is CGC.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from paretail.rank.sharing.base import Shared, Sharing, SharingConfig, mixed


class PleConfig(SharingConfig):
    """Settings of `ple`."""

    levels: int = Field(2, ge=1, description="Levels of experts; 1 is CGC.")
    own_experts: int = Field(1, ge=1, description="Experts of each task, a level.")
    common_experts: int = Field(2, ge=1, description="Experts of all tasks, a level.")


class Ple(Sharing[PleConfig]):
    """What a task learns for itself stays with it: less is lost where tasks disagree."""

    config_type = PleConfig

    def __init__(self, config: PleConfig, tasks: Sequence[str], inputs: int) -> None:
        super().__init__(config, tasks, inputs)
        widths = [inputs, *[config.dim] * (config.levels - 1)]
        self.levels = nn.ModuleList([_Level(self, width, last=n == config.levels) for n, width in enumerate(widths, 1)])
        self.towers = nn.ModuleDict({task: self.tower(config.dim, 1) for task in tasks})
        self.last = self.heads()

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Shared:
        """Return the logits; the common experts' outputs at the first level are shared."""
        h, common, shared = dict.fromkeys(self.tasks, x), x, []
        for level in self.levels:
            h, common, outputs = level(h, common)
            shared.append(outputs)
        return Shared(self.logits(self.last, {task: self.towers[task](h[task]) for task in self.tasks}), shared[:1])


class _Level(nn.Module):
    def __init__(self, ple: Ple, inputs: int, last: bool) -> None:
        super().__init__()
        config, tasks = ple.config, ple.tasks

        self.own = nn.ModuleDict({task: ple.experts_of(inputs, config.own_experts) for task in tasks})
        self.common = ple.experts_of(inputs, config.common_experts)
        heard = config.own_experts + config.common_experts
        self.gates = nn.ModuleDict({task: nn.Linear(inputs, heard) for task in tasks})
        everything = config.own_experts * len(tasks) + config.common_experts
        self.gate = None if last else nn.Linear(inputs, everything)

    def forward(self, h: Mapping[str, Tensor], common: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Return what each task hears, what the common path hears, and the common experts' outputs."""
        shared = self.common(common)
        own = {task: self.own[task](x) for task, x in h.items()}
        heard = {
            task: mixed(self.gates[task](x).softmax(-1), torch.cat([own[task], shared], 1)) for task, x in h.items()
        }
        if self.gate is None:
            return heard, common, shared
        everything = torch.cat(
            [*(own[task] for task in sorted(own)), shared], 1
        )  # by name: no order of tasks in a gate
        return heard, mixed(self.gate(common).softmax(-1), everything), shared
