"""A training run under way: its steps, epochs and validations, and where it stands."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from paretail.core.errors import Problem
from paretail.core.rng import rng_for
from paretail.learn import LearnError, device
from paretail.learn.curves import Epoch, Run, Stopped
from paretail.learn.schedule import share_of_lr
from paretail.learn.settings import LoopConfig, optimiser_of
from paretail.learn.step import Balance, Losses, step

Batches = Callable[[int, np.random.Generator], Iterable[Any]]
Validate = Callable[[Any], float]
Optimise = Callable[[nn.Module], Optimizer]


class Learner(Protocol):
    """What can be trained: a torch module that knows the loss of a batch."""

    def loss(self, batch: Any) -> Tensor | dict[str, Tensor] | Losses:
        """Return the loss to minimise; one a task where there are several."""
        ...


@runtime_checkable
class Direct(Protocol):
    """Batches of which any can be made without those before it."""

    def left(self, epoch: int, first: int) -> Iterable[Any]:
        """Yield the batches of an epoch from the `first` on, those that a call would yield."""
        ...


@dataclass
class At:
    """Where a run stands; with the tensors, all that a checkpoint keeps."""

    epoch: int = 0
    batch: int = 0  # so many of the epoch are done
    step: int = 0
    seconds: float = 0.0
    epoch_seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int | None = None
    best_metric: float | None = None
    stale: int = 0  # validations since the best


class Training:
    """The parts of a run; `loop.run` puts them in order."""

    def __init__(
        self,
        model: nn.Module,
        batches: Batches,
        validate: Validate | None,
        config: LoopConfig,
        optimise: Optimise | None = None,
        balance: Balance | None = None,
    ) -> None:
        device.use_cores()
        self.place = device.place(config.device, config.precision)
        self.model = model.to(self.place.device)
        self.learner: Learner = model  # type: ignore[assignment]  # a module's attributes have no types
        self.batches, self.validate, self.config, self.balance = batches, validate, config, balance
        self.params = [param for param in model.parameters() if param.requires_grad]
        self.optimiser = optimise(model) if optimise else optimiser_of(self.params, config)
        for group in self.optimiser.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.scaler = self.place.scaler()
        self.at, self.best = At(), dict[str, Tensor]()
        self._ticked = time.monotonic()

    def start(self) -> None:
        """Validate the weights that training starts from, where the settings ask for it."""
        if self.config.eval_start and self.validate and not self.at.step and not self.at.epochs:
            metric = self._metric(0)
            self._tick()
            self.at.epochs.append(asdict(Epoch(0, 0, None, 0.0, self.at.epoch_seconds, metric)))

    def stopped(self) -> Stopped | None:
        """Say why there is no more to do, or None."""
        if self.at.epoch >= self.config.epochs:
            return "epochs"
        if self.at.stale >= self.config.patience:
            return "patience"
        return "minutes" if self._out_of_time() else None

    def epoch(self) -> Iterator[None]:
        """Train what is left of the epoch, or until the time is up; yield whenever a checkpoint could be taken."""
        self.model.train()
        for batch in self._left():
            self._step(batch)
            yield
            if self._out_of_time():
                return
        if not self.at.batch:
            raise _no_batches(self.at.epoch)
        self._close_epoch()
        yield

    def finish(self, stopped: Stopped) -> Run:
        """Leave the best weights in the model and tell what was done."""
        if self.at.batch:  # the time was up within an epoch
            self._close_epoch()
        if self.best:
            self.model.load_state_dict(self.best)
        self.model.eval()
        at = self.at
        epochs = tuple(Epoch(**epoch) for epoch in at.epochs)
        return Run(epochs, at.best_epoch, at.best_metric, stopped, at.step, at.seconds)

    def told(self) -> str:
        """Say in a phrase where the run stands."""
        phrase = f"epoch {self.at.epoch} of {self.config.epochs}"
        if not self.at.epochs:
            return phrase
        last = Epoch(**self.at.epochs[-1])
        loss = "" if last.loss is None else f", loss {last.loss:.4g}"
        return f"{phrase}{loss}" + ("" if last.metric is None else f", metric {last.metric:.4g}")

    def done(self) -> float:
        """Return the share of the run that is done, by epochs or by time, whichever is further."""
        spent = self.at.seconds / (60 * self.config.minutes) if self.config.minutes else 0.0
        return min(1.0, max(spent, self.at.epoch / self.config.epochs))

    def _left(self) -> Iterable[Any]:
        """Return the epoch's batches without those that were trained on before the run was resumed."""
        epoch, first = self.at.epoch, self.at.batch
        if isinstance(self.batches, Direct):
            return self.batches.left(epoch, first)
        return islice(self.batches(epoch, self._rng()), first, None)

    def _rng(self) -> np.random.Generator:
        return rng_for(f"learn/batches/{self.at.epoch}", self.config.seed)

    def _step(self, batch: Any) -> None:
        at, config = self.at, self.config
        length = max(config.epochs, config.schedule_epochs or 0)
        share = share_of_lr(config.schedule, at.epoch, length, at.step, config.warmup_steps)
        for group in self.optimiser.param_groups:
            group["lr"] = group["initial_lr"] * share
        device.seed_all(f"learn/step/{at.step}", config.seed)
        with self.place.autocast():
            losses = self.learner.loss(device.moved(batch, self.place.device))
        figures = step(losses, self.params, self.optimiser, self.balance, config.clip, self.scaler)
        at.sums = {name: at.sums.get(name, 0.0) + value for name, value in figures.items()}
        at.batch, at.step = at.batch + 1, at.step + 1
        self._tick()

    def _close_epoch(self) -> None:
        at = self.at
        number = at.epoch + 1
        last = number >= self.config.epochs or self._out_of_time()
        metric = self._metric(number) if self.validate and (last or number % self.config.eval_every == 0) else None
        self._tick()
        means = {name: total / at.batch for name, total in at.sums.items()}
        lr = self.optimiser.param_groups[0]["lr"]
        at.epochs.append(asdict(Epoch(number, at.batch, means.pop("loss"), lr, at.epoch_seconds, metric, means)))
        at.epoch, at.batch, at.sums, at.epoch_seconds = number, 0, {}, 0.0

    def _metric(self, epoch: int) -> float:
        """Validate, and keep the weights if they are the best so far."""
        assert self.validate is not None
        self.model.eval()
        with torch.no_grad():
            metric = float(self.validate(self.model))
        self.model.train()
        if not np.isfinite(metric):
            raise _no_metric(metric, epoch)
        self.at.stale += 1
        if self.at.best_metric is None or metric > self.at.best_metric:
            self.at.best_metric, self.at.best_epoch, self.at.stale = metric, epoch, 0
            self.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        return metric

    def _tick(self) -> None:
        now = time.monotonic()
        passed, self._ticked = now - self._ticked, now
        self.at.seconds += passed
        self.at.epoch_seconds += passed

    def _out_of_time(self) -> bool:
        return self.config.minutes is not None and self.at.seconds >= 60 * self.config.minutes


def _no_batches(epoch: int) -> LearnError:
    expected = "Each epoch needs a batch at least"
    do = "See that the data has events of the kinds that the model learns from"
    return LearnError(Problem("LEARN-06", f"epoch {epoch + 1} has no batches", expected, do))


def _no_metric(metric: float, epoch: int) -> LearnError:
    expected = "The metric of a validation must be a finite number"
    do = "See that the validation split has users, and that the model's vectors are finite (a lower lr helps)"
    return LearnError(Problem("LEARN-03", f"the metric after epoch {epoch} is {metric}", expected, do))
