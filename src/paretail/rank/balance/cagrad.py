"""CAGrad: near the mean gradient, the direction that serves best the task that it serves least.

    max_d min_i <g_i, d>   subject to   |d - g_0| <= c |g_0|,   g_0 the mean of the gradients

B. Liu, X. Liu, X. Jin, P. Stone, Q. Liu, "Conflict-Averse Gradient Descent for Multi-task Learning", NeurIPS 2021,
arXiv:2110.14048 (`moo/cagrad.py`, with its deviations). It goes to a minimum of the mean of the losses.
"""

from pydantic import Field

from paretail.moo.cagrad import cagrad
from paretail.rank.balance.base import Array, Balancer, Claims, DirectedConfig, State, directed


class CAGradConfig(DirectedConfig):
    """Settings of `cagrad`."""

    c: float = Field(0.4, ge=0, lt=1, description="How far it may go from the mean gradient; 0 is the mean.")


class CAGrad(Balancer[CAGradConfig]):
    """Between the mean (c = 0) and the shortest vector of the hull (c near 1)."""

    config_type, needs_gram, claims, answers = CAGradConfig, True, Claims(), True

    def weights(self, gram: Array, losses: Array, state: State) -> tuple[Array, State]:
        """Return the weights of d."""
        return directed(gram, lambda among: cagrad(among, self.config.c), self.config.unit_gradients), state
