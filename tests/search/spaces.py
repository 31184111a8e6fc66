"""A space small enough to list: a graph network of up to three layers, the order of whose branches does not matter."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

OPERATIONS = 4
Array = NDArray[np.float64]
Net = tuple[int, ...]


@dataclass(frozen=True)
class Branches:
    """An architecture is how its branches are joined, and up to `width` operations, sorted: 0 stands for none."""

    joins: int = 3
    width: int = 4

    @property
    def choices(self) -> tuple[int, ...]:
        return (self.joins, *[OPERATIONS + 1] * self.width)

    def all(self) -> list[Net]:
        return _all(self.joins, self.width)

    def sample(self, rng: np.random.Generator, count: int) -> list[Net]:
        nets = self.all()
        return [nets[row] for row in rng.integers(len(nets), size=count)]

    def neighbours(self, architecture: Net, rng: np.random.Generator, count: int) -> list[Net]:
        near = []
        for field, options in enumerate(self.choices):
            changed = ((*architecture[:field], option, *architecture[field + 1 :]) for option in range(options))
            near += map(self.from_tokens, changed)
        found = list(dict.fromkeys(net for net in near if net is not None and net != architecture))
        return [found[row] for row in rng.permutation(len(found))[:count]]

    def encode(self, architectures: Sequence[Net]) -> Array:
        nets = np.array(architectures, np.int64).reshape(len(architectures), 1 + self.width)
        counts = [(nets[:, 1:] == operation).sum(axis=1) for operation in range(1, OPERATIONS + 1)]
        return np.column_stack([nets[:, :1] == np.arange(self.joins), *counts]).astype(np.float64)

    def tokens(self, architecture: Net) -> tuple[int, ...]:
        return architecture

    def from_tokens(self, tokens: Sequence[int]) -> Net | None:
        join, *operations = map(int, tokens)
        return (join, *sorted(operations, reverse=True)) if any(operations) else None


@cache
def _all(joins: int, width: int) -> list[Net]:
    sorted_ones = combinations_with_replacement(range(OPERATIONS, -1, -1), width)
    return [(join, *ones) for ones in sorted_ones if any(ones) for join in range(joins)]


def score(net: Net) -> float:
    """Return how good a net is: operations help and hinder one another, and one net is best, (2, 4, 4, 1, 0)."""
    join, *operations = net
    wanted = np.array([0, 1, 0, 0, 2])
    counts = np.bincount(operations, minlength=OPERATIONS + 1)
    return float(-np.abs(counts - wanted)[1:].sum() - 0.7 * abs(join - 2) + 0.3 * (counts[4] > 1) * counts[1])


def size(net: Net) -> float:
    """Return how small a net is: a second goal."""
    return -float(np.sum(net[1:]))
