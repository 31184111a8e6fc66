"""Losses and returns of reinforcement learning as pure functions, with time in the names (as in DeepMind's RLax).

At time t-1 (`tm1`) an action was taken; `r_t` and `discount_t` followed (discount 0 where the episode ended), and the
state of time t. Sources: V. Mnih et al., "Human-level control through deep reinforcement learning", 2015 (`td_loss`);
J. Schulman et al., "High-Dimensional Continuous Control Using Generalized Advantage Estimation", 2016, arXiv:1506.02438
(`gae`); J. Schulman et al., "Proximal Policy Optimization Algorithms", 2017, arXiv:1707.06347 (`ratio_loss`); R. J.
Williams, 1992, doi:10.1007/BF00992696 (`reinforce_loss`); E. Ie et al., "SlateQ", 2019, arXiv:1905.12767 (`slate_q`).
Deviations: 1. `td_loss` is Huber's, as in the DQN paper's clipped errors, and takes the target, not max q, so that one
function serves double, n-step and slate targets. 2. `slate_q` has a value for choosing nothing, where SlateQ has 0.
"""

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import huber_loss

Batch = Float[Tensor, " batch"]
Loss = Float[Tensor, ""]
Steps = NDArray[np.float64]


def td_loss(q_tm1: Batch, r_t: Batch, discount_t: Batch, v_t: Batch) -> Loss:
    """Return the Huber loss of q against r + discount · v, which is no variable."""
    return huber_loss(q_tm1, (r_t + discount_t * v_t).detach())


def n_step(r_t: Steps, discount_t: Steps, chain_t: NDArray[np.bool_], n: int) -> tuple[Steps, Steps, NDArray[np.int64]]:
    """Return the n-step rewards, the discount of what follows and how many steps were summed, of `[steps, lanes]`.

    A sum ends early where `chain_t` is false (the episode ended, or its record does); discounts then tell whether what
    follows counts.
    """
    total, left, used = r_t.copy(), discount_t.copy(), np.ones(r_t.shape, np.int64)
    going = chain_t.copy()
    for ahead in range(1, n):
        going[len(going) - ahead :] = False
        at = np.minimum(np.arange(len(r_t)) + ahead, len(r_t) - 1)
        total, left = np.where(going, total + left * r_t[at], total), np.where(going, left * discount_t[at], left)
        used = used + going
        going &= chain_t[at]
    return total, left, used


def gae(r_t: Steps, discount_t: Steps, v_tm1: Steps, v_t: Steps, chain_t: NDArray[np.bool_], lam: float) -> Steps:
    """Return advantages of `[steps, lanes]`: sums of temporal differences by (discount·λ), cut where no chain is."""
    delta, found, later = r_t + discount_t * v_t - v_tm1, np.zeros_like(r_t), np.zeros(r_t.shape[1])
    for t in range(len(r_t) - 1, -1, -1):
        later = delta[t] + chain_t[t] * discount_t[t] * lam * later
        found[t] = later
    return found


def ratio_loss(log_p: Batch, log_p_then: Batch, advantage: Batch, clip: float) -> Loss:
    """Return PPO's clipped surrogate, to be minimised."""
    ratio = (log_p - log_p_then).exp()
    return -(ratio * advantage).minimum(ratio.clamp(1 - clip, 1 + clip) * advantage).mean()


def reinforce_loss(log_p: Batch, advantage: Batch) -> Loss:
    """Return the loss whose gradient is that of the expected return, turned round."""
    return -(log_p * advantage.detach()).mean()


def slate_q(v: Float[Tensor, "batch slots"], q: Float[Tensor, "batch slots"], v_none: Batch, q_none: Batch) -> Batch:
    """Return Σ_i P(i | slate) q_i with P(i | slate) = v_i / (v_none + Σ v), choosing nothing included."""
    return ((v * q).sum(1) + v_none * q_none) / (v_none + v.sum(1))
