"""What an estimate is made of, row by row: enough for its value, its variance and a bootstrap.

    value = mean_i base_i + sum_p (sum_i gain_ip / sum_i norm_ip)

With norm 1 a part is a mean, with the weights as norm it is self-normalised. The influence of row i on the value is,
to first order (W. G. Cochran, "Sampling Techniques", 3rd edition 1977, equation 6.10; for SNIPS A. B. Owen, "Monte
Carlo theory, methods and examples", 2013, section 9.2),

    psi_i = base_i - mean(base) + sum_p (gain_ip - R_p norm_ip) / mean(norm_p),   R_p = sum_i gain_ip / sum_i norm_ip

and value + psi are values whose mean and spread are those of the estimate. Deviations: none.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from paretail.evaluate.offpolicy.logged import Values


@dataclass(frozen=True, eq=False)
class Terms:
    """`base[rows]`, `gain[rows, parts]`, `norm[rows, parts]`."""

    base: Values
    gain: Values
    norm: Values

    @classmethod
    def mean(cls, values: Values) -> Self:
        """Return the terms of a plain mean of `values[rows]`."""
        nothing = np.zeros((len(values), 0))
        return cls(values, nothing, nothing)

    @classmethod
    def ratio(cls, gain: Values, norm: Values, base: Values | None = None) -> Self:
        """Return the terms of mean(base) + sum(gain) / sum(norm); raises nothing: without weight the value is NaN."""
        return cls(np.zeros(len(gain)) if base is None else base, gain[:, None], norm[:, None])

    @property
    def linear(self) -> bool:
        """Whether the value is a mean of independent rows, and not only so to first order."""
        return len(self.norm.T) == 0

    @property
    def value(self) -> float:
        """The estimate."""
        return float(self.base.mean() + self._ratios().sum())

    def influence(self) -> Values:
        """Return psi, which sums to 0."""
        with np.errstate(invalid="ignore", divide="ignore"):
            parts = (self.gain - self._ratios() * self.norm) / self.norm.mean(axis=0)
        psi: Values = self.base - self.base.mean() + parts.sum(axis=1)
        return psi

    def minus(self, other: "Terms") -> "Terms":
        """Return the terms of the difference of two estimates from the same rows."""
        gain = np.concatenate([self.gain, -other.gain], axis=1)
        return Terms(self.base - other.base, gain, np.concatenate([self.norm, other.norm], axis=1))

    def times(self, factor: float) -> "Terms":
        """Return the terms of a multiple of the estimate."""
        return Terms(factor * self.base, factor * self.gain, self.norm)

    def _ratios(self) -> Values:
        with np.errstate(invalid="ignore", divide="ignore"):
            ratios: Values = self.gain.sum(axis=0) / self.norm.sum(axis=0)
        return ratios
