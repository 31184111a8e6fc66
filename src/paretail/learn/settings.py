"""Settings of training by gradient, and the optimiser that they ask for."""

from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import Field
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from paretail.core.config import Config
from paretail.learn.schedule import Schedule


class LoopConfig(Config):
    """Settings of training by gradient."""

    epochs: int = Field(30, ge=1, description="Passes over the batches, at most.")
    batch_size: int = Field(2048, ge=1, description="Examples of a step.")
    lr: float = Field(1e-3, gt=0, description="Learning rate, before the schedule.")
    weight_decay: float = Field(0.0, ge=0, description="Pull of the weights towards zero, apart from the gradient.")
    optimiser: Literal["adamw", "adam", "sgd"] = Field(
        "adamw", description="`adam` and `sgd` add the weight decay to the gradient, `adamw` applies it apart."
    )
    schedule: Schedule = Field("constant", description="How the learning rate falls over the epochs.")
    schedule_epochs: int | None = Field(
        None, ge=1, description="Epochs over which it falls; by default, and at least, all of them."
    )
    warmup_steps: int = Field(0, ge=0, description="Steps over which the learning rate rises from near 0.")
    clip: float | None = Field(None, gt=0, description="Bound of the norm of all gradients together.")
    eval_every: int = Field(1, ge=1, description="Epochs from one validation to the next.")
    eval_start: bool = Field(
        False, description="Validate before the first step too: a warm start that training cannot better is kept."
    )
    patience: int = Field(5, ge=1, description="Validations without a gain until training stops.")
    minutes: float | None = Field(None, gt=0, description="Time budget; what is best when it ends is kept.")
    checkpoint_minutes: float = Field(1.0, ge=0, description="Time from one checkpoint to the next; 0: every step.")
    seed: int = Field(0, ge=0, description="Seed of everything random.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="`auto`: the GPU where there is one.")
    precision: Literal["auto", "full"] = Field("auto", description="`auto`: mixed precision, on a GPU only.")


#: Numbers from which on one fused pass over memory pays: it always wakes all threads, 10 ms on a busy machine. For 4.5
#: million it took 7.5 ms a step, where the loop over tensors took 24.
MANY = 1 << 17


def optimiser_of(params: Sequence[nn.Parameter], config: LoopConfig) -> Optimizer:
    """Return the optimiser of `params` that the settings ask for."""
    kinds: dict[str, Callable[..., Optimizer]] = {"adamw": AdamW, "adam": Adam, "sgd": SGD}
    pace = {"fused": True} if sum(param.numel() for param in params) >= MANY else {"foreach": True}
    return kinds[config.optimiser](params, lr=config.lr, weight_decay=config.weight_decay, **pace)
