"""Slates that are drawn epsilon-greedily, and how probable each slot's item was, exactly.

    P(i at slot j | above) = (1 - ε) [i is the best left] + ε / (candidates left)

The best left follows the policy's own order, what stands above left out. A policy's order may be shorter than its
candidates; it names at least as many as there are slots.
"""

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows


def drawn(
    best: Rows, candidates: NDArray[np.integer], epsilon: float, rng: np.random.Generator
) -> tuple[Rows, NDArray[np.float64]]:
    """Return one slate and the odds of its slots; `best[slots]` is the policy's own, best first."""
    slots = len(best)
    shown: list[int] = []
    for _ in range(slots):
        row = next(int(row) for row in best if row not in shown)
        if epsilon and rng.random() < epsilon:
            row = int(candidates[rng.integers(len(candidates))])
            while row in shown:
                row = int(candidates[rng.integers(len(candidates))])
        shown.append(row)
    rows = np.array(shown, np.int32)
    return rows, odds(best, rows, len(candidates), epsilon)


def odds(best: Rows, shown: Rows, candidates: int, epsilon: float) -> NDArray[np.float64]:
    """Return the probability of each slot of `shown[slots]`, given those above it."""
    found = np.zeros(len(shown))
    for slot, row in enumerate(shown.tolist()):
        above = set(shown[:slot].tolist())
        wanted = next((int(one) for one in best if one not in above), -1)
        found[slot] = (1 - epsilon) * (row == wanted) + epsilon / max(1, candidates - slot)
    return found
