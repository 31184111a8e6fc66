"""ESMM: what follows a click is learned over all impressions, as the product with the click.

    L = sum_impressions l(y_click · y, P(seen) σ(η_click) σ(η))

No loss looks at what was clicked alone, so that the choice that clicks are biases nothing; nothing else tells η either.

X. Ma, L. Zhao, G. Huang, Z. Wang, Z. Hu, X. Zhu, K. Gai, "Entire Space Multi-Task Model", SIGIR 2018,
doi:10.1145/3209978.3210104. Deviations: 1. Positions: the product is that of what was seen. 2. The expectation over the
beliefs of both logits is taken as the product of two. 3. Vectors are those that the ranker's tasks share, not the
embeddings of features.
"""

from jaxtyping import Float
from torch import Tensor

from paretail.core.config import Config
from paretail.rank.spaces.base import Followed, Space, entire_loss


class EsmmConfig(Config):
    """Settings of `esmm`: none."""


class Esmm(Space[EsmmConfig]):
    """Where p_click is too low σ(η) makes up for it: its purchases are the worse, the worse clicks are known."""

    config_type = EsmmConfig

    def forward(self, of: Followed) -> Float[Tensor, ""]:
        """Return the sum over all impressions."""
        return entire_loss(of).sum()
