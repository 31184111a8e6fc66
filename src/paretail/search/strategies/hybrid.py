"""Evolution proposes, a surrogate chooses: neighbours of the best, and random ones, screened by a Gaussian process.

    a* = argmax over candidates of  mean(a) + beta sd(a)

C. White, W. Neiswanger, Y. Savani, "BANANAS: Bayesian optimization with neural architectures for neural architecture
search", AAAI 2021, arXiv:1910.11858 (candidates by mutation, predictors choose); the bound is N. Srinivas, A. Krause,
S. Kakade, M. Seeger, "Gaussian process optimization in the bandit setting", ICML 2010, arXiv:0912.3995. With several
goals each choice has a direction drawn at random, in which the Chebyshev distance to the best of all goals is least
(J. Knowles, "ParEGO", IEEE TEVC 10(1), 2006, doi:10.1109/TEVC.2005.851274).

Deviations: 1. a Gaussian process on ranks in place of an ensemble of networks.
2. candidates are improved by a few rounds of local search on the bound itself. 3. the goals' bounds are scalarised, not
the goals. 4. what was told before the first question is better than chance where shops search: half of what is drawn
at the beginning are neighbours of the best.
"""

from collections.abc import Iterable

import numpy as np
from pydantic import Field

from paretail.core.config import Config
from paretail.search.base import Architecture, Array, State
from paretail.search.memory import Remembering
from paretail.search.surrogate import Belief, GaussianProcess, normal_scores


class HybridConfig(Config):
    """Settings of the strategy `hybrid`."""

    start: int = Field(
        10, ge=2,
        description="Architectures known before the surrogate is asked: drawn at random, half of them beside the best "
        "of what was told at first.",
    )  # fmt: skip
    beta: float = Field(1.0, ge=0, description="Standard deviations added to what is expected: how bold choices are.")
    parents: int = Field(10, ge=1, description="The best so far whose neighbours are candidates.")
    drawn: int = Field(1000, ge=0, description="Candidates drawn at random, each time.")
    climbs: int = Field(1, ge=0, description="Rounds in which the neighbours of the best candidates become candidates.")


class Hybrid(Remembering):
    """Candidates by mutation and chance, chosen by an optimistic surrogate."""

    name = "hybrid"
    config_type = HybridConfig
    config: HybridConfig
    _given = False  # whether it was told anything before it asked

    def propose(self, count: int, rng: np.random.Generator) -> Iterable[Architecture]:
        """Return the candidates of which most is hoped; at the beginning none, so that chance decides.

        Who was told something before the first question, such as presets, begins with neighbours of the best, by half.
        """
        known = list(self.told)
        self._given = self._given if self.rounds > 1 else bool(known)
        if len(known) < self.config.start:
            return self.fresh(self._near(self._best(1), rng), count // 2) if self._given else []
        values = normal_scores(np.array([self.told[a] for a in known]))
        rows = self.space.encode(known)
        models = [GaussianProcess().fit(rows, goal) for goal in values.T]
        directions = rng.dirichlet(np.ones(self.goals), size=max(count, 1))
        candidates = self._candidates(models, directions, rng)
        self.figures = {"candidates": float(len(candidates)), "noise": float(np.mean([m.noise for m in models]))}
        return self._chosen(candidates, models, directions) if candidates else []

    def _candidates(
        self, models: list[GaussianProcess], directions: Array, rng: np.random.Generator
    ) -> list[Architecture]:
        """Return new architectures: neighbours of the best, random ones, neighbours of the most hopeful of these."""
        found = self._near(self._best(self.config.parents), rng) + self.space.sample(rng, self.config.drawn)
        candidates = self.fresh(found, len(found))
        for _ in range(self.config.climbs if candidates else 0):
            hopes = _hopes([m.believe(self.space.encode(candidates)) for m in models], directions, self.config.beta)
            tops = dict.fromkeys(np.argsort(-hopes, axis=1, kind="stable")[:, :5].T.ravel().tolist())
            near = self._near([candidates[row] for row in list(tops)[: self.config.parents]], rng)
            candidates += self.fresh(near, len(near), candidates)
        return candidates

    def _best(self, count: int) -> list[Architecture]:
        known, stand = self.standings()
        return [known[row] for row in np.argsort(-stand, kind="stable")[:count]]

    def _near(self, architectures: list[Architecture], rng: np.random.Generator) -> list[Architecture]:
        return [near for a in architectures for near in self.space.neighbours(a, rng, 64)]

    def _chosen(
        self, candidates: list[Architecture], models: list[GaussianProcess], directions: Array
    ) -> Iterable[Architecture]:
        """Yield one candidate for each direction, as if the earlier ones were trained already."""
        beliefs = [model.believe(self.space.encode(candidates)) for model in models]
        left = np.ones(len(candidates), bool)
        for direction in directions[: len(candidates)]:
            hopes = _hopes(beliefs, direction[None], self.config.beta)[0]
            row = int(np.argmax(np.where(left, hopes, -np.inf)))
            left[row] = False
            for belief in beliefs:
                belief.choose(row)
            yield candidates[row]

    def state(self) -> State:
        """Return what is remembered, and whether something was told at first."""
        return super().state() | {"given": self._given}

    def load_state(self, state: State) -> None:
        """Go on where `state` was taken."""
        super().load_state(state)
        self._given = state["given"]


def _hopes(beliefs: list[Belief], directions: Array, beta: float) -> Array:
    """Return `[directions, archs]`: minus the weighted distance to the best bound of every goal."""
    bounds = np.stack([belief.upper(beta) for belief in beliefs])
    short = bounds.max(axis=1, keepdims=True) - bounds
    return np.asarray(-(directions[:, :, None] * short).max(axis=1))
