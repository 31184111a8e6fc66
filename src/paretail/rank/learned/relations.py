"""Task relations learned with the tasks: weights of related tasks are drawn together, by a covariance of theirs.

    minimises  L(W) + λ/2 tr(W Ω^-1 Wᵀ)   over W [numbers, tasks] and Ω, tr Ω = 1
    the best Ω = (WᵀW)^½ / tr (WᵀW)^½,   with it the penalty is λ/2 (tr (WᵀW)^½)²

that is, the squared sum of W's singular values: it is small where few directions serve all tasks. A column of W holds
the weights that a task gives to the columns of vectors, then those of its head.

Y. Zhang, D.-Y. Yeung, "A Convex Formulation for Learning Task Relationships in Multi-Task Learning", UAI 2010,
arXiv:1203.3536. Deviations: 1. Ω takes its best value at each step in place of taking turns. 2. W is that of heads and
of columns, above what the tasks share; the paper's is all there is. 3. No penalty on |W| beside: priors hold it.
4. What is told of a trained network (`RankNet.covariance`) is the best Ω of columns' weights times the root of what
those amount to, without heads.
"""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

#: Singular values below this share of the greatest count as it, so that Ω can be inverted.
LEAST: Final = 1e-3


def root(weights: Float[Tensor, "numbers tasks"]) -> Float[Tensor, "tasks tasks"]:
    """Return (WᵀW)^½, without a gradient; never singular."""
    values, vectors = torch.linalg.eigh((weights.T @ weights).detach().double())
    values = values.clamp(min=0).sqrt()
    values = values.clamp(min=LEAST * float(values.max().clamp(min=1e-12)))
    found: Tensor = (vectors * values) @ vectors.T
    return found.to(weights.dtype)


def covariance(weights: Float[Tensor, "numbers tasks"]) -> Float[Tensor, "tasks tasks"]:
    """Return the best Ω: its trace is 1."""
    found = root(weights)
    return found / found.trace()


def penalty(weights: Float[Tensor, "numbers tasks"]) -> Float[Tensor, ""]:
    """Return tr(W Ω^-1 Wᵀ) with the best Ω, which has no gradient: the gradient is that of the whole all the same."""
    found: Tensor = (weights * torch.linalg.solve(covariance(weights), weights.T).T).sum()
    return found
