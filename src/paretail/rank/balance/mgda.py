"""MGDA: the shortest vector between the gradients, down which all losses fall until none can without another's rise.

    min |sum_i w_i g_i|²   subject to   w >= 0, sum_i w_i = 1

J.-A. Désidéri, C. R. Acad. Sci. Paris 350, 2012, doi:10.1016/j.crma.2012.03.014; O. Sener, V. Koltun, "Multi-Task
Learning as Multi-Objective Optimization", NeurIPS 2018, arXiv:1810.04650 (`moo/minnorm.py`). Deviations: 1. exact in
place of Frank-Wolfe steps. It follows the smallest gradient: where losses differ in units, set `unit_gradients`.
"""

from paretail.moo.minnorm import min_norm
from paretail.rank.balance.base import Array, Balancer, Claims, DirectedConfig, State, directed


class MgdaConfig(DirectedConfig):
    """Settings of `mgda`."""


class Mgda(Balancer[MgdaConfig]):
    """Stops at Pareto-stationary points and only there; slow on the way, as its direction is the shortest."""

    config_type, needs_gram = MgdaConfig, True
    claims, answers = Claims(simplex=True, harms_none=True, stationary=True), True

    def weights(self, gram: Array, losses: Array, state: State) -> tuple[Array, State]:
        """Return the weights of the shortest vector."""
        return directed(gram, min_norm, self.config.unit_gradients), state
