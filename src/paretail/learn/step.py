"""One optimiser step: the only place in the project that calls `backward` and `optimiser.step`.

With a balance, the tasks' gradients are taken where the tasks share something: at the representation z that
`Losses.shared` names, else at all parameters. There g_t = dL_t/dz, and the balance turns the Gram matrix
G_st = <g_s, g_t> into weights w; the step is one backward pass of sum_t w_t L_t, and of a penalty that no task owns,
(sum_t w_t L_t / sum_t L_t) times: its part of the loss is then what it is beside the plain sum, whatever the weights
amount to. Beside weights that make up for what a loss was multiplied by (`Losses.scales` c_t) the plain sum is that of
L_t / c_t, so that units do not count. Beside weights that are set once and for all the penalty counts as often as the
task that counts most. At a representation this costs the heads' part of a backward pass more.

A task with less than LEAST of its gradient (at `Losses.whole`, of which `shared` is a part) at what is shared pulls at
nothing there: no balance sees it. It counts as the penalty does, so as in the plain sum.

Source: O. Sener, V. Koltun, "Multi-Task Learning as Multi-Objective Optimization", 2018, arXiv:1810.04650, section 3.3
(gradients at the representation). Deviations: 1. the weights apply to the heads' own parameters too; 2. tasks that pull
at nothing shared are left out: a weight that is the inverse of nearly nothing counts their own numbers as often.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from paretail.core.errors import Problem
from paretail.learn import LearnError

Loss = Float[Tensor, ""]
Array = NDArray[np.float64]
#: The share of its gradient's length that a task must have at what is shared to be weighed by it.
LEAST: Final = 0.1


class Balance(Protocol):
    """Weighs the tasks of a step."""

    #: Whether `weigh` wants the Gram matrix; without it a step costs no more than a plain one.
    needs_gram: bool
    #: Whether weights are set once and for all: the task that counts most is then held by the penalty as it is.
    fixed: bool
    #: Whether the weight of a task falls as its loss is multiplied: what it was multiplied by then says nothing.
    rescales: bool
    #: What it remembers from step to step, as JSON values; a checkpoint keeps it.
    state: Mapping[str, Any]

    def weigh(self, gram: Array | None, losses: Array) -> Array:
        """Return the weight of each task, 0 or more; `gram[tasks, tasks]` and `losses[tasks]` in the tasks' order."""
        ...


@dataclass(frozen=True)
class Losses:
    """The loss of each task, the tensors of the forward pass that the tasks share, and what is no task's (a prior).

    `scales` tells what losses were multiplied by, 1 where it tells nothing: without, they are of the penalty's unit.
    `whole` are tensors that hold `shared` and what each task has for itself beside it; without, all is shared.
    """

    tasks: Mapping[str, Loss]
    shared: Sequence[Tensor] = field(default=())
    penalty: Loss | None = None
    scales: Mapping[str, float] = field(default_factory=dict)
    whole: Sequence[Tensor] = field(default=())


def step(
    losses: Loss | Mapping[str, Loss] | Losses,
    params: Iterable[Tensor],
    optimiser: Optimizer,
    balance: Balance | None = None,
    clip: float | None = None,
    scaler: GradScaler | None = None,
) -> dict[str, float]:
    """Move `params` one step down the sum of `losses`, weighted by `balance`; return the step's figures.

    Only `params` get gradients and only they move, whatever else the losses reach or the optimiser holds. `clip` bounds
    the norm of all gradients together. The figures: `loss` (the weighted sum), `grad_norm` (before clipping) and, of
    several losses, `loss/TASK` and `weight/TASK`.

    Raises LearnError (LEARN-03) where a loss or gradient is not finite; the parameters then stay as they were. A
    `scaler` skips steps whose scaled gradients overflow, as it must to find its scale: `grad_norm` is then not finite.
    """
    asked, params = _asked(losses), [param for param in params if param.requires_grad]
    values = _finite(asked.tasks)
    weights, times = _weights(asked, params, values, balance)
    total = sum((w * loss for w, loss in zip(weights.tolist(), asked.tasks.values(), strict=True)), torch.zeros(()))
    if asked.penalty is not None:
        total = total + times * asked.penalty
    _clear(params, optimiser)
    norm = _descend(total, params, optimiser, clip, scaler)
    figures = {"loss": float(total.detach()), "grad_norm": norm}
    if not isinstance(losses, Tensor):
        figures |= {f"loss/{task}": value for task, value in zip(asked.tasks, values.tolist(), strict=True)}
        figures |= {f"weight/{task}": weight for task, weight in zip(asked.tasks, weights.tolist(), strict=True)}
    return figures


def _asked(losses: Loss | Mapping[str, Loss] | Losses) -> Losses:
    if isinstance(losses, Tensor):
        losses = {"loss": losses}
    return losses if isinstance(losses, Losses) else Losses(losses)


def _finite(tasks: Mapping[str, Loss]) -> Array:
    values = torch.stack([loss.detach().double() for loss in tasks.values()]).cpu().numpy()
    if np.isfinite(values).all():
        return values
    bad = {task: float(value) for task, value in zip(tasks, values, strict=True) if not np.isfinite(value)}
    raise _not_finite("; ".join(f"the loss {task!r} is {value}" for task, value in bad.items()))


def _weights(asked: Losses, params: Sequence[Tensor], values: Array, balance: Balance | None) -> tuple[Array, float]:
    """Return the weight of each task, and how often the penalty counts."""
    if balance is None:
        return np.ones(len(values)), 1.0
    gram = _gram(asked, params) if balance.needs_gram else None
    weights = np.asarray(balance.weigh(gram, values), np.float64)
    if weights.shape != values.shape or not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError(f"{type(balance).__name__} must weigh {len(values)} tasks with numbers >= 0, not {weights}")
    if balance.fixed:
        return weights, float(weights.max())
    pulls = np.ones(len(values), bool) if gram is None or not gram.any() else gram.diagonal() > 0
    times = _times(asked, weights, values, balance, pulls)
    return np.where(pulls, weights, times), times


def _times(asked: Losses, weights: Array, values: Array, balance: Balance, pulls: NDArray[np.bool_]) -> float:
    """Return how often the penalty counts; where losses are below 0, as often as tasks do in the mean."""
    scale = np.array([asked.scales.get(task, 1.0) if balance.rescales else 1.0 for task in asked.tasks])
    there = pulls & (scale > 0)
    weights, values, scale = weights[there], values[there], scale[there]
    plain = values / scale
    if (plain >= 0).all() and plain.any():
        return float(weights @ values / plain.sum())
    return float((weights * scale).mean()) if len(scale) else 1.0


def _gram(asked: Losses, params: Sequence[Tensor]) -> Array:
    """Return the products of the losses' gradients at what is shared, in float64; 0 of tasks that hardly pull there."""
    at, whole = (asked.shared, asked.whole) if asked.shared else (params, ())
    every = [*at, *whole]
    found = [
        torch.autograd.grad(loss, every, retain_graph=True, materialize_grads=True) for loss in asked.tasks.values()
    ]
    products = []
    for parts in zip(*found, strict=True):
        rows = torch.stack([part.flatten() for part in parts]).double()
        products.append((rows @ rows.T).cpu().numpy())
    gram = np.sum(products[: len(at)], axis=0)
    if whole:
        hardly = gram.diagonal() < LEAST**2 * np.sum(products[len(at) :], axis=0).diagonal()
        gram[hardly] = gram[:, hardly] = 0.0
    return np.asarray(gram)


def _clear(params: Sequence[Tensor], optimiser: Optimizer) -> None:
    optimiser.zero_grad(set_to_none=True)
    for param in params:
        param.grad = None


def _descend(
    total: Loss, params: Sequence[Tensor], optimiser: Optimizer, clip: float | None, scaler: GradScaler | None
) -> float:
    """Go backward and step; return the norm of the gradients before clipping."""
    scaled = total if scaler is None else scaler.scale(total)
    scaled.backward(inputs=params)  # type: ignore[no-untyped-call]  # torch gives it no types
    if scaler is not None:
        scaler.unscale_(optimiser)
    norm = _clipped_norm(params, clip)
    if scaler is not None:
        scaler.step(optimiser)
        scaler.update()
    elif not np.isfinite(norm):
        raise _not_finite(f"the norm of the gradients is {norm}")
    else:
        optimiser.step()
    return norm


def _clipped_norm(params: Sequence[Tensor], clip: float | None) -> float:
    gradients = [param.grad for param in params if param.grad is not None]
    if not gradients:
        raise ValueError("the losses reach none of the parameters: is a tensor detached, or the wrong list given?")
    norm = torch.nn.utils.get_total_norm(gradients)
    if clip is not None:
        torch.nn.utils.clip_grads_with_norm_(params, clip, norm)
    return float(norm)


def _not_finite(found: str) -> LearnError:
    expected = "Losses and gradients must be finite numbers"
    do = "Lower lr, set clip (1.0 is usual), and look for values in the input that are not finite or very large"
    return LearnError(Problem("LEARN-03", found, expected, do))
