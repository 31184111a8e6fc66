"""MMoE: experts for all tasks, and for each task a gate that mixes them by the example.

    logit_k(x) = head_k(tower_k(sum_e softmax(W_k x)_e expert_e(x)))

J. Ma et al., "Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts", KDD 2018,
doi:10.1145/3219819.3220007. Deviations: none.
"""

from collections.abc import Sequence

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from paretail.rank.sharing.base import Shared, Sharing, SharingConfig, mixed


class MmoeConfig(SharingConfig):
    """Settings of `mmoe`."""

    experts: int = Field(4, ge=1, description="Experts that all tasks may hear.")


class Mmoe(Sharing[MmoeConfig]):
    """Tasks that differ may hear different experts; nothing holds them to it."""

    config_type = MmoeConfig

    def __init__(self, config: MmoeConfig, tasks: Sequence[str], inputs: int) -> None:
        super().__init__(config, tasks, inputs)
        self.experts = self.experts_of(inputs, config.experts)
        self.gates = nn.ModuleDict({task: nn.Linear(inputs, config.experts) for task in tasks})
        self.towers = nn.ModuleDict({task: self.tower(config.dim, 1) for task in tasks})
        self.last = self.heads()

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Shared:
        """Return the logits; all experts' outputs are shared."""
        experts = self.experts(x)
        heard = {task: mixed(self.gates[task](x).softmax(-1), experts) for task in self.tasks}
        return Shared(self.logits(self.last, {task: self.towers[task](heard[task]) for task in self.tasks}), (experts,))
