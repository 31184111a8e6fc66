"""BPR: what a user had outranks what the user had not.

    L = mean over (u, i) of mean over j of -ln σ(x_ui - x_uj)

S. Rendle, C. Freudenthaler, Z. Gantner, L. Schmidt-Thieme, "BPR: Bayesian personalized ranking from implicit feedback",
UAI 2009, arXiv:1205.2618. Deviations: 1. several negatives an example; 2. examples have weights; 3. the pull towards
zero is the optimiser's.
"""

from torch.nn.functional import softplus

from paretail.retrieve.losses.base import Scalar, Scored
from paretail.retrieve.objective import LossConfig


def bpr(scored: Scored, config: LossConfig) -> Scalar:
    """Return the loss; its value is ln 2 where all scores are equal."""
    behind = scored.negative - scored.positive[:, None]
    return scored.mean(scored.over_negatives(softplus(behind)))
