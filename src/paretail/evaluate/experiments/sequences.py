"""Intervals that hold at every look: an experiment may be read daily and stopped at any time.

    d +- sqrt(V (V + tau^2) / tau^2 (2 ln(1 / alpha) + ln((V + tau^2) / V)))

d is the difference of two means and V its variance now. Under the normal mixture N(0, tau^2) the whole sequence holds
the true difference with probability 1 - alpha, asymptotically: I. Waudby-Smith, D. Arbour, R. Sinha, E. Kennedy,
A. Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", Annals of Statistics 52(6), 2024,
arXiv:2103.06476, theorem 2.2 with rho^2 = tau^2 / sigma^4; the same as the mSPRT of R. Johari, P. Koomen, L. Pekelis,
D. Walsh, "Peeking at A/B Tests", KDD 2017, doi:10.1145/3097983.3097992. It is narrowest, for its size, where

    V = V*,   tau^2 = V* (-2 ln(alpha) + ln(1 - 2 ln(alpha)))

Deviations: 1. V is s^2 (1 / n_1 + 1 / n_0) with the greater of both arms' variances for s^2: nobody of a small arm may
have done what is rare, which leaves its own at 0 and would be taken for surely less. 2. No interval before `LEAST`
users in each arm, where the asymptotics begin, nor where all users of both arms did the same: what nobody did yet tells
nothing. 3. tau^2 follows the variance of a user as estimated at the look.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
LEAST: Final = 100
#: Differences up to this part of the mean are rounding: CUPED leaves some where all users did the same.
ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Arm:
    """Users of an arm, and mean and variance of what they did."""

    n: int
    mean: float
    variance: float

    @classmethod
    def of(cls, values: Values) -> "Arm":
        """Build from `values[users]`, one entry a user."""
        spread = float(values.var(ddof=1)) if len(values) > 1 else np.inf
        return cls(len(values), float(values.mean()) if len(values) else np.nan, spread)


@dataclass(frozen=True)
class Sequence:
    """A difference and its interval at this look; infinite before LEAST users, or where all did the same."""

    difference: float
    low: float
    high: float


def compared(candidate: Arm, incumbent: Arm, planned: int, alpha: float = 0.05, margin: float = 0.0) -> Sequence:
    """Return candidate - (1 - margin) incumbent; narrowest near `planned` users in both arms together."""
    difference, variance = estimated(candidate, incumbent, margin)
    if min(candidate.n, incumbent.n) < LEAST or are_alike(candidate, incumbent):
        return Sequence(difference, -np.inf, np.inf)
    half = half_width(variance, variance * (candidate.n + incumbent.n) / planned, alpha)
    return Sequence(difference, difference - half, difference + half)


def estimated(candidate: Arm, incumbent: Arm, margin: float) -> tuple[float, float]:
    """Return candidate - (1 - margin) incumbent and its variance."""
    share = 1 - margin if incumbent.mean >= 0 else 1 + margin
    most = max(candidate.variance, incumbent.variance)
    return candidate.mean - share * incumbent.mean, most * (1 / max(candidate.n, 1) + share**2 / max(incumbent.n, 1))


def are_alike(candidate: Arm, incumbent: Arm) -> bool:
    """Say whether all users of both arms did the same."""
    apart = max(abs(candidate.mean - incumbent.mean), candidate.variance**0.5, incumbent.variance**0.5)
    return bool(apart <= ROUNDING * max(abs(candidate.mean), abs(incumbent.mean)))


def half_width(variance: float, planned_variance: float, alpha: float) -> float:
    """Return half the interval of an estimate of this variance; narrowest at the planned one; 0 without variance."""
    if variance <= 0:
        return 0.0
    tau2 = planned_variance * (-2 * np.log(alpha) + np.log(1 - 2 * np.log(alpha)))
    spread = 2 * np.log(1 / alpha) + np.log((variance + tau2) / variance)
    return float(np.sqrt(variance * (variance + tau2) / tau2 * spread))
