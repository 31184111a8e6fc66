"""ESCM2-DR: ESMM with the doubly robust loss of what follows a click: imputed for all, corrected where one clicked.

    L = c · r · sum_impressions [ê + o (e - ê) / p] + g · sum_impressions l(y_click · y, P(seen) σ(η_click) σ(η))
        + sum_clicked (e - ê)² / p                  o: clicked, p = P(seen) σ(η_click), e = l(y, η), ê = l(ỹ, η)

It is right in the mean where p or the imputed label ỹ is. r is the share of clicks in the batch.

H. Wang et al., "ESCM²", SIGIR 2022, doi:10.1145/3477495.3531972; X. Wang, R. Zhang, Y. Sun, J. Qi, "Doubly robust joint
learning for recommendation on data missing not at random", ICML 2019 (the imputed label). Deviations: 1. ê is the loss
against an imputed label and not the output of a network, which would pull at shared vectors alone and not at η. 2. r,
so that the evidence counts as often as there are clicks. 3. The network of ỹ reads features and both logits, as they
are, and learns from the last sum alone. 4. Those of `escm2_ips`.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from paretail.rank.spaces.base import SMALLEST, Followed, Space, Vector, clicked_loss, entire_loss
from paretail.rank.spaces.escm2_ips import Escm2Config

#: Numbers in the layer of the network of imputed labels.
WIDTH = 16


class Escm2Dr(Space[Escm2Config]):
    """Less noisy than `escm2_ips` where labels can be imputed well."""

    config_type = Escm2Config

    def __init__(self, config: Escm2Config, features: int) -> None:
        super().__init__(config, features)
        self.imputed = nn.Sequential(nn.Linear(features + 2, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1))

    def forward(self, of: Followed) -> Float[Tensor, ""]:
        """Return the sum of the three parts."""
        there, whole, label = of.label.isfinite(), self.config.entire * entire_loss(of).sum(), self.imputes(of)
        if not there.any():
            return whole + label.sum() * 0.0
        p = of.propensity()[there].clamp(min=self.config.least_click)
        miss = clicked_loss(of, of.label[there]).detach() - _against(of, label, fixed=True)[there]
        share = there.float().mean()
        total: Tensor = whole + self.config.counterfactual * share * self.robust(of) + (miss**2 / p).sum()
        return total

    def imputes(self, of: Followed) -> Vector:
        """Return what is believed to follow a click on each impression, 0 to 1."""
        logits = torch.stack([of.click_mean, of.mean], 1).detach()
        label: Tensor = self.imputed(torch.cat([of.features, logits], 1)).squeeze(1).sigmoid()
        return label

    def robust(self, of: Followed) -> Float[Tensor, ""]:
        """Return the sum of the imputed losses, and of what those of clicks are off by, over p."""
        there, every = of.label.isfinite(), _against(of, self.imputes(of).detach())
        weight = of.stands_for()[there] / of.propensity()[there].clamp(min=self.config.least_click)
        off = clicked_loss(of, of.label[there]) - every[there]
        total: Tensor = (every * of.counts()).sum() + (off * weight).sum()
        return total


def _against(of: Followed, label: Tensor, fixed: bool = False) -> Tensor:
    """Return the expected log-loss of each impression against these labels; with `fixed` beliefs have no gradient."""
    mean, spread = of.mean, of.variance.clamp(min=SMALLEST).sqrt()
    if fixed:
        mean, spread = mean.detach(), spread.detach()
    parts = [
        functional.binary_cross_entropy_with_logits(mean + sign * spread, label, reduction="none") for sign in (1, -1)
    ]
    return 0.5 * (parts[0] + parts[1])
