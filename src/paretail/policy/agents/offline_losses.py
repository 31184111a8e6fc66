"""Losses of learning from logs as pure functions, slot by slot of a slate.

`scores[batch, slots, items]` are the values of all items in each slot given those above, -inf for items above.

    conservative  mean_j [log Σ_i exp s_j(i) - s_j(i_j)]           A. Kumar et al., 2020, arXiv:2006.04779 (CQL)
    expectile     |τ - 1[d < 0]| d²,   d = q - v                   I. Kostrikov et al., 2022, arXiv:2110.06169 (IQL)
    cloned        -mean_j log π_j(i_j)                             behaviour cloning
    unlikely      how far an item's log-probability lies under log τ + that of the likeliest
                  S. Fujimoto et al., 2019, arXiv:1910.01708 (discrete BCQ)

Deviations: a slate is the sum of its slots, so the maximum over slates becomes one over the items of each slot.
"""

from math import log

from jaxtyping import Float, Int
from torch import Tensor

Loss = Float[Tensor, ""]
BySlot = Float[Tensor, "batch slots"]


def conservative(scores: Float[Tensor, "batch slots items"], rows: Int[Tensor, "batch slots"]) -> Loss:
    """Return how much more all items of a slot are worth than the one that was logged."""
    return (scores.logsumexp(2) - scores.gather(2, rows[:, :, None])[:, :, 0]).mean()


def expectile(q: Float[Tensor, " batch"], v: Float[Tensor, " batch"], tau: float) -> Loss:
    """Return the loss whose minimiser v is the expectile τ of q, which is no variable."""
    over = q.detach() - v
    return ((over >= 0).float() * (2 * tau - 1) + 1 - tau).mul(over.square()).mean()


def cloned(log_p: BySlot) -> Loss:
    """Return the negative log-likelihood of what was logged."""
    return -log_p.mean()


def unlikely(log_p: Tensor, threshold: float) -> Tensor:
    """Return, for the items in the last axis, how much less likely they are than the threshold allows; 0: allowed."""
    return (log(threshold) + log_p.amax(-1, keepdim=True) - log_p).clamp(min=0)
