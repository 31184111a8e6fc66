"""What a space is: over which examples what follows a click is learned, and by which loss."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Final, Generic, TypeVar

import torch
from jaxtyping import Bool, Float
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

    `p_seen` is P(seen at its position), `label` is NaN where there was no click or nobody knows what followed it,
    `weight` that of the impression, and `fair[known]` that of each with a label by `[rank] click_power`, of mean 1.
    `asked` are impressions of which it can be known what followed, those newer are no examples here; of these `times`
    is how many clicks there are for one with a label: in all that is learned from, as a batch has too few to tell.
    """

    click_mean: Vector
    click_variance: Vector
    mean: Vector
    variance: Vector
    p_seen: Vector
    label: Vector
    weight: Vector
    fair: Float[Tensor, " known"]
    features: Float[Tensor, "batch features"]
    clicked: Bool[Tensor, " batch"]
    asked: Bool[Tensor, " batch"]
    times: float = 1.0

    def propensity(self) -> Vector:
        """Return P(click) at the position where it was shown, P(seen) P(click if seen), without a gradient."""
        return (self.p_seen * expected_sigmoid(self.click_mean, self.click_variance)).detach()

    def stands_for(self) -> Vector:
        """Return for how many each impression stands: of those clicked, those known for the others too.

        Dropped alone, clicks of which nothing is known would make clicks look rarer than they are.
        """
        clicks = torch.where(self.label.isfinite(), self.times, 0.0)
        return torch.where(self.clicked, clicks, 1.0) * self.counts()

    def counts(self) -> Vector:
        """Return the weight of each impression of which it can be known what followed, 0 of the others."""
        return self.weight * self.asked


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


def clicked_loss(of: Followed, label: Float[Tensor, " known"]) -> Float[Tensor, " known"]:
    """Return the expected log-loss of the examples that have a label, against these of theirs."""
    there = of.label.isfinite()
    spread = of.variance[there].clamp(min=SMALLEST).sqrt()
    parts = [
        functional.binary_cross_entropy_with_logits(of.mean[there] + sign * spread, label, reduction="none")
        for sign in (1, -1)
    ]
    return 0.5 * (parts[0] + parts[1])


def entire_loss(of: Followed) -> Vector:
    """Return the log-loss of click and label together, of each impression: -log P or -log (1 - P).

    P(both) = P(seen) E σ(η_click) E σ(η); the expectation of the product is taken as the product of expectations. What
    followed a click and is not known is no loss.
    """
    p = of.p_seen * expected_sigmoid(of.click_mean, of.click_variance) * expected_sigmoid(of.mean, of.variance)
    both = torch.where(of.label.isfinite(), of.label, 0.0)
    return functional.binary_cross_entropy(p.clamp(SMALLEST, 1 - SMALLEST), both, reduction="none") * of.stands_for()
