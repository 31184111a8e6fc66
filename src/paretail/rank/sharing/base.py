"""What a sharing architecture is: a module from features to one logit a task, which says what the tasks share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar, Generic, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from paretail.core.config import Config


class SharingConfig(Config):
    """Settings that every architecture has."""

    dim: int = Field(64, ge=1, description="Numbers in each layer of experts and towers.")
    layers: int = Field(2, ge=1, description="Layers of an expert, or of what the tasks share.")
    dropout: float = Field(0.0, ge=0, lt=1, description="The share of a layer's numbers left out in training.")


@dataclass(frozen=True, eq=False)
class Shared:
    """What an architecture makes of a batch.

    `shared` are tensors that every task's gradient reaches: what `learn.step.Losses.shared` wants, empty where nothing
    is shared. Balancers look there; it is not all that tasks have in common: those of `ple` with several levels also
    meet in the first level's own experts, through the common path, those of `aitm` in the towers of those before them.
    `penalty` is to be added to the losses.
    """

    logits: Mapping[str, Float[Tensor, " batch"]]
    shared: Sequence[Tensor]
    penalty: Float[Tensor, ""] = field(default_factory=lambda: torch.zeros(()))


class Experts(nn.Module):
    """Networks that read the same; their outputs stand side by side, `[batch, experts, dim]`."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch experts dim"]:
        """Return the output of each."""
        return torch.stack([network(x) for network in self.networks], 1)


Dense = NDArray[np.float32]
C = TypeVar("C", bound=SharingConfig)


class Sharing(nn.Module, ABC, Generic[C]):
    """An architecture for named tasks over `inputs` features."""

    config_type: ClassVar[type[SharingConfig]]
    #: The last layer of each task, from `dim` numbers to its logit.
    last: nn.ModuleDict
    #: Whether the order of the tasks means something, each coming after the one before.
    ordered: ClassVar[bool] = False

    def __init__(self, config: C, tasks: Sequence[str], inputs: int) -> None:
        super().__init__()
        self.config, self.tasks, self.inputs = config, tuple(tasks), inputs

    @abstractmethod
    def forward(self, x: Float[Tensor, "batch inputs"]) -> Shared:
        """Return the logit of each task."""

    def disorder(self, p: Mapping[str, Float[Tensor, " batch"]]) -> Float[Tensor, ""]:
        """Return what is to be added to the losses for later tasks that are likelier than earlier ones; 0 for most.

        `p` are probabilities over the same examples, in the order of a funnel: of a click, of a click and a cart.
        """
        return torch.zeros(())

    def served(self) -> Callable[[Dense], Dense]:
        """Return the function from features `[batch, inputs]` to logits `[tasks, batch]` on arrays, for answers.

        An architecture may give one that is faster than asking itself; it has the weights as they are now.
        """

        def ask(x: Dense) -> Dense:
            with torch.inference_mode():
                logits = self(torch.from_numpy(x)).logits
                return np.stack([logits[task].numpy() for task in self.tasks])

        return ask

    def tower(self, inputs: int, layers: int) -> nn.Sequential:
        """Return a stack of layers from `inputs` to `dim` numbers."""
        widths = [inputs, *[self.config.dim] * layers]
        parts = [(nn.Linear(a, b), nn.ReLU(), nn.Dropout(self.config.dropout)) for a, b in pairwise(widths)]
        return nn.Sequential(*[part for layer in parts for part in layer])

    def experts_of(self, inputs: int, count: int) -> Experts:
        """Return so many experts of `layers` layers."""
        return Experts([self.tower(inputs, self.config.layers) for _ in range(count)])

    def heads(self) -> nn.ModuleDict:
        """Return a last layer for each task, from `dim` numbers to its logit."""
        return nn.ModuleDict({task: nn.Linear(self.config.dim, 1) for task in self.tasks})

    def logits(self, heads: nn.ModuleDict, of: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return each task's logit of its own vector."""
        return {task: heads[task](of[task]).squeeze(-1) for task in self.tasks}


def mixed(
    weights: Float[Tensor, "batch experts"], experts: Float[Tensor, "batch experts dim"]
) -> Float[Tensor, "batch dim"]:
    """Return the experts' outputs, mixed by each example's weights."""
    return torch.einsum("be,bed->bd", weights, experts)
