"""UPGrad: each gradient is bent as little as it takes to harm no task, and the mean is taken.

    d = mean_i proj_D(g_i),   D = { d : <g_k, d> >= 0 for every task k }

P. Quinton, V. Rey, "Jacobian Descent for Multi-Objective Optimization", 2024, arXiv:2406.16232 (`moo/cone.py`, with its
deviations). It is the mean gradient where nothing conflicts, and its length follows each gradient's, which MGDA's
does not.
"""

import numpy as np

from paretail.moo.cone import upgrad
from paretail.rank.balance.base import Array, Balancer, Claims, DirectedConfig, State, directed


class UPGradConfig(DirectedConfig):
    """Settings of `upgrad`."""


class UPGrad(Balancer[UPGradConfig]):
    """Costs one small least-squares problem a task."""

    config_type, needs_gram = UPGradConfig, True
    claims = Claims(harms_none=True, stationary=True)

    def weights(self, gram: Array, losses: Array, state: State) -> tuple[Array, State]:
        """Return the weights of d."""
        return directed(gram, _even, self.config.unit_gradients), state


def _even(gram: Array) -> Array:
    return upgrad(gram, np.full(len(gram), 1 / len(gram)))
