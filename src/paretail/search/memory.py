"""What every strategy shares: which architectures were told and asked for, and asking that never repeats one.

A strategy adds `propose`. Its randomness is a stream of its own for each round, named after the round's number, so that
what it asks for follows from the seed and from what it was told, and a state needs no generator's inner numbers.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from paretail.core.config import Config
from paretail.core.errors import Problem, UsageError
from paretail.core.rng import rng_for
from paretail.search.base import Architecture, Array, Space, State
from paretail.search.standing import standing

#: Spaces of at most so many token sequences are listed whole where drawing finds nothing new.
LISTED = 200_000


class Remembering(ABC):
    """A strategy but for what it proposes: keeps what it was told, and fills up with random architectures."""

    name: ClassVar[str]
    config_type: ClassVar[type[Config]] = Config

    def __init__(self, space: Space, seed: int = 0, goals: int = 1, config: Config | None = None) -> None:
        self.space, self.seed, self.goals = space, seed, goals
        self.config = config or self.config_type()
        self.told: dict[Architecture, Array] = {}
        self.pending: dict[Architecture, None] = {}
        self.rounds = 0
        self.figures: Mapping[str, float] = {}
        self.alarms: list[str] = []

    @abstractmethod
    def propose(self, count: int, rng: np.random.Generator) -> Iterable[Architecture]:
        """Yield architectures, best first; what is known already is left out, what is missing is drawn at random."""

    def ask(self, count: int) -> list[Architecture]:
        """Return `count` new architectures; fewer where the space has no more."""
        rng = rng_for(f"search/{self.name}/{self.rounds}", self.seed)
        self.rounds += 1
        found = self.fresh(self.propose(count, rng), count)
        if len(found) < count:
            found += self.random(count - len(found), rng, taken=found)
        self.pending |= dict.fromkeys(found)
        return found

    def tell(self, architectures: Sequence[Architecture], scores: ArrayLike) -> None:
        """Take the scores of architectures, in their order; what is not finite counts as failed.

        Raises UsageError (SRCH-24) where there are not as many scores as architectures and goals.
        """
        rows = np.array(scores, np.float64)
        if rows.size != len(architectures) * self.goals or (rows.ndim and len(rows) != len(architectures)):
            raise UsageError(_misshapen(rows.shape, len(architectures), self.goals))
        rows = rows.reshape(len(architectures), self.goals)
        rows[~np.isfinite(rows).all(axis=1)] = np.nan
        for architecture, row in zip(architectures, rows, strict=True):
            self.pending.pop(architecture, None)
            self.told[architecture] = row

    def is_new(self, architecture: Architecture) -> bool:
        """Return whether it was neither told nor asked for."""
        return architecture not in self.told and architecture not in self.pending

    def fresh(
        self, found: Iterable[Architecture], count: int, taken: Iterable[Architecture] = ()
    ) -> list[Architecture]:
        """Return the first `count` different new ones of `found`, none of `taken`; reads no more than it needs."""
        kept: dict[Architecture, None] = {}
        taken = set(taken)
        if count > 0:
            for architecture in found:
                if self.is_new(architecture) and architecture not in taken:
                    kept[architecture] = None
                    if len(kept) == count:
                        break
        return list(kept)

    def random(self, count: int, rng: np.random.Generator, taken: Sequence[Architecture] = ()) -> list[Architecture]:
        """Return `count` new ones drawn at random; of a small space every one, once drawing finds no more."""
        found = list(taken)
        for draws in (2 * count, 16 * count, 128 * count):
            found += self.fresh(self.space.sample(rng, draws), count + len(taken) - len(found), found)
        if (missing := count + len(taken) - len(found)) > 0 and np.prod(self.space.choices, dtype=float) <= LISTED:
            rest = [self.space.from_tokens(tokens) for tokens in np.ndindex(*self.space.choices)]
            left = [rest[row] for row in rng.permutation(len(rest)) if rest[row] is not None]
            found += self.fresh(left, missing, found)
        return found[len(taken) :]

    def standings(self) -> tuple[list[Architecture], Array]:
        """Return what was told and how good it is, one number each: higher is better, -inf where it failed."""
        known = list(self.told)
        return known, standing(np.array([self.told[a] for a in known]).reshape(len(known), self.goals))

    def state(self) -> State:
        """Return everything that is remembered, as JSON values."""
        return {
            "rounds": self.rounds,
            "told": [list(self.space.tokens(a)) for a in self.told],
            "scores": [[None if np.isnan(x) else float(x) for x in row] for row in self.told.values()],
            "pending": [list(self.space.tokens(a)) for a in self.pending],
            "alarms": list(self.alarms),
            "figures": dict(self.figures),
        }

    def load_state(self, state: State) -> None:
        """Go on where `state` was taken."""
        rows = [np.array([np.nan if x is None else x for x in row], np.float64) for row in state["scores"]]
        self.told = dict(zip(map(self._architecture, state["told"]), rows, strict=True))
        self.pending = dict.fromkeys(map(self._architecture, state["pending"]))
        self.rounds, self.alarms, self.figures = state["rounds"], list(state["alarms"]), dict(state["figures"])

    def _architecture(self, tokens: Sequence[int]) -> Any:
        return self.space.from_tokens(tuple(tokens))


def _misshapen(shape: tuple[int, ...], architectures: int, goals: int) -> Problem:
    expected = f"One row for each of {architectures} architectures, with {goals} score(s) each"
    do = "Tell one score an architecture, or of several goals one row an architecture (`goals=` of the strategy)"
    return Problem("SRCH-24", f"scores of shape {shape}", expected, do)
