"""Local search: train the neighbours of the best until one is better, then go on from there.

C. White, S. Nolen, Y. Savani, "Exploring the loss landscape in neural architecture search", UAI 2021, arXiv:2005.02960.
Deviations: 1. where all neighbours of the best are known, those of the next best follow, in place of a random restart.
"""

from collections.abc import Iterable

import numpy as np
from pydantic import Field

from paretail.core.config import Config
from paretail.search.base import Architecture
from paretail.search.memory import Remembering

#: More than any architecture has: all neighbours are asked for.
ALL = 10_000


class LocalConfig(Config):
    """Settings of the strategy `local`."""

    start: int = Field(10, ge=1, description="Architectures drawn at random before the best of them is improved.")


class Local(Remembering):
    """Neighbours of the best, in random order."""

    name = "local"
    config_type = LocalConfig
    config: LocalConfig

    def propose(self, count: int, rng: np.random.Generator) -> Iterable[Architecture]:
        """Yield the neighbours of what was told, of the best first."""
        known, stand = self.standings()
        if len(known) >= self.config.start:
            for row in np.argsort(-stand, kind="stable"):
                yield from self.space.neighbours(known[row], rng, ALL)
