"""The training loop: epochs of steps, validation, early stopping, a time budget, checkpoints with exact resume.

All randomness of a run follows from its seed and the step: the batches of an epoch are drawn from the stream
`learn/batches/EPOCH`, and before each step torch's own randomness (dropout) becomes the stream `learn/step/STEP`. So a
run that was killed and resumed ends with the bytes of one that was not; only a time budget depends on a clock.
"""

from pathlib import Path

from torch import nn

from paretail.core.progress import Progress, silent
from paretail.learn import device
from paretail.learn.curves import Run
from paretail.learn.keeper import Keeper
from paretail.learn.settings import LoopConfig
from paretail.learn.step import Balance
from paretail.learn.training import Batches, Optimise, Training, Validate

__all__ = ["LoopConfig", "Run", "run"]


def run(
    model: nn.Module,
    batches: Batches,
    validate: Validate | None,
    config: LoopConfig,
    checkpoint: Path | None = None,
    progress: Progress = silent,
    *,
    optimise: Optimise | None = None,
    balance: Balance | None = None,
    fingerprint: str = "",
) -> Run:
    """Train `model`, a module with `loss(batch)`, and leave the best weights in it.

    `batches(epoch, rng)` yields the batches of an epoch, from 0 on, and must depend on its arguments alone.
    Where they have a method `left(epoch, first)` (`training.Direct`), a run that was killed makes no batch again.
    `validate(model)` returns a number that should grow; it runs without gradients, in evaluation mode.
    `optimise(model)` makes another optimiser than the settings ask for. Where there is a file `checkpoint`, training
    goes on from it; `fingerprint` says of what data and model it must be. The model moves to the settings' device.

    Raises LearnError: LEARN-03 where losses or the metric are not finite, LEARN-04 where the checkpoint cannot be read,
    LEARN-05 where it is of another run, LEARN-06 where an epoch has no batches.
    """
    with device.deterministic(), device.seeded("learn/run", config.seed):
        training = Training(model, batches, validate, config, optimise, balance)
        keeper = Keeper(training, checkpoint, fingerprint)
        keeper.take_up()
        training.start()
        while (stopped := training.stopped()) is None:
            for _ in training.epoch():
                keeper.keep_if_due()
            progress(training.told(), training.done())
        keeper.keep()
        return training.finish(stopped)
