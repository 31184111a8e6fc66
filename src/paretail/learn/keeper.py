"""Keeps a run in its checkpoint, and takes it up again: exactly there, and only if it is the same run."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from paretail.core.errors import Problem
from paretail.learn import LearnError
from paretail.learn.checkpoint import Checkpoint, load, packed, save, unpack
from paretail.learn.training import At, Training

#: Settings that may differ between a run and its continuation.
FREE = {"minutes", "checkpoint_minutes"}


class Keeper:
    """The checkpoint of one run; without a path it does nothing."""

    def __init__(self, training: Training, path: Path | None, fingerprint: str) -> None:
        self.training, self.path, self.fingerprint = training, path, fingerprint
        self.kept = time.monotonic()

    def keep_if_due(self) -> None:
        """Write the checkpoint where the last one is older than the settings say."""
        if time.monotonic() - self.kept >= 60 * self.training.config.checkpoint_minutes:
            self.keep()

    def keep(self) -> None:
        """Write the checkpoint."""
        if self.path is None:
            return
        run = self.training
        optimiser = packed(run.optimiser)
        parts = {"model": run.model.state_dict(), "best": run.best, "optimiser": optimiser.tensors}
        tensors = {f"{part}/{name}": tensor for part, named in parts.items() for name, tensor in named.items()}
        state = {
            "of": self._identity(),
            "at": asdict(run.at),
            "optimiser": optimiser.state,
            "scaler": run.scaler and run.scaler.state_dict(),
            "balance": run.balance and dict(run.balance.state),
        }
        save(self.path, Checkpoint(tensors, state))
        self.kept = time.monotonic()

    def take_up(self) -> None:
        """Put the run where its checkpoint says, if there is one; raises LearnError (LEARN-05) if it is another's."""
        if self.path is None or not self.path.exists():
            return
        kept, run = load(self.path), self.training
        _check_same(self.path, kept.state["of"], self._identity())
        run.model.load_state_dict(kept.under("model"))
        run.best = {name: tensor.to(run.place.device) for name, tensor in kept.under("best").items()}
        unpack(run.optimiser, Checkpoint(kept.under("optimiser"), kept.state["optimiser"]))
        run.at = At(**kept.state["at"])
        if run.scaler is not None:
            run.scaler.load_state_dict(kept.state["scaler"])
        if run.balance is not None:
            run.balance.state = kept.state["balance"]

    def _identity(self) -> dict[str, Any]:
        run = self.training
        shapes = {f"shape of {name}": list(tensor.shape) for name, tensor in run.model.state_dict().items()}
        kinds = {"kind of optimiser": type(run.optimiser).__name__, "kind of balance": type(run.balance).__name__}
        return {**run.config.model_dump(exclude=FREE), **shapes, **kinds, "fingerprint": self.fingerprint}


def _check_same(path: Path, found: dict[str, Any], expected: dict[str, Any]) -> None:
    differing = [name for name in {**expected, **found} if found.get(name) != expected.get(name)]
    if differing:
        told = "; ".join(f"{name} was {found.get(name)!r} and is {expected.get(name)!r}" for name in differing[:5])
        rule = "Only the same data, model and settings go on from a checkpoint"
        do = "Put the settings back, or delete the checkpoint to train from the start"
        raise LearnError(Problem("LEARN-05", f"{path} is of another run: {told}", rule, do))
