"""Fitted-Q evaluation with linear features: its fixed point in closed form, with an interval and weights for guards.

Of n logged steps, with φ_i the features of the logged state and action, φ'_i their mean over the target's actions in
the state after (0 where the session ended), ν the mean over first states, and ridge λ:

    A = Σ_i φ_i (φ_i - γ φ'_i)' + λ I,   θ = A^-1 Σ_i φ_i r_i,   value = ν'θ = Σ_i ω_i r_i,   ω_i = φ_i' A^-T ν
    value ± t of the sessions' terms   ν_g'θ + m Σ_{i in g} ω_i (r_i + γ φ'_i'θ - φ_i'θ),   m sessions

ω_i is how much oftener the target comes to such a step than the log, as far as features tell: what the guards look at.
The terms are those of a doubly robust estimate with these weights.

Sources: Y. Duan, Z. Jia, M. Wang, "Minimax-Optimal Off-Policy Evaluation with Linear Function
Approximation", ICML 2020, arXiv:2002.09516 (fitted-Q evaluation's fixed point and weights); B. Hao et al.,
"Bootstrapping Fitted Q-Evaluation for Off-Policy Inference", ICML 2021, arXiv:2102.03607 (its influence).
Deviations: 1. The fixed point at once in place of iterations; it exists where iterations would diverge. 2. Effective
size and largest share are those of the sessions' summed ω divided by their mean.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from paretail.core.errors import DataError, Problem
from paretail.evaluate.offpolicy.estimate import Estimate, judged
from paretail.evaluate.offpolicy.guards import Limits, looked_at
from paretail.evaluate.offpolicy.logged import Rows, Values
from paretail.evaluate.offpolicy.terms import Terms

_RIDGE: Final = 1e-3


@dataclass(frozen=True, eq=False)
class Transitions:
    """Steps of sessions: `phi[steps, features]`, `after[steps, features]`, `reward[steps]`, `session[steps]`.

    `first[sessions, features]` are the mean features of the target's actions in first states; `session` counts its
    rows. `users[sessions]`: sessions of one user depend on each other. Raises DataError (OFFP-01).
    """

    phi: Values
    after: Values
    reward: Values
    session: Rows
    first: Values
    discount: float = 1.0
    users: Rows | None = None

    def __post_init__(self) -> None:
        steps, width = self.phi.shape
        shapes = (self.after.shape, self.reward.shape, self.session.shape, self.first.shape[1:])
        arrays = (self.phi, self.after, self.reward, self.first)
        if shapes != ((steps, width), (steps,), (steps,), (width,)) or not steps:
            raise _wrong(f"the arrays are phi {self.phi.shape}, after, reward, session and first[sessions] {shapes}")
        if not all(np.isfinite(array).all() for array in arrays):
            raise _wrong("features or rewards are not finite")
        if self.session.min() < 0 or self.session.max() >= len(self.first):
            raise _wrong(f"sessions are numbered {self.session.min()} to {self.session.max()} of {len(self.first)}")


@dataclass(frozen=True, eq=False)
class Fitted:
    """θ, the terms of the value by session, and `visits[steps]` = m ω: the target's visits for one of the log's."""

    theta: Values
    terms: Terms
    visits: Values

    def q(self, phi: Values) -> Values:
        """Return the predicted rest of the session."""
        return np.asarray(phi @ self.theta)


def fit(log: Transitions, ridge: float = _RIDGE) -> Fitted:
    """Fit Q of the target policy; `ridge` counts by step, in units of each feature's mean square."""
    scale = np.sqrt((log.phi**2).mean(axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    phi, after, first = log.phi / scale, log.after / scale, log.first / scale
    later = phi - log.discount * after
    matrix = phi.T @ later + ridge * len(phi) * np.eye(phi.shape[1]) * _free(phi)
    theta = np.linalg.solve(matrix, phi.T @ log.reward)
    visits = len(first) * (phi @ np.linalg.solve(matrix.T, first.mean(axis=0)))
    wrong = visits * (log.reward - later @ theta)
    terms = np.asarray(first @ theta + np.bincount(log.session, wrong, minlength=len(first)), np.float64)
    return Fitted(theta / scale, Terms.mean(terms), visits)


def fitted_q(
    log: Transitions, interval: str = "t", level: float = 0.95, limits: Limits | None = None, ridge: float = _RIDGE
) -> Estimate:
    """Return what the target policy would have earned a session, or the guards that refuse it."""
    found = fit(log, ridge)
    visits = np.bincount(log.session, found.visits, minlength=len(log.first))
    mean = visits.mean()
    seen = looked_at(visits / mean if mean > 0 else np.zeros_like(visits), _unsupported(log), log.users)
    return judged(found.terms, seen, interval, level, limits, log.users)


def _free(phi: Values) -> Values:
    """Return 0 for a constant feature, which is not held towards 0, else 1."""
    return np.asarray((np.ptp(phi, axis=0) > 0) | (phi[0] == 0), np.float64)


def _unsupported(log: Transitions) -> Values:
    """Return, for each session, the share of the target's features that no logged step has."""
    never = ~log.phi.any(axis=0)
    asked = np.vstack([log.first, log.after])
    share = np.abs(asked[:, never]).sum(axis=1) / np.maximum(np.abs(asked).sum(axis=1), 1e-12)
    ended = ~log.after.any(axis=1)
    return np.full(len(log.first), share.sum() / max(1, len(share) - int(ended.sum())))


def _wrong(found: str) -> DataError:
    expected = "Expected finite features of one width, one row a step, and sessions that count the rows of `first`"
    return DataError(Problem("OFFP-01", found, expected, "Correct the log, or leave such sessions out"))
