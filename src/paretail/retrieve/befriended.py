"""Whether friends help, and what is said of it.

Where no weights are learned (one kind of event without time) what friends had joins the published filter with the
weight that is best on a random split, and only where NDCG gains more than SURE standard errors of the paired
difference: such splits mislead in smaller things (docs/lab/LOG.md).
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

WEIGHTS: Final = (0.1, 0.2, 0.4)
SURE: Final = 2.0
SIGNAL: Final = "friends had|about user"


def weigh(judge: Callable[[float], NDArray[np.float64]]) -> tuple[float, str]:
    """Return the weight of what friends had, 0 where it stays out, and what was found, in words.

    `judge(weight)` is the NDCG of each user asked, always the same users.
    """
    alone, others = judge(0.0), {weight: judge(weight) for weight in WEIGHTS}
    best = max(others, key=lambda weight: float(others[weight].mean()))
    gain = others[best] - alone
    error = float(gain.std() / np.sqrt(len(gain)))
    kept = bool(gain.mean() > SURE * error)
    figures = f"{others[best].mean():.4f} with it, {alone.mean():.4f} without ({gain.mean():+.4f} ± {error:.4f})"
    return best if kept else 0.0, f"What friends had {'joins' if kept else 'stays out'}: NDCG {figures}"


def told(thetas: Mapping[str, Mapping[str, float]]) -> str:
    """Say whether what friends had joined the weights learned for each mode."""
    kept = {mode: theta[SIGNAL] for mode, theta in thetas.items() if theta.get(SIGNAL)}
    if not kept:
        return "What friends had stays out: no weights learned on the newest events have it"
    return f"What friends had joins: {', '.join(f'{weight:.2f} ({mode})' for mode, weight in kept.items())}"
