"""Margin: cosines of what a user had near 1, those of negatives under a margin; easy negatives have no gradient.

    L = mean over (u, i) of 1 - x_ui + w/m Σ_j max(0, x_uj - θ)

the cosine contrastive loss of K. Mao et al., "SimpleX: a simple and strong baseline for collaborative filtering", CIKM
2021, arXiv:2109.12613, equation 1. Deviations: examples have weights. Scores must be cosines, without a trained bias
of items: it could grow without bound.
"""

from torch.nn.functional import relu

from paretail.retrieve.losses.base import Scalar, Scored
from paretail.retrieve.objective import LossConfig


def margin(scored: Scored, config: LossConfig) -> Scalar:
    """Return the loss of cosines."""
    pushed = scored.over_negatives(relu(scored.negative - config.margin))
    return scored.mean(1.0 - scored.positive + config.negative_weight * pushed)
