"""Alignment and uniformity: a user lies near the items had, and users, and items, lie apart; needs no negatives.

    L = mean ‖ũ - ĩ‖² + γ/2 (ln mean_{u,u'} e^{-2 ‖ũ - ũ'‖²} + ln mean_{i,i'} e^{-2 ‖ĩ - ĩ'‖²}),     ũ = u / ‖u‖

T. Wang, P. Isola, "Understanding contrastive representation learning through alignment and uniformity on the
hypersphere", ICML 2020, arXiv:2005.10242; C. Wang et al., "Towards representation alignment and uniformity in
collaborative filtering" (DirectAU), KDD 2022, arXiv:2206.12811. Deviations: examples have weights, in the alignment
alone. As there, the pairs of the mean are those of the batch, where a user may stand more than once.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from paretail.retrieve.losses.base import Scalar, Scored
from paretail.retrieve.objective import LossConfig


def alignment(scored: Scored, config: LossConfig) -> Scalar:
    """Return the loss; memory grows with the square of the batch."""
    users, items = normalize(scored.users, dim=1), normalize(scored.items, dim=1)
    apart = scored.mean((users - items).square().sum(1))
    return apart + config.uniformity * (uniformity(users) + uniformity(items)) / 2


def uniformity(vectors: Float[Tensor, "rows dim"]) -> Scalar:
    """Return ln mean e^{-2 ‖x - y‖²} over the pairs of rows of length 1, 0 of a single row."""
    rows = len(vectors)
    if rows < 2:
        return vectors.sum() * 0.0
    near = 4.0 * (vectors @ vectors.T) - 4.0  # -2 ‖x - y‖² of unit vectors
    near = near.masked_fill(torch.eye(rows, dtype=torch.bool, device=vectors.device), -torch.inf)
    return near.flatten().logsumexp(0) - torch.log(near.new_tensor(float(rows * (rows - 1))))
