"""Conditional: what follows a click is learned from what was clicked, rare clicks counting more.

    L = sum_clicked v l(y, η),   v = p_click^-power, of mean 1

The power is `[rank] click_power`: 1 undoes the choice that clicks are, 0 takes them as they come.

Source: P. Rosenbaum, D. Rubin, "The central role of the propensity score in observational studies for causal effects",
Biometrika 70, 1983, doi:10.1093/biomet/70.1.41. Deviations: 1. Powers below 1 trade variance for bias. 2. The mean of v
is 1 in each batch, so that the evidence counts once beside the priors.
"""

from jaxtyping import Float
from torch import Tensor

from paretail.core.config import Config
from paretail.rank.spaces.base import Followed, Space, clicked_loss


class ConditionalConfig(Config):
    """Settings of `conditional`: none."""


class Conditional(Space[ConditionalConfig]):
    """The default: a likelihood, which priors know how to weigh."""

    config_type = ConditionalConfig

    def forward(self, of: Followed) -> Float[Tensor, ""]:
        """Return the sum over the clicked examples."""
        label = of.label[of.label.isfinite()]
        return (clicked_loss(of, label) * of.fair).sum() if len(label) else of.mean.sum() * 0.0
