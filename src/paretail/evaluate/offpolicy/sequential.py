"""What another policy would have earned over whole sessions, from the log of one: estimates that follow decisions.

With ρ_t = target / propensity of decision t, w_t = ρ_0 ... ρ_t (w_-1 = 1; after the end w stays), q_t the predicted
rest of the session after the logged action, v_t its mean over the target's actions:

    pdis   mean Σ_t γ^t w_t r_t                                     per-decision importance sampling
    wpdis  Σ_t γ^t Σ_i w_it r_it / Σ_i w_it                         weighted: each step divided by its own weights
    dr     mean Σ_t γ^t [w_{t-1} v_t + w_t (r_t - q_t)]             doubly robust
    wdr    dr with w_t / mean w_t in place of w_t                   weighted doubly robust

- pdis, wpdis: D. Precup, R. Sutton, S. Singh, "Eligibility Traces for Off-Policy Policy Evaluation", ICML 2000.
- dr: N. Jiang, L. Li, "Doubly Robust Off-policy Value Evaluation for Reinforcement Learning", ICML 2016,
  arXiv:1511.03722.
- wdr: P. Thomas, E. Brunskill, "Data-Efficient Off-Policy Policy Evaluation for RL", ICML 2016, arXiv:1604.00923.

`fitted.py` estimates q and v. Deviations: none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import DataError, Problem, UsageError, nearest
from paretail.evaluate.offpolicy.estimate import Estimate, judged
from paretail.evaluate.offpolicy.guards import Limits, looked_at
from paretail.evaluate.offpolicy.logged import Rows, Values
from paretail.evaluate.offpolicy.terms import Terms


@dataclass(frozen=True, eq=False)
class Episodes:
    """Sessions as rows, decisions as columns; `there[episodes, steps]` tells which decisions were made.

    `q_logged` and `v_target`, of a model that has not learned from the session, are the predicted rest of the session.
    `unsupported[episodes]` is the share of the target's decisions that could not have been logged. Raises DataError
    (OFFP-01) with what is wrong.
    """

    reward: Values
    propensity: Values
    target: Values
    there: NDArray[np.bool_]
    discount: float = 1.0
    q_logged: Values | None = None
    v_target: Values | None = None
    unsupported: Values | None = None
    groups: Rows | None = None

    def __post_init__(self) -> None:
        if problems := self._wrong():
            raise DataError(problems)

    @property
    def weights(self) -> Values:
        """`[episodes, steps]`: the products w_t, which stay as they are after the end of a session."""
        ratios = np.where(self.there, self.target / np.where(self.there, self.propensity, 1.0), 1.0)
        return np.asarray(np.multiply.accumulate(ratios, axis=1))

    @property
    def discounts(self) -> Values:
        """`[episodes, steps]`: γ^t, 0 where no decision was made."""
        return np.asarray(self.discount ** np.arange(self.reward.shape[1]) * self.there)

    def predictions(self) -> tuple[Values, Values]:
        """Return `q_logged` and `v_target`; raises DataError: OFFP-03 where there are none."""
        if self.q_logged is None or self.v_target is None:
            do = "Give `q_logged` and `v_target`, or take `pdis` or `wpdis`, which need none"
            found = "the sessions have no predicted values"
            raise DataError(Problem("OFFP-03", found, "Expected them from a model that did not learn from them", do))
        return self.q_logged, self.v_target

    def _wrong(self) -> list[Problem]:
        square = {name: getattr(self, name) for name in ("reward", "propensity", "target", "q_logged", "v_target")}
        square = {name: array for name, array in square.items() if array is not None}
        shapes = {name: array.shape for name, array in square.items()} | {"there": self.there.shape}
        if len(set(shapes.values())) != 1 or self.reward.ndim != 2 or not self.reward.size:
            return [_problem(f"the arrays are {shapes}", "[episodes, steps] in each, and one episode at least")]
        lasts = self.there[:, 0] & (np.diff(self.there.astype(np.int8), axis=1) <= 0).all(axis=1)
        wrong = {"there": ~lasts}
        wrong |= {name: (~np.isfinite(array) & self.there).any(axis=1) for name, array in square.items()}
        p, target = self.propensity, self.target
        wrong["propensity"] |= (self.there & ~((p > 0) & (p <= 1))).any(axis=1)
        wrong["target"] |= (self.there & ~((target >= 0) & (target <= 1))).any(axis=1)
        expected = {"there": "decisions from the first to the last without a gap", "target": "probabilities",
                    "propensity": "probabilities above 0, since the action was taken"}  # fmt: skip
        return [
            _problem(f"{name} is wrong in {bad.sum():,} of {len(bad):,} sessions (first: {np.argmax(bad):,})",
                     expected.get(name, "finite numbers"))
            for name, bad in wrong.items() if bad.any()
        ]  # fmt: skip


def pdis(log: Episodes) -> Terms:
    """Per-decision importance sampling: unbiased; wide where sessions are long."""
    return Terms.mean((log.discounts * log.weights * _reward(log)).sum(axis=1))


def wpdis(log: Episodes) -> Terms:
    """The same with each step's weights divided by their mean: narrower, biased by the order of 1 / sessions."""
    return Terms(np.zeros(len(log.reward)), log.discounts * log.weights * _reward(log), log.weights)


def dr(log: Episodes) -> Terms:
    """Doubly robust: unbiased, narrower than `pdis` by what the predictions explain."""
    q, v, weights = *log.predictions(), log.weights
    gained = _before(weights) * _there(log, v) + weights * (_reward(log) - _there(log, q))
    return Terms.mean((log.discounts * gained).sum(axis=1))


def wdr(log: Episodes) -> Terms:
    """Doubly robust with each step's weights divided by their mean."""
    q, v, weights = *log.predictions(), log.weights
    before, discounts = _before(weights), log.discounts
    gain = np.hstack([discounts * weights * (_reward(log) - _there(log, q)), discounts * before * _there(log, v)])
    return Terms(np.zeros(len(q)), gain, np.hstack([weights, before]))


#: name -> sessions to the terms of their estimate
SEQUENTIAL: Final[dict[str, Callable[[Episodes], Terms]]] = {"pdis": pdis, "wpdis": wpdis, "dr": dr, "wdr": wdr}


def estimate_sessions(
    log: Episodes, estimator: str = "wdr", interval: str = "t", level: float = 0.95, limits: Limits | None = None,
    seed: int = 0,
) -> Estimate:  # fmt: skip
    """Return what the target policy would have earned a session, unless a guard refuses: the worst step decides.

    Raises UsageError (OFFP-09) for a name that is not there, DataError (OFFP-03) where predictions lack.
    """
    if estimator not in SEQUENTIAL:
        raise UsageError(
            Problem("OFFP-09", f"there is no estimator {estimator!r} of sessions",
                    f"Expected {nearest(estimator, SEQUENTIAL)}", "Correct it")
        )  # fmt: skip
    seen = looked_at(log.weights, log.unsupported, log.groups)
    return judged(SEQUENTIAL[estimator](log), seen, interval, level, limits, log.groups, seed)


def _reward(log: Episodes) -> Values:
    return _there(log, log.reward)


def _there(log: Episodes, values: Values) -> Values:
    return np.where(log.there, values, 0.0)


def _before(weights: Values) -> Values:
    return np.hstack([np.ones((len(weights), 1)), weights[:, :-1]])


def _problem(found: str, expected: str) -> Problem:
    return Problem("OFFP-01", found, f"Expected {expected}", "Correct the log, or leave such sessions out")
