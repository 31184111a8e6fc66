"""What a space is: over which examples what follows a click is learned, and by which loss."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Final, Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from paretail.core.config import Config

#: Guard of probabilities and variances.
SMALLEST: Final = 1e-6

Vector = Float[Tensor, " batch"]
C = TypeVar("C", bound=Config)


@dataclass(frozen=True, eq=False)
class Followed:
    """A batch of impressions as a task sees it that may follow a click: beliefs of both logits, and what happened.

    `p_seen` is P(seen at its position), `label` is NaN where there was no click, `weight` that of the impression, and
    `fair[clicked]` that of each clicked one by `[rank] click_power`, of mean 1.
    """

    click_mean: Vector
    click_variance: Vector
    mean: Vector
    variance: Vector
    p_seen: Vector
    label: Vector
    weight: Vector
    fair: Float[Tensor, " clicked"]
    features: Float[Tensor, "batch features"]

    def p_click(self) -> Vector:
        """Return P(click) at the first position, without a gradient."""
        return expected_sigmoid(self.click_mean, self.click_variance).detach()


class Space(nn.Module, ABC, Generic[C]):
    """A loss over a batch; what it learns itself (a network of errors) are its own parameters."""

    config_type: ClassVar[type[Config]]

    def __init__(self, config: C, features: int) -> None:
        super().__init__()
        self.config, self.features = config, features

    @abstractmethod
    def forward(self, of: Followed) -> Float[Tensor, ""]:
        """Return the sum of the batch's losses; 0 where nothing was clicked and only clicks count."""


def expected_sigmoid(mean: Vector, variance: Vector) -> Vector:
    """Return E σ(η) for η ~ N(mean, variance), by the two-point rule of `rank/learned/gaussian.py`."""
    spread = variance.clamp(min=SMALLEST).sqrt()
    return 0.5 * (torch.sigmoid(mean + spread) + torch.sigmoid(mean - spread))


def clicked_loss(of: Followed, label: Float[Tensor, " clicked"]) -> Float[Tensor, " clicked"]:
    """Return the expected log-loss of the clicked examples, against these labels of theirs."""
    there = of.label.isfinite()
    spread = of.variance[there].clamp(min=SMALLEST).sqrt()
    parts = [
        functional.binary_cross_entropy_with_logits(of.mean[there] + sign * spread, label, reduction="none")
        for sign in (1, -1)
    ]
    return 0.5 * (parts[0] + parts[1])


def entire_loss(of: Followed) -> Vector:
    """Return the log-loss of click and label together, of each impression: -log P or -log (1 - P).

    P(both) = P(seen) E σ(η_click) E σ(η); the expectation of the product is taken as the product of expectations.
    """
    p = of.p_seen * expected_sigmoid(of.click_mean, of.click_variance) * expected_sigmoid(of.mean, of.variance)
    both = torch.where(of.label.isfinite(), of.label, 0.0)
    return functional.binary_cross_entropy(p.clamp(SMALLEST, 1 - SMALLEST), both, reduction="none") * of.weight
