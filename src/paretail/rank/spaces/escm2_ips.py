"""ESCM2-IPS: ESMM, with the loss of what was clicked weighed by the inverse of its probability.

    L = c · sum_clicked l(y, η) / p + g · sum_impressions l(y_click · y, P(seen) σ(η_click) σ(η)),   p = P(seen) p_click

The space is that of impressions: one that stands where few look was clicked by few, and stands for as many more.

H. Wang, T.-W. Chang, T. Liu, J. Huang, Z. Chen, C. Yu, R. Li, W. Chu, "ESCM²: Entire Space Counterfactual Multi-Task
Model for Post-Click Conversion Rate Estimation", SIGIR 2022, doi:10.1145/3477495.3531972. Deviations: 1. The inverse
probabilities have the mean 1 in each batch, so that the evidence counts once beside the priors; with c + g = 1 it does
so in all. 2. Probabilities are cut at `least_click`, and have no gradient. 3. Those of `esmm`.
"""

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from paretail.core.config import Config
from paretail.rank.spaces.base import Followed, Space, clicked_loss, entire_loss


class Escm2Config(Config):
    """Settings of `escm2_ips`, and of `escm2_dr`."""

    counterfactual: float = Field(0.5, ge=0, description="c, the weight of the loss of what was clicked.")
    entire: float = Field(0.5, ge=0, description="g, the weight of the loss over all impressions.")
    least_click: float = Field(
        0.01, gt=0, le=1, description="Probabilities of clicks, where shown, below this count as this."
    )


class Escm2Ips(Space[Escm2Config]):
    """Right in the mean where p is; noisy where it is small."""

    config_type = Escm2Config

    def forward(self, of: Followed) -> Float[Tensor, ""]:
        """Return the sum of both parts."""
        there = of.label.isfinite()
        whole = self.config.entire * entire_loss(of).sum()
        if not there.any():
            return whole
        weight = of.weight[there] / of.propensity()[there].clamp(min=self.config.least_click)
        return whole + self.config.counterfactual * (clicked_loss(of, of.label[there]) * weight / weight.mean()).sum()
