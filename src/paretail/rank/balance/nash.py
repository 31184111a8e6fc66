"""Nash-MTL: the bargain between the tasks, in which relative gains count and units do not.

    G w = 1 / w,   w > 0:   the direction that maximises sum_i log <g_i, d> over all of one length

A. Navon et al., "Multi-Task Learning as a Bargaining Game", ICML 2022, arXiv:2202.01017 (`moo/nash.py`, with its
deviations). Deviations of its own: 1. the bargain is struck anew at each step (.3 ms of four tasks); 2. the direction
keeps the length that the equation gives it, the root of the number of tasks: an optimiser that divides by the length of
past gradients (Adam) removes it, plain descent needs a falling rate.
"""

from paretail.core.config import Config
from paretail.moo.nash import nash
from paretail.rank.balance.base import Array, Balancer, Claims, State, directed


class NashConfig(Config):
    """Settings of `nash`: it has none."""


class Nash(Balancer[NashConfig]):
    """A weight is about the inverse of the gradient's length: losses in money and in nats need no scaling by hand."""

    config_type, needs_gram = NashConfig, True
    claims = Claims(scale_invariant=True, harms_none=True, stationary=True)

    def weights(self, gram: Array, losses: Array, state: State) -> tuple[Array, State]:
        """Return the bargain of the tasks that have a gradient."""
        return directed(gram, nash), state
