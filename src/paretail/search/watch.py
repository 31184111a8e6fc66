"""Alarms of a generator that collapses or a discriminator that is too steep, and what is done about them.

A generator that is paid for what a discriminator likes ends at a few architectures, known ones late in the search.
Three figures tell: of its own samples (none drawn warmer) the share that differ and the share that differ and are new,
and the entropy of its choices. Then the entropy bonus is raised and its weights are shrunk towards fresh ones; where
nothing is wrong, the bonus falls back. A fourth, the mean square of how far the discriminator's slope exceeds 1, tells
that its judgement is no ground to stand on: its weights are shrunk towards fresh ones, and it is trained again. An
alarm is kept as a sentence.
"""

from collections.abc import Mapping
from typing import Final

#: figure of the generator -> its least value in a search that goes well
LEAST: Final[Mapping[str, float]] = {"unique_share": 0.1, "own_new_share": 0.1, "entropy": 0.15}
#: figure of the discriminator -> its largest value in a search that goes well
MOST: Final[Mapping[str, float]] = {"penalty": 5.0}


def wrong(figures: Mapping[str, float], bounds: Mapping[str, float]) -> list[str]:
    """Return which figures are out of `bounds`, LEAST or MOST; those that are missing are not judged."""
    sign = -1 if bounds is MOST else 1
    return [name for name, bound in bounds.items() if sign * figures.get(name, bound) < sign * bound]


def sentence(figures: Mapping[str, float], names: list[str], told: int) -> str:
    """Say what was seen after how many evaluations, and what is done."""
    bounds = {**LEAST, **MOST}
    seen = ", ".join(f"{name} {figures[name]:.2f} (bound {bounds[name]:.2f})" for name in names)
    acts = ["the entropy bonus is raised, the generator half forgets"] if set(names) & set(LEAST) else []
    acts += ["the discriminator half forgets and is trained again"] if set(names) & set(MOST) else []
    return f"after {told} evaluations: {seen}; {'; '.join(acts)}"
