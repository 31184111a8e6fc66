"""Binary cross-entropy: had or not, each item for itself.

    L = mean over (u, i) of -ln σ(x_ui) - Σ_j ln(1 - σ(x_uj))

X. He, L. Liao, H. Zhang, L. Nie, X. Hu, T.-S. Chua, "Neural collaborative filtering", WWW 2017, arXiv:1708.05031,
equation 7. Deviations: examples have weights, which are those of their negatives too.
"""

from torch.nn.functional import softplus

from paretail.retrieve.losses.base import Scalar, Scored
from paretail.retrieve.objective import LossConfig


def bce(scored: Scored, config: LossConfig) -> Scalar:
    """Return the loss; the more negatives an example has, the lower the scores that it leads to."""
    return scored.mean(softplus(-scored.positive) + scored.over_negatives(softplus(scored.negative), mean=False))
