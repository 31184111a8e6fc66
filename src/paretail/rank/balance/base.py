"""What a balancer is: weights for the losses of several tasks, from their Gram matrix and their values."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from paretail.core.config import Config
from paretail.core.errors import Problem
from paretail.moo.gram import correlations, lengths
from paretail.rank import RankError

Array = NDArray[np.float64]
State = Mapping[str, Any]
C = TypeVar("C", bound=Config)


@dataclass(frozen=True)
class Claims:
    """What holds of a balancer's weights with its default settings; the tests ask for what is claimed."""

    #: The weights sum to one.
    simplex: bool = False
    #: Multiplying a loss by a number leaves the direction as it was.
    scale_invariant: bool = False
    #: To first order no loss rises: the direction has a product of 0 or more with each gradient.
    harms_none: bool = False
    #: Where each task can gain at others' cost alone, the direction is zero beside the gradients that it weighs.
    stationary: bool = False
    #: The order of the tasks does not matter.
    equivariant: bool = True


class Balancer(ABC, Generic[C]):
    """Weighs tasks at each step. `learn.step` sees `needs_gram`, `state` and `weigh`; a method defines `weights`."""

    config_type: ClassVar[type[Config]]
    #: Whether it looks at gradients; without them a step costs no more than a plain one.
    needs_gram: ClassVar[bool]
    #: Whether the weights are those of the settings, whatever the losses do.
    fixed: ClassVar[bool] = False
    #: Whether its weights answer to the units of losses although the direction is not free of them.
    answers: ClassVar[bool] = False
    claims: ClassVar[Claims]

    def __init__(self, config: C, tasks: Sequence[str]) -> None:
        self.config, self.tasks = config, tuple(tasks)
        self.state: State = {}

    @property
    def rescales(self) -> bool:
        """Whether the weight of a task falls as its loss is multiplied."""
        return self.answers or self.claims.scale_invariant or getattr(self.config, "unit_gradients", False)

    @abstractmethod
    def weights(self, gram: Array, losses: Array, state: State) -> tuple[Array, State]:
        """Return a weight of 0 or more for each task and the next state; the first state is empty.

        Pure: the same arguments give the same weights. `gram[tasks, tasks]` has no entries where `needs_gram` is false.
        """

    def weigh(self, gram: Array | None, losses: Array) -> Array:
        """Return the weights of a step, and remember the next state."""
        weights, self.state = self.weights(np.empty((0, 0)) if gram is None else gram, losses, self.state)
        return weights


class DirectedConfig(Config):
    """What methods that look for a direction have in common."""

    unit_gradients: bool = Field(
        False, description="Divide each gradient by its length first: the direction then knows no units of losses."
    )


def directed(gram: Array, solve: Callable[[Array], Array], unit_gradients: bool = False) -> Array:
    """Return the weights that `solve` finds for the tasks that have a gradient; 1 for those that have none.

    A task has no gradient at what is shared in a batch without its examples, and where it hardly pulls there beside
    what it pulls at alone (`learn.step`). It takes no part then: the step counts it as it counts the penalty.
    """
    length = lengths(gram)
    there = length > 0
    weights = np.ones(len(gram))
    if there.any():
        among = gram[np.ix_(there, there)]
        found = solve(correlations(among)) / length[there] if unit_gradients else solve(among)
        weights[there] = found
    return weights


def known(losses: Array, balancer: Balancer[Any]) -> NDArray[np.bool_]:
    """Return which losses say something: those above 0, as 0 is that of a batch without examples.

    Raises RankError (RANK-02) where one is below 0, for methods whose formula has its logarithm or a ratio.
    """
    if (losses < 0).any():
        bad = {task: float(loss) for task, loss in zip(balancer.tasks, losses, strict=True) if loss < 0}
        found = "; ".join(f"the loss of the task {task!r} is {loss:.4g}" for task, loss in bad.items())
        expected = f"The balancer {type(balancer).__name__} needs losses of 0 or more: it looks at their ratios"
        do = "Use a balancer that looks at gradients (nash, upgrad, mgda), or a loss that has the least value 0"
        raise RankError(Problem("RANK-02", found, expected, do))
    return np.asarray(losses > 0)


def kept(state: State, key: str, tasks: int, start: float = 0.0) -> Array:
    """Return the numbers that the state has for the tasks, or `start` for each where it has none yet."""
    return np.array(state.get(key, [start] * tasks), np.float64)
