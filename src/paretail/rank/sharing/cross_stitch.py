"""Cross-stitch (soft sharing): a network for each task, whose layers hear each other's by learned shares.

    h_k^(l+1) = layer_k^(l)(sum_j alpha_kj^(l) h_j^(l))

I. Misra, A. Shrivastava, A. Gupta, M. Hebert, "Cross-stitch Networks for Multi-task Learning", CVPR 2016,
arXiv:1604.03539. Deviations: 1. one alpha for a pair of tasks and a layer, not for each channel; 2. networks start at
random together, not from networks that were trained alone. alpha starts at `own` on the diagonal, the rest even.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from paretail.rank.sharing.base import Shared, Sharing, SharingConfig


class CrossStitchConfig(SharingConfig):
    """Settings of `cross_stitch`."""

    own: float = Field(0.8, gt=0, le=1, description="The share with which a task hears itself at the start.")


class CrossStitch(Sharing[CrossStitchConfig]):
    """As large as single-task networks; alpha says which task hears which."""

    config_type = CrossStitchConfig

    def __init__(self, config: CrossStitchConfig, tasks: Sequence[str], inputs: int) -> None:
        super().__init__(config, tasks, inputs)
        widths = [inputs, *[config.dim] * config.layers]
        self.levels = nn.ModuleList([_Layer({task: self.tower(width, 1) for task in tasks}) for width in widths])
        others = max(1, len(tasks) - 1)
        start = torch.full((len(tasks), len(tasks)), (1 - config.own) / others).fill_diagonal_(config.own)
        self.alpha = nn.Parameter(start.repeat(config.layers, 1, 1))
        self.last = self.heads()

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Shared:
        """Return the logits; the first layers' outputs are shared, before they are stitched."""
        first = self.levels[0](x[:, None].expand(-1, len(self.tasks), -1))
        h = first
        for level, alpha in zip(self.levels[1:], self.alpha, strict=True):
            h = level(torch.einsum("kj,bjd->bkd", alpha, h))
        return Shared(self.logits(self.last, {task: h[:, k] for k, task in enumerate(self.tasks)}), (first,))


class _Layer(nn.Module):
    """One layer of each task's network."""

    def __init__(self, towers: dict[str, nn.Module]) -> None:
        super().__init__()
        self.towers = nn.ModuleDict(towers)

    def forward(self, h: Float[Tensor, "batch tasks inputs"]) -> Float[Tensor, "batch tasks dim"]:
        return torch.stack([tower(h[:, k]) for k, tower in enumerate(self.towers.values())], 1)
