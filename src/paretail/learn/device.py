"""Where training runs: the device, its precision, its threads, and torch's randomness by name."""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, fields, is_dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler

from paretail.core.errors import ConfigError, Problem, nearest
from paretail.core.rng import rng_for

#: What cuBLAS needs to add up in one order: set before its first product.
CUBLAS = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@dataclass(frozen=True)
class Place:
    """A device, and the type that `autocast` computes in there; None: all in the tensors' own type."""

    device: torch.device
    half: torch.dtype | None = None

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context for the forward pass: half precision where this place has it, else nothing."""
        return nullcontext() if self.half is None else torch.autocast(self.device.type, self.half)

    def scaler(self) -> GradScaler | None:
        """Return what keeps small gradients from vanishing: float16 needs it, bfloat16 has float32's range."""
        return GradScaler(self.device.type) if self.half is torch.float16 else None


def place(device: str = "auto", precision: str = "auto") -> Place:
    """Choose: the GPU where torch sees one, with mixed precision; else the CPU, in float32.

    For "auto" the environment's PARETAIL_DEVICE and PARETAIL_PRECISION may say what is taken. Raises ConfigError
    (LEARN-02) where these say something else, or where "cuda" is asked for and torch sees none.
    """
    device = _told("PARETAIL_DEVICE", ("auto", "cpu", "cuda")) if device == "auto" else device
    precision = _told("PARETAIL_PRECISION", ("auto", "full")) if precision == "auto" else precision
    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        found = f"device = 'cuda', but torch {torch.__version__} sees no GPU"
        do = "Set device = 'auto' (or PARETAIL_DEVICE=auto), or install a build of torch with CUDA and its driver"
        raise ConfigError(Problem("LEARN-02", found, "A GPU that torch can use", do))
    if device == "cpu" or not there:
        return Place(torch.device("cpu"))
    half = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return Place(torch.device("cuda"), None if precision == "full" else half)


def _told(name: str, words: Sequence[str]) -> str:
    """Return what a variable of the environment says, the first of `words` where it is not set."""
    word = os.environ.get(name) or words[0]
    if word not in words:
        do = f"Set {name} to one of these, or unset it"
        raise ConfigError(Problem("LEARN-02", f"{name} = {word!r} in the environment", nearest(word, words), do))
    return word


def full(tensor: Tensor) -> Tensor:
    """Return `tensor` in float32 where it is of half precision, else as it is; gradients flow back in its own type.

    Autocast makes one type of what products of matrices take, not of what sparse sums, `out=` and the like take.
    """
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def unmixed(tensor: Tensor) -> AbstractContextManager[object]:
    """Return the context in which `autocast` does nothing, on the device of `tensor`."""
    return torch.autocast(tensor.device.type, enabled=False)


def moved(batch: Any, device: torch.device) -> Any:
    """Return `batch` with every tensor in it on `device`; looks into tuples, lists, mappings and dataclasses."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if is_dataclass(batch) and not isinstance(batch, type):
        return replace(batch, **{f.name: moved(getattr(batch, f.name), device) for f in fields(batch) if f.init})
    if isinstance(batch, dict):
        return {key: moved(value, device) for key, value in batch.items()}
    if isinstance(batch, tuple | list):
        parts = [moved(part, device) for part in batch]
        return type(batch)(*parts) if hasattr(batch, "_fields") else type(batch)(parts)
    return batch


def use_cores(threads: int | None = None) -> int:
    """Let torch compute on `threads` threads, by default on no more than the cores that this process may use.

    Returns how many there are now. A smaller number that was set before stays.
    """
    torch.set_num_threads(threads or min(torch.get_num_threads(), cores()))
    return torch.get_num_threads()


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Inside, torch computes on `count` threads; None: on as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def cores(limit: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Return how many cores this process may use: its affinity, and the quota of its container.

    torch knows the affinity alone: in a container of 2 cores on a machine of 64 it would start 64 threads.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = limit.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return count
    return count if quota == "max" else max(1, min(count, ceil(int(quota) / int(period))))


@contextmanager
def deterministic() -> Iterator[None]:
    """Inside, the same input gives the same bytes; an operation that cannot promise it raises RuntimeError.

    The same number of threads is part of the promise.
    """
    guard: Any = torch.utils.deterministic  # its attribute has no type
    before, filled = torch.are_deterministic_algorithms_enabled(), guard.fill_uninitialized_memory
    os.environ.setdefault(*CUBLAS)
    torch.use_deterministic_algorithms(True)
    guard.fill_uninitialized_memory = False  # it finds bugs, at the price of one more pass over what is allocated
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        guard.fill_uninitialized_memory = filled


def seed_for(name: str, seed: int) -> int:
    """Return the seed of the stream `name` under `seed`, as `core.rng.rng_for` derives it."""
    return int(rng_for(name, seed).integers(2**63))


def seed_all(name: str, seed: int) -> None:
    """Let torch's global randomness, on every device, go on as the stream `name` under `seed`."""
    torch.default_generator.manual_seed(seed_for(name, seed))
    if (
        torch.cuda.is_available()
    ):  # torch.manual_seed alone formats a stack trace for every kind of device that is not there
        torch.cuda.manual_seed_all(seed_for(name, seed))


def generator_for(name: str, seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return torch's generator of the stream `name` under `seed`."""
    return torch.Generator(device).manual_seed(seed_for(name, seed))


@contextmanager
def seeded(name: str, seed: int) -> Iterator[None]:
    """Inside, torch's global randomness (initial weights, dropout) is the stream `name`; outside it stays as it was."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices):
        seed_all(name, seed)
        yield
