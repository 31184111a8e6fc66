"""Attention over the edges of a node: a softmax of each target's edges, and sums with weights that have gradients.

    a_ts = w_ts e^{x_ts} / Σ_s' w_ts' e^{x_ts'}

An edge of weight 2 counts as two edges of weight 1, one of weight 0 as none. A target without edges hears 0.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretail.learn.device import full
from paretail.learn.products import Csr, propagate
from paretail.retrieve.net.edges import Edges

#: Edges whose vectors are in memory at once in the backward pass.
CHUNK = 1 << 18


def edge_softmax(scores: Float[Tensor, "edges heads"], edges: Edges) -> Float[Tensor, "edges heads"]:
    """Return the shares of each target's edges, which add up to 1."""
    rows, shape, weight = edges.targets, (edges.csr.shape[0], scores.shape[1]), edges.csr.by_row.values[:, None]
    scores = torch.where(
        weight > 0, full(scores), -torch.inf
    )  # of a node whose edges are all left out, 0 / 0 otherwise
    at = rows[:, None].expand_as(scores)
    most = torch.full(shape, -torch.inf, dtype=scores.dtype, device=scores.device)
    most = most.scatter_reduce(0, at, scores.detach(), "amax")
    most = torch.where(most > -torch.inf, most, 0.0)
    raised = torch.exp(scores - most.index_select(0, rows)) * weight
    total = torch.zeros(shape, dtype=scores.dtype, device=scores.device).index_add(0, rows, raised)
    return raised / torch.where(total > 0, total, 1.0).index_select(0, rows)


def attended(
    shares: Float[Tensor, "edges heads"], values: Float[Tensor, "sources heads dim"], csr: Csr
) -> Float[Tensor, "targets heads dim"]:
    """Return the sums of `values` over each target's edges, weighted by `shares`; gradients flow into both."""
    heads = [_Sum.apply(shares[:, head], full(values[:, head]), csr) for head in range(shares.shape[1])]  # type: ignore[no-untyped-call]
    return torch.stack(heads, 1)


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, shares: Tensor, values: Tensor, csr: Csr) -> Tensor:
        ctx.save_for_backward(shares, values)
        ctx.csr = csr
        return propagate(csr.with_values(shares), values.detach())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        (shares, values), csr, slope = ctx.saved_tensors, ctx.csr, gradients[0].contiguous()
        rows = torch.repeat_interleave(torch.diff(csr.by_row.indptr).long())
        of_shares = torch.empty_like(shares)
        for start in range(0, len(shares), CHUNK):
            part = slice(start, start + CHUNK)
            of_shares[part] = (slope[rows[part]] * values[csr.by_row.indices[part]]).sum(1)
        return of_shares, propagate(csr.with_values(shares).transposed(), slope), None
