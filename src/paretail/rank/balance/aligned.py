"""Aligned-MTL: the gradients made orthogonal and equally long, then summed: no task dominates and none conflicts.

    G = V diag(lambda) V^T,   u = sqrt(lambda_min) V diag(1 / sqrt(lambda)) V^T 1/K
    w = argmin_{w >= 0} |sum_i (w_i - u_i) g_i|

D. Senushkin, N. Patakin, A. Kuznetsov, A. Konushin, "Independent Component Alignment for Multi-Task Learning",
CVPR 2023, arXiv:2305.19000 (`moo/aligned.py`). Deviations: 1. u may be negative where gradients point the same way, and
a step goes down weighted losses: the direction is projected to the cone of the gradients (`moo/cone.py`).
"""

import numpy as np

from paretail.moo.aligned import aligned
from paretail.moo.cone import to_cone
from paretail.rank.balance.base import Array, Balancer, Claims, DirectedConfig, State, directed


class AlignedConfig(DirectedConfig):
    """Settings of `aligned`."""


class Aligned(Balancer[AlignedConfig]):
    """As short as the weakest component of the gradients: small steps where tasks nearly agree or nearly oppose."""

    config_type, needs_gram, claims, answers = AlignedConfig, True, Claims(), True

    def weights(self, gram: Array, losses: Array, state: State) -> tuple[Array, State]:
        """Return the weights of the projected direction."""

        def solve(among: Array) -> Array:
            u = aligned(among, np.full(len(among), 1 / len(among)))
            return u if (u >= 0).all() else to_cone(among, u)

        return directed(gram, solve, self.config.unit_gradients), state
