"""Single-task: a network for each task, nothing in common: what sharing is measured against.

    logit_k(x) = head_k(tower_k(x))

Deviations: none, there is no paper.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from paretail.rank.sharing.base import Shared, Sharing, SharingConfig


class SingleConfig(SharingConfig):
    """Settings of `single`."""


class Single(Sharing[SingleConfig]):
    """As many networks as tasks."""

    config_type = SingleConfig

    def __init__(self, config: SingleConfig, tasks: Sequence[str], inputs: int) -> None:
        super().__init__(config, tasks, inputs)
        self.towers = nn.ModuleDict({task: self.tower(inputs, config.layers + 1) for task in tasks})
        self.last = self.heads()

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Shared:
        """Return the logits; no tensor is shared."""
        return Shared(self.logits(self.last, {task: self.towers[task](x) for task in self.tasks}), ())
