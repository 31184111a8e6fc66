"""NSGA-II: the best fronts survive, crowded points give way, children come of crossing and mutating two of them.

K. Deb, A. Pratap, S. Agarwal, T. Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE TEVC
6(2), 2002, doi:10.1109/4235.996017. Deviations: 1. survivors are taken from everything told, not from the last two
generations. 2. children that are known already are not trained again. 3. crossover takes each field of either parent;
mutation is the space's.
"""

from collections.abc import Iterable

import numpy as np
from pydantic import Field

from paretail.core.config import Config
from paretail.search.base import Architecture
from paretail.search.memory import Remembering


class Nsga2Config(Config):
    """Settings of the strategy `nsga2`."""

    population: int = Field(20, ge=2, description="Architectures that survive and may have children.")
    crossover: float = Field(0.5, ge=0, le=1, description="Share of children with two parents.")
    mutation: float = Field(0.8, ge=0, le=1, description="Share of those children that are changed in one field too.")


class Nsga2(Remembering):
    """Breeds the non-dominated; with one goal, a steady-state genetic algorithm."""

    name = "nsga2"
    config_type = Nsga2Config
    config: Nsga2Config

    def propose(self, count: int, rng: np.random.Generator) -> Iterable[Architecture]:
        """Yield children of the survivors, while they are not too often known."""
        known, stand = self.standings()
        if len(known) < self.config.population:
            return
        alive = np.argsort(-stand, kind="stable")[: self.config.population]
        for _ in range(50 * count):
            pairs = rng.choice(alive, size=(2, 2))
            parents = [known[pair[np.argmax(stand[pair])]] for pair in pairs]
            yield from self._child(parents, rng)

    def _child(self, parents: list[Architecture], rng: np.random.Generator) -> Iterable[Architecture]:
        """Yield one child, or none where crossing makes nothing legal."""
        child, mutated = parents[0], True
        if rng.random() < self.config.crossover:
            both = np.array([self.space.tokens(parent) for parent in parents])
            fields = rng.integers(2, size=both.shape[1])
            child = self.space.from_tokens(tuple(both[fields, np.arange(both.shape[1])].tolist()))
            mutated = rng.random() < self.config.mutation
        if child is not None:
            yield from self.space.neighbours(child, rng, 1) if mutated else [child]
