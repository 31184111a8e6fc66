"""What training must remember to go on as if nothing had happened: tensors and counters in one safetensors file.

The counters stand as JSON in the file's header, so that a file is whole or absent: it is written aside, flushed and
renamed. There is no state of a random generator in it: randomness is a function of the seed and the step.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from paretail.core.errors import Problem
from paretail.core.files import atomic_file
from paretail.learn import LearnError

FORMAT = "paretail-checkpoint-1"
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """Named tensors, and JSON values beside them."""

    tensors: Tensors
    state: Mapping[str, Any]

    def under(self, name: str) -> dict[str, Tensor]:
        """Return the tensors whose names begin with `name` and a slash, under the rest of their names."""
        return {key.removeprefix(f"{name}/"): t for key, t in self.tensors.items() if key.startswith(f"{name}/")}


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint in place of the one before; killed at any moment, one of the two is there and whole."""
    # A copy each: safetensors refuses tensors that share memory, as tied weights do.
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in checkpoint.tensors.items()}
    header = {"format": FORMAT, "state": json.dumps(dict(checkpoint.state))}
    with atomic_file(path) as aside:
        save_file(tensors, aside, metadata=header)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint; raises LearnError (LEARN-04) where the file is damaged or not a checkpoint of ours."""
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
    except (SafetensorError, OSError) as error:
        raise _damaged(path, str(error)) from None
    if header.get("format") != FORMAT:
        raise _damaged(path, f"its format is {header.get('format')!r}")
    return Checkpoint(tensors, json.loads(header["state"]))


def packed(optimiser: Optimizer) -> Checkpoint:
    """Return the optimiser's state; tensors are named `PARAMETER/KEY`, with the parameter's number."""
    state = optimiser.state_dict()
    entries = {f"{number}/{key}": value for number, kept in state["state"].items() for key, value in kept.items()}
    tensors = {name: value for name, value in entries.items() if isinstance(value, Tensor)}
    plain = {name: value for name, value in entries.items() if not isinstance(value, Tensor)}
    return Checkpoint(tensors, {"groups": state["param_groups"], "plain": plain})


def unpack(optimiser: Optimizer, kept: Checkpoint) -> None:
    """Give the optimiser the state that `packed` took from one of the same kind and parameters."""
    state: dict[int, dict[str, Any]] = {}
    for name, value in {**kept.tensors, **kept.state["plain"]}.items():
        number, key = name.split("/")
        state.setdefault(int(number), {})[key] = value
    groups = [{key: _tuple(value) for key, value in group.items()} for group in kept.state["groups"]]
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def _tuple(value: Any) -> Any:
    """Return a pair of numbers as the tuple that it was before JSON; lists of parameters' numbers may be tuples too."""
    return tuple(value) if isinstance(value, list) else value


def _damaged(path: Path, why: str) -> LearnError:
    expected = "A checkpoint is one whole safetensors file that this program wrote"
    return LearnError(Problem("LEARN-04", f"{path}: {why}", expected, "Delete it to train from the start"))
