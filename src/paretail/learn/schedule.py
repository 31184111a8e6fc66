"""Learning rates: a share of `lr`, as a function of the step and the epoch alone.

The share is constant within an epoch, so that nobody needs to know how many steps an epoch has; over the first steps
it rises linearly (warm-up).

Source of the cosine: I. Loshchilov, F. Hutter, "SGDR", 2017, arXiv:1608.03983, equation 5. Deviations: 1. no restarts.
"""

from collections.abc import Callable, Mapping
from math import cos, pi
from typing import Final, Literal

Schedule = Literal["constant", "linear", "cosine"]

#: The share of `lr` when a share of the epochs, 0 to under 1, is done.
SCHEDULES: Final[Mapping[Schedule, Callable[[float], float]]] = {
    "constant": lambda done: 1.0,
    "linear": lambda done: 1.0 - done,
    "cosine": lambda done: 0.5 * (1.0 + cos(pi * done)),
}


def share_of_lr(schedule: Schedule, epoch: int, epochs: int, step: int, warmup_steps: int) -> float:
    """Return the factor of `lr` in `epoch` of `epochs` and at `step` of the whole run, both counted from 0."""
    rise = min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
    return rise * SCHEDULES[schedule](epoch / epochs)
