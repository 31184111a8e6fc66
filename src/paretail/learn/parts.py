"""A piece of a forward pass that is made a few rows at a time, and once more in the backward pass: nothing is kept.

T. Chen, B. Xu, C. Zhang, C. Guestrin, "Training deep nets with sublinear memory cost", 2016, arXiv:1604.06174.
Deviations: pieces are rows, not layers. torch.utils.checkpoint keeps each piece's result between those of the next, so
that the heap cannot use its holes again: 2.1 GB where this takes .2.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def by_parts(
    make: Callable[..., Tensor], rows: int, split: Sequence[Tensor], whole: Sequence[Tensor], weights: Sequence[Tensor]
) -> Tensor:
    """Return `make(*split, *whole)`, made for so many rows of the tensors `split` at a time, as rows of the result.

    Gradients flow into all that is given, and into the `weights` that `make` reads; it draws nothing at random.
    """
    made: Tensor = _Parts.apply(make, rows, len(split), len(whole), *split, *whole, *weights)  # type: ignore[no-untyped-call]
    return made


class _Parts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, make: Callable[..., Tensor], rows: int, split: int, whole: int, *tensors: Tensor) -> Tensor:
        ctx.save_for_backward(*tensors)
        ctx.make, ctx.rows, ctx.split, ctx.whole = make, rows, split, whole
        given = tensors[: split + whole]
        out = torch.empty(0)
        for start in range(0, len(given[0]), rows):
            made = make(*_part(given, split, slice(start, start + rows)))
            out = out if start else made.new_empty(len(given[0]), *made.shape[1:])
            out[start : start + rows] = made
        return out

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        tensors, split, count = ctx.saved_tensors, ctx.split, ctx.split + ctx.whole
        wanted = [at for at, needed in enumerate(ctx.needs_input_grad[4:]) if needed]
        found = {at: torch.zeros_like(tensors[at]) for at in wanted}
        for start in range(0, len(tensors[0]), ctx.rows):
            part = slice(start, start + ctx.rows)
            given = [tensor.detach() for tensor in _part(tensors[:count], split, part)]
            leaves = [given[at].requires_grad_() if at < count else tensors[at] for at in wanted]
            with torch.enable_grad():
                made = ctx.make(*given)
            for at, slope in zip(
                wanted, torch.autograd.grad(made, leaves, slopes[0][part], allow_unused=True), strict=True
            ):
                if slope is not None:
                    (found[at][part] if at < split else found[at]).add_(slope)
        return None, None, None, None, *(found.get(at) for at in range(len(tensors)))


def _part(given: Sequence[Tensor], split: int, part: slice) -> list[Tensor]:
    return [*(tensor[part] for tensor in given[:split]), *given[split:]]
