"""Shared bottom (hard sharing): one network for all tasks, then a small tower for each.

    logit_k(x) = head_k(tower_k(bottom(x)))

R. Caruana, "Multitask Learning", Machine Learning 28, 1997, doi:10.1023/A:1007379606734. Deviations: none.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from paretail.rank.sharing.base import Shared, Sharing, SharingConfig


class BottomConfig(SharingConfig):
    """Settings of `bottom`."""


class Bottom(Sharing[BottomConfig]):
    """The cheapest; tasks that have little in common must fit into the same numbers."""

    config_type = BottomConfig

    def __init__(self, config: BottomConfig, tasks: Sequence[str], inputs: int) -> None:
        super().__init__(config, tasks, inputs)
        self.bottom = self.tower(inputs, config.layers)
        self.towers = nn.ModuleDict({task: self.tower(config.dim, 1) for task in tasks})
        self.last = self.heads()

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Shared:
        """Return the logits; the bottom's output is shared."""
        z = self.bottom(x)
        return Shared(self.logits(self.last, {task: self.towers[task](z) for task in self.tasks}), (z,))
