"""Alarms of a generator that collapses, and what is done about them.

A generator that is paid for what a discriminator likes ends at a few architectures, known ones late in the search.
Three figures of its newest samples tell: the share that differ, the share that are new, the entropy of its choices; a
fourth, the slope of the discriminator, tells that its judgement is no ground to stand on. An alarm is kept as a
sentence, the entropy bonus grows and the generator's weights are shrunk towards fresh ones; where nothing is wrong, the
bonus falls back.
"""

from collections.abc import Mapping
from typing import Final

#: figure -> its least (below) or largest (above) value in a search that goes well
LEAST: Final[Mapping[str, float]] = {"unique_share": 0.3, "new_share": 0.3, "entropy": 0.15}
MOST: Final[Mapping[str, float]] = {"penalty": 25.0}


def wrong(figures: Mapping[str, float]) -> list[str]:
    """Return the names of the figures that are out of bounds; those that are missing are not judged."""
    low = [name for name, least in LEAST.items() if figures.get(name, least) < least]
    return low + [name for name, most in MOST.items() if figures.get(name, most) > most]


def sentence(figures: Mapping[str, float], names: list[str], told: int) -> str:
    """Say what was seen after how many evaluations, and what is done."""
    bounds = {**LEAST, **MOST}
    seen = ", ".join(f"{name} {figures[name]:.2f} (bound {bounds[name]:.2f})" for name in names)
    return f"after {told} evaluations: {seen}; the entropy bonus is doubled, the generator half forgets"
