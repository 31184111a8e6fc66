"""Uncertainty: a loss weighs the less, the more noise its task seems to have.

    minimises  sum_i exp(-s_i) L_i / 2 + s_i / 2   over s_i = log sigma_i² too;   w_i = exp(-s_i) / 2

At the best s_i the weight is 1 / (2 L_i).

A. Kendall, Y. Gal, R. Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses for Scene Geometry and
Semantics", CVPR 2018, arXiv:1705.07115. Deviations: 1. s_i starts at the log of the task's first loss, where it is
best, so that units do not matter; 2. it takes plain gradient steps of its own rate, of 1 at most; 3. the factor 1/2 of
a regression stands before every loss.
"""

import numpy as np
from pydantic import Field

from paretail.core.config import Config
from paretail.rank.balance.base import Array, Balancer, Claims, State, kept, known


class UncertaintyConfig(Config):
    """Settings of `uncertainty`."""

    lr: float = Field(0.025, gt=0, le=1, description="The step of the log variances.")


class Uncertainty(Balancer[UncertaintyConfig]):
    """Needs losses of 0 or more; a task that is learned to perfection takes over."""

    config_type, needs_gram, claims = UncertaintyConfig, False, Claims(scale_invariant=True)

    def weights(self, gram: Array, losses: Array, state: State) -> tuple[Array, State]:
        """Return exp(-s) / 2; 1 for a task of which nothing is known yet."""
        told = known(losses, self)
        begun = kept(state, "begun", len(losses)) > 0
        s = kept(state, "s", len(losses))
        s[told & ~begun] = np.log(losses[told & ~begun])
        begun |= told
        weights = np.where(begun, np.exp(-s) / 2, 1.0)
        slope = np.where(told, (1 - np.exp(-s) * losses) / 2, 0.0)
        s -= np.clip(self.config.lr * slope, -1, 1)
        return weights, {"s": s.tolist(), "begun": begun.astype(float).tolist()}
