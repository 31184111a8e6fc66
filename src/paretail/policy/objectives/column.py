"""A shop's own column of numbers as a goal, such as `column.rating`.

    value = 1/k Σ_j column_j

An item without a value counts 0.

Unit: mean of the column; higher is better. No source: a plain mean of what the catalogue says.
"""

import numpy as np
from pydantic import Field

from paretail.core.config import Config
from paretail.core.errors import Problem, nearest
from paretail.policy import PolicyError
from paretail.policy.objectives.base import Gains, Objective
from paretail.policy.pool import Pool


class ColumnConfig(Config):
    """Settings of a goal that is a column."""

    name: str = Field(description="A column of numbers in the catalogue; more is better.")


class Column(Objective[ColumnConfig]):
    """The mean of a column over a slate."""

    unit = "mean of the column"
    config_type = ColumnConfig

    def gains(self, pool: Pool, k: int) -> Gains:
        """Return the column's value of each candidate."""
        known = pool.wares.columns
        if self.config.name not in known:
            expected = f"Expected {nearest(self.config.name, known)}" if known else "The catalogue has none"
            found = f"the catalogue has no column of numbers {self.config.name!r}"
            raise PolicyError(Problem("POL-02", found, expected, "Correct the goal"))
        return Gains(np.nan_to_num(pool.of(known[self.config.name])) / np.float32(k))
