"""What a search may want of an architecture: the table of goals, as gains of which more is better.

The first goal leads: it is what a single choice is made by. Times and memory are gains as the negative of their
logarithm: half the time is worth as much at 2 ms as at 20.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log, nan
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import Problem, UsageError, nearest

Measured = Mapping[str, Any]


@dataclass(frozen=True)
class Goal:
    """`gain` of what a trial measured, more is better; `shown` as people read it, in `unit`; what the shop `needs`."""

    unit: str
    key: str
    gain: Callable[[float], float]
    form: str
    told: str
    needs: str = "Users whose later events can be hidden"

    def of(self, found: Measured) -> float:
        """Return the gain, NaN where the trial failed or the shop has nothing to measure it by."""
        value = found.get(self.key)
        return nan if value is None or found.get("failed") else self.gain(float(value))

    def shown(self, found: Measured) -> str:
        """Return the figure for people."""
        value = found.get(self.key)
        return "-" if value is None else format(float(value), self.form)


def _same(value: float) -> float:
    return value


def _less(value: float) -> float:
    return -log(max(value, 1e-9))


GOALS: Final[dict[str, Goal]] = {
    "accuracy": Goal("NDCG@20", "ndcg", _same, ".4f", "NDCG of lists of 20 for users whose later events are hidden."),
    "latency": Goal("ms", "p99_ms", _less, ".2f", "The 99th percentile of the time to score and list for one user."),
    "memory": Goal("MiB", "memory_mib", _less, ".1f", "What a service keeps of the model in memory."),
    "cold": Goal("Recall@20", "cold_recall", _same, ".4f", "Recall for the users who had the fewest items."),
    "coverage": Goal("share", "coverage", _same, ".3f", "The share of the catalogue that is in some list."),
    "diversity": Goal(
        "share", "diversity", _same, ".3f", "How different the categories within a list are.", "Categories of the items"
    ),
}


def parsed(text: str) -> tuple[str, ...]:
    """Return the names in `accuracy,latency`; raises UsageError (SRCH-15) for an unknown one, or without accuracy."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in GOALS:
            found = f"there is no goal {name!r} of a search"
            raise UsageError(Problem("SRCH-15", found, f"Expected {nearest(name, GOALS)}", "Correct --goals"))
    if "accuracy" not in names:
        expected = "Accuracy among them: nothing is cheaper than a model that is of no use"
        raise UsageError(Problem("SRCH-15", f"--goals {text!r}", expected, "Add accuracy"))
    return ("accuracy", *(name for name in names if name != "accuracy"))


def gains(found: Sequence[Measured], goals: Sequence[str]) -> NDArray[np.float64]:
    """Return `[trials, goals]`, more is better, NaN where there is nothing."""
    return np.array([[GOALS[goal].of(one) for goal in goals] for one in found], np.float64).reshape(-1, len(goals))
