"""Regularised evolution: a queue of architectures, of which the best of a small sample has a child and the oldest dies.

E. Real, A. Aggarwal, Y. Huang, Q. Le, "Regularized evolution for image classifier architecture search", AAAI 2019,
arXiv:1802.01548. Deviations: 1. children that are known are not trained again: another is made, of another parent.
2. the population is small, for searches of tens of trainings.
"""

from collections.abc import Iterable

import numpy as np
from pydantic import Field

from paretail.core.config import Config
from paretail.search.base import Architecture
from paretail.search.memory import Remembering


class EvolutionConfig(Config):
    """Settings of the strategy `evolution`."""

    population: int = Field(20, ge=2, description="Architectures that may have children: the newest.")
    tournament: int = Field(5, ge=1, description="Drawn from the population, of whom the best has a child.")


class Evolution(Remembering):
    """Mutates winners of small tournaments among the newest."""

    name = "evolution"
    config_type = EvolutionConfig
    config: EvolutionConfig

    def propose(self, count: int, rng: np.random.Generator) -> Iterable[Architecture]:
        """Yield children of the newest `population`, while they are not too often known."""
        known, stand = self.standings()
        if len(known) < self.config.population:
            return
        living = np.arange(len(known) - self.config.population, len(known))
        for _ in range(50 * count):
            drawn = rng.choice(living, size=min(self.config.tournament, len(living)), replace=False)
            parent = known[drawn[np.argmax(stand[drawn])]]
            yield from self.space.neighbours(parent, rng, 1)
