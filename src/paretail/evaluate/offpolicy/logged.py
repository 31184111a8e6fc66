"""What a policy's log says, and what another policy would have done in its place: the input of every estimator.

    w_i = target_i / propensity_i,   the weight of row i: how much more often the target takes the logged action

Rows are decisions: one item shown at one place. `propensity` is the probability with which the logging policy took the
action that it took, `target` the one with which the policy in question would have taken it. Notation of M. Dudík,
D. Erhan, J. Langford, L. Li, "Doubly Robust Policy Evaluation and Optimization", Statistical Science 29(4), 2014,
arXiv:1503.02834. Deviations: none.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import DataError, Problem

Values = NDArray[np.float64]
Rows = NDArray[np.int64]
_START: Final = "Log the propensity that each answer carries; until then `dm` can estimate, from predictions alone"


@dataclass(frozen=True, eq=False)
class Logged:
    """Rows of a log, each array one entry a row. Raises DataError (OFFP-01) with all that is wrong with them.

    `q_logged` is the predicted reward of the logged action, `q_target` the mean prediction over the target's actions;
    both from a model that has not learned from the row. `unsupported` is the share of the target's probability on
    actions that could not have been logged. Rows of one group (a user) depend on each other.
    """

    reward: Values
    propensity: Values | None
    target: Values
    q_logged: Values | None = None
    q_target: Values | None = None
    unsupported: Values | None = None
    groups: Rows | None = None

    def __post_init__(self) -> None:
        if problems := [*self._lengths(), *self._ranges()]:
            raise DataError(problems)

    @classmethod
    def of_actions(
        cls, action: Rows, reward: Values, logging: Values, target: Values, q: Values | None = None,
        groups: Rows | None = None,
    ) -> Self:  # fmt: skip
        """Build from whole policies: `logging`, `target` and the predictions `q` are `[rows, actions]`."""
        rows = np.arange(len(action))
        q_logged, q_target = (None, None) if q is None else (q[rows, action], (target * q).sum(axis=1))
        unsupported = np.where(logging > 0, 0.0, target).sum(axis=1)
        return cls(reward, logging[rows, action], target[rows, action], q_logged, q_target, unsupported, groups)

    @property
    def weights(self) -> Values:
        """Raises DataError: OFFP-02 where the log has no propensities."""
        if self.propensity is None:
            found = "the log does not say with which probability its items were shown"
            raise DataError(Problem("OFFP-02", found, "Expected a propensity in each row", _START))
        return self.target / self.propensity

    def predictions(self) -> tuple[Values, Values]:
        """Return `q_logged` and `q_target`; raises DataError: OFFP-03 where there are none."""
        if self.q_logged is None or self.q_target is None:
            found = "the log has no predicted rewards"
            do = "Give `q_logged` and `q_target`, or take `ips` or `snips`, which need none"
            raise DataError(Problem("OFFP-03", found, "Expected them from a model that did not learn from the row", do))
        return self.q_logged, self.q_target

    def _arrays(self) -> dict[str, Values | Rows]:
        names = ("reward", "propensity", "target", "q_logged", "q_target", "unsupported", "groups")
        return {name: array for name in names if (array := getattr(self, name)) is not None}

    def _lengths(self) -> list[Problem]:
        shapes = {name: array.shape for name, array in self._arrays().items()}
        if len(set(shapes.values())) == 1 and self.reward.ndim == 1 and len(self.reward):
            return []
        told = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        return [_problem(f"the arrays are {told}", "one entry a row in each, and one row at least")]

    def _ranges(self) -> list[Problem]:
        wrong = {name: ~np.isfinite(array) for name, array in self._arrays().items()}
        told = [_first(name, bad, "a finite number") for name, bad in wrong.items() if bad.any()]
        if self.propensity is not None and (bad := ~((self.propensity > 0) & (self.propensity <= 1))).any():
            told.append(_first("propensity", bad, "above 0, since the action was taken, and at most 1"))
        if (bad := ~((self.target >= 0) & (self.target <= 1))).any():
            told.append(_first("target", bad, "a probability"))
        return told


def _first(name: str, bad: NDArray[np.bool_], expected: str) -> Problem:
    return _problem(f"{name} is wrong in {bad.sum():,} of {bad.size:,} rows (first: {np.argmax(bad):,})", expected)


def _problem(found: str, expected: str) -> Problem:
    return Problem("OFFP-01", found, f"Expected {expected}", "Correct the log, or leave such rows out")
