"""Weighted sum: fixed weights, the tuned baseline that every other method must be measured against.

    w_i = the weight that was set, 1 where none was

V. Kurin et al., "In Defense of the Unitary Scalarization for Deep Multi-Task Learning", NeurIPS 2022, arXiv:2201.04122.
Deviations: none. A sweep of weights reaches the convex part of a front, a single sum one point of it.
"""

from collections.abc import Sequence

import numpy as np
from pydantic import Field, NonNegativeFloat

from paretail.core.config import Config
from paretail.core.errors import ConfigError, Problem, nearest
from paretail.rank.balance.base import Array, Balancer, Claims, State


class WeightedConfig(Config):
    """Settings of `weighted`."""

    weights: dict[str, NonNegativeFloat] = Field({}, description="The weight of each task; 1 where it has none.")


class Weighted(Balancer[WeightedConfig]):
    """Costs nothing; losses in different units need weights in the inverse units."""

    config_type, needs_gram, claims = WeightedConfig, False, Claims()
    fixed = True

    def __init__(self, config: WeightedConfig, tasks: Sequence[str]) -> None:
        """Raises ConfigError (RANK-03) where a weight is for a task that is not there."""
        super().__init__(config, tasks)
        if unknown := [task for task in config.weights if task not in self.tasks]:
            expected = f"Expected {nearest(unknown[0], self.tasks)}"
            raise ConfigError(
                [
                    Problem("RANK-03", f"there is a weight for the task {task!r}", expected, "Remove it")
                    for task in unknown
                ]
            )

    def weights(self, gram: Array, losses: Array, state: State) -> tuple[Array, State]:
        """Return the weights that were set."""
        return np.array([self.config.weights.get(task, 1.0) for task in self.tasks]), state
