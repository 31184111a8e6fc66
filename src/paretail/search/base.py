"""The two contracts of a search: a space says what there is, a strategy asks for some and is told how good it was.

    strategy = build("auto", space, seed=0)
    while trials_left:
        asked = strategy.ask(8)                                  # nothing that it was told, or asked for, before
        strategy.tell(asked, [train_and_validate(a) for a in asked])   # higher is better, NaN where it failed

A search over anything else needs a class with the members of `Space` and no line here; docs/search.md has an example.
An architecture is any hashable value in canonical form: two that mean the same are equal. Strategies never look into
one, they see its tokens (one option a field) and its encoding (numbers that a predictor learns from).
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Architecture = Hashable
Array = NDArray[np.float64]
#: What a strategy remembers: JSON values, and arrays under keys of their own at the top level. No pickle is needed.
State = dict[str, Any]


class Space(Protocol):
    """What can be searched. All methods are pure: randomness comes in as `rng`, and equal `rng` give equal answers."""

    #: The number of options of each field; a field that does not apply (conditional) has its first option, 0.
    choices: tuple[int, ...]

    def sample(self, rng: np.random.Generator, count: int) -> list[Architecture]:
        """Return `count` architectures, each drawn uniformly over canonical forms; repetitions happen."""
        ...

    def neighbours(self, architecture: Architecture, rng: np.random.Generator, count: int) -> list[Architecture]:
        """Return up to `count` different legal architectures one change away, drawn at random, never itself.

        A change is what mutation does: one field set anew, and whatever depends on it put right. `count` may exceed
        what there is; then all of them come back.
        """
        ...

    def encode(self, architectures: Sequence[Architecture]) -> Array:
        """Return numbers `[architectures, features]`, of the order of 1, that a predictor of scores learns from.

        One-hot options are the least; a space that knows more (an order of options, paths of a graph, counts) adds it.
        Nearness matters: strategies measure how alike two architectures are by the distance of their rows.
        """
        ...

    def tokens(self, architecture: Architecture) -> tuple[int, ...]:
        """Return one option a field, `0 <= tokens[f] < choices[f]`; different architectures have different ones."""
        ...

    def from_tokens(self, tokens: Sequence[int]) -> Architecture | None:
        """Return the architecture that the options mean, in canonical form; None where they are illegal together.

        `from_tokens(tokens(a)) == a`. Other tokens may mean `a` too: a generator that writes field by field does not
        know the canonical form.
        """
        ...


class Strategy(Protocol):
    """Asks for architectures worth a training, and learns from what they scored.

    `build` makes one as `TheirStrategy(space, seed=0, goals=1, config=None)`. The class has a `config_type`, a subclass
    of `paretail.core.config.Config`, of which `config` is one (None: its defaults); where that has a field `horizon`,
    it is told the number of trials. `paretail.search.memory.Remembering` has all of it but `propose`.
    """

    #: Figures of the newest round for the progress line and the report: `new_share`, `unique_share`, `entropy` ...
    figures: Mapping[str, float]
    #: Alarms since the beginning, oldest first, each a sentence that says what was seen and what was done about it.
    alarms: Sequence[str]

    def ask(self, count: int) -> list[Architecture]:
        """Return `count` different architectures, not told and not asked for before; fewer where none is left."""
        ...

    def tell(self, architectures: Sequence[Architecture], scores: ArrayLike) -> None:
        """Take the scores: `[architectures]`, or `[architectures, goals]`; higher is better, NaN where it failed.

        Architectures that it never asked for are welcome (known ones, those of another search). Those told twice keep
        the newest score: a longer training replaces a shorter one.
        """
        ...

    def state(self) -> State:
        """Return what `load_state` needs so that a new strategy of the same space, seed and settings goes on."""
        ...

    def load_state(self, state: State) -> None:
        """Go on where `state()` was taken: the next `ask` returns what it would have returned there."""
        ...
