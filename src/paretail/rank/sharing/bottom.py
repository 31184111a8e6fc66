"""Shared bottom (hard sharing): one network for all tasks, then a small tower for each.

    logit_k(x) = head_k(tower_k(bottom(x)))

R. Caruana, "Multitask Learning", Machine Learning 28, 1997, doi:10.1023/A:1007379606734. Deviations: none.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float
from scipy.linalg import block_diag
from torch import Tensor, nn

from paretail.rank.sharing.base import Dense, Shared, Sharing, SharingConfig
from paretail.rank.tables import rectify


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

    def served(self) -> Callable[[Dense], Dense]:
        """Return the function on arrays: the towers side by side as one layer, a quarter of the calls."""
        layers = _linear(self.bottom)
        towers = [_linear(self.towers[task])[0] for task in self.tasks]
        last = [_linear(self.last[task])[0] for task in self.tasks]
        layers.append((np.concatenate([w for w, _ in towers], 1), np.concatenate([b for _, b in towers])))
        heads, biases = block_diag(*(w for w, _ in last)).astype(np.float32), np.stack([b for _, b in last])

        def ask(x: Dense) -> Dense:
            for weight, bias in layers:
                x = x @ weight
                rectify(x, bias)
            return np.asarray((x @ heads).T + biases, np.float32)

        return ask


def _linear(network: nn.Module) -> list[tuple[Dense, Dense]]:
    """Return weights `[inputs, outputs]` and biases of the linear layers."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    return [(layer.weight.detach().numpy().T, layer.bias.detach().numpy()) for layer in layers]
