"""What a loss sees of a batch: the scores and vectors of its examples, and which negatives count."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from paretail.retrieve.objective import LossConfig

Scalar = Float[Tensor, ""]


@dataclass(frozen=True, eq=False)
class Scored:
    """The examples of a batch as the model scores them; each is a user, an item that the user had, and negatives.

    `weight` is above 0. `free` is false where a user has the negative after all; None: all are free. `log_q` is the log
    of how many of an example's negatives are expected to be this item, log(draws q); None: nothing is corrected.
    """

    positive: Float[Tensor, " pairs"]
    negative: Float[Tensor, "pairs negs"]
    weight: Float[Tensor, " pairs"]
    users: Float[Tensor, "pairs dim"]
    items: Float[Tensor, "pairs dim"]
    free: Bool[Tensor, "pairs negs"] | None = None
    log_q: Float[Tensor, "#pairs negs"] | None = None

    def mean(self, losses: Float[Tensor, " pairs"]) -> Scalar:
        """Return the mean of the examples' losses by their weights."""
        return self.weight @ losses / self.weight.sum()

    def over_negatives(self, values: Float[Tensor, "pairs negs"], mean: bool = True) -> Float[Tensor, " pairs"]:
        """Return the sum of `values` over each example's free negatives, or their mean; 0 where none is free."""
        if self.free is None:
            return values.mean(1) if mean else values.sum(1)
        total = torch.where(self.free, values, 0.0).sum(1)
        return total / self.free.sum(1).clamp(min=1) if mean else total


Loss = Callable[[Scored, LossConfig], Scalar]
