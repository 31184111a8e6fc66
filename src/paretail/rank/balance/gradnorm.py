"""GradNorm: weighted gradients of like length, longer where a task is behind the others.

    w_i |g_i| proportional to r_i^alpha,   r_i = (L_i / L_i(0)) / mean_k (L_k / L_k(0)),   sum_i w_i = K

Z. Chen, V. Badrinarayanan, C.-Y. Lee, A. Rabinovich, "GradNorm: Gradient Normalization for Adaptive Loss Balancing in
Deep Multitask Networks", ICML 2018, arXiv:1711.02257. Deviations: 1. the weights take the values at which the paper's
loss of the weights is zero, in place of one gradient step towards them a step; 2. against the noise of batches, lengths
and losses are moving averages, those of lengths geometric.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from paretail.core.config import Config
from paretail.moo.gram import lengths
from paretail.rank.balance.base import Array, Balancer, Claims, State, kept, known


class GradNormConfig(Config):
    """Settings of `gradnorm`."""

    alpha: float = Field(1.5, ge=0, description="How strongly tasks that are behind are pulled; 0 makes lengths equal.")
    momentum: float = Field(0.9, ge=0, lt=1, description="The share of the past in the moving averages.")


class GradNorm(Balancer[GradNormConfig]):
    """Needs losses of 0 or more. Knows no conflict: it looks at the lengths of gradients, not at their angles."""

    config_type, needs_gram, claims = GradNormConfig, True, Claims(scale_invariant=True)

    def weights(self, gram: Array, losses: Array, state: State) -> tuple[Array, State]:
        """Return the weights of the tasks that had a loss so far and have a gradient now; 1 for the others."""
        first, now, length = (kept(state, key, len(losses)) for key in ("first", "now", "length"))
        told, pulls = known(losses, self), lengths(gram)
        first = np.where((first == 0) & told, losses, first)
        now = np.where(told, self._mixed(now, losses, now > 0), now)
        length = np.where(pulls > 0, np.exp(self._mixed(_log(length), _log(pulls), length > 0)), length)
        begun = (first > 0) & (pulls > 0)
        weights = np.ones(len(losses))
        if begun.any():
            share = now[begun] / first[begun]
            raw = (share / share.mean()) ** self.config.alpha / length[begun]
            weights[begun] = raw * begun.sum() / raw.sum()
        return weights, {"first": first.tolist(), "now": now.tolist(), "length": length.tolist()}

    def _mixed(self, past: Array, new: Array, begun: NDArray[np.bool_]) -> Array:
        """Return the moving averages; what has no past begins with the new value."""
        share = np.where(begun, self.config.momentum, 0.0)
        return share * past + (1 - share) * new


def _log(values: Array) -> Array:
    return np.log(values, out=np.zeros_like(values), where=values > 0)
