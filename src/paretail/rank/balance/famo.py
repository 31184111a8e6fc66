"""FAMO: all losses fall by the same factor, at the cost of a plain step.

    z = softmax(xi),   w_i = z_i / L_i / sum_k (z_k / L_k)
    xi <- xi - beta (J^T delta + gamma xi),   delta_i = log L_i(t) - log L_i(t + 1),   J = dz / dxi

A task whose loss fell more than the others' loses weight.

B. Liu, Y. Feng, P. Stone, Q. Liu, "FAMO: Fast Adaptive Multitask Optimization", NeurIPS 2023, arXiv:2306.03792,
algorithm 1. Deviations: 1. L(t + 1) is the loss at the next step, of the next batch, which costs no further forward
pass and adds the noise of batches; 2. plain gradient steps of xi in place of Adam; 3. losses are taken to have the
least value 0.
"""

import numpy as np
from pydantic import Field

from paretail.core.config import Config
from paretail.rank.balance.base import Array, Balancer, Claims, State, kept, known


class FamoConfig(Config):
    """Settings of `famo`."""

    lr: float = Field(0.025, gt=0, description="beta, the step of the logits xi.")
    decay: float = Field(0.001, ge=0, description="gamma, the pull of the logits to even weights.")


class Famo(Balancer[FamoConfig]):
    """Needs losses of 0 or more, and no gradients."""

    config_type, needs_gram, claims = FamoConfig, False, Claims(simplex=True, scale_invariant=True)

    def weights(self, gram: Array, losses: Array, state: State) -> tuple[Array, State]:
        """Return the weights of the tasks that had a loss so far; 1 for the others."""
        told, past, xi = known(losses, self), kept(state, "losses", len(losses)), kept(state, "xi", len(losses))
        now = np.where(told, losses, past)
        if (begun := past > 0).any():
            fell = np.log(past[begun] / now[begun])
            xi[begun] -= self.config.lr * (_through_softmax(xi[begun], fell) + self.config.decay * xi[begun])
        weights = np.ones(len(losses))
        if (begun := now > 0).any():
            raw = _softmax(xi[begun]) / now[begun]
            weights[begun] = raw / raw.sum()
        return weights, {"losses": now.tolist(), "xi": xi.tolist()}


def _softmax(xi: Array) -> Array:
    raised = np.exp(xi - xi.max())
    return np.asarray(raised / raised.sum())


def _through_softmax(xi: Array, delta: Array) -> Array:
    z = _softmax(xi)
    return np.asarray(z * (delta - z @ delta))
