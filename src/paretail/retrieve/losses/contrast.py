"""Contrast: two views of the graph agree on a node and differ on others; a regulariser beside a loss.

    L = mean over nodes v of -ln  e^{cos(z'_v, z''_v) / τ} / Σ_w e^{cos(z'_v, z''_w) / τ}

J. Wu et al., "Self-supervised graph learning for recommendation" (SGL), SIGIR 2021, arXiv:2010.10783, equation 10: the
views leave out edges (`learn.products.Csr.dropped`). J. Yu et al., "Are graph augmentations necessary? Simple graph
contrastive learning for recommendation" (SimGCL), SIGIR 2022, arXiv:2112.08679, equation 7: the views add noise to each
layer, z' = z + ε sign(z) ⊙ Δ / ‖Δ‖, Δ ~ U(0, 1). Deviations: 1. the mean over the nodes, not their sum, so that its
weight does not depend on the batch; 2. from SGL: the nodes of the batch are distinct, as a node is no negative of
itself.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from paretail.retrieve.losses.base import Scalar


def contrast(first: Float[Tensor, "nodes dim"], second: Float[Tensor, "nodes dim"], temperature: float) -> Scalar:
    """Return the loss of distinct nodes of one type in two views; memory grows with the square of the nodes."""
    first, second = normalize(first, dim=1), normalize(second, dim=1)
    cosines = first @ second.T / temperature
    return (cosines.logsumexp(1) - cosines.diagonal()).mean()


def noised(vectors: Float[Tensor, "nodes dim"], size: float) -> Float[Tensor, "nodes dim"]:
    """Return `vectors` with noise of length `size` each, within the same orthant; from torch's own randomness."""
    return vectors + size * vectors.sign() * normalize(torch.rand_like(vectors), dim=1)
