"""Gaussian tables: numbers that are not known exactly, with the spread of what is known of them.

    q(θ) = N(μ, σ²) for each number,   p(θ) = N(0, τ_k²) with a spread τ_k for each column k, learned
    KL(q ‖ p) = Σ ½ ((σ² + μ²) / τ_k² - 1 - ln(σ² / τ_k²))

Where another table's posterior is known, a row starts at it and p(θ) = N(μ', σ'² + δ_k²): how far it may drift, δ_k, is
learned too, so that what does not hold here is left behind.

A row with many examples has a small σ, one with none stays at the prior. Columns that nobody needs get a small τ_k and
vanish, so that the width of vectors need not be chosen. The expectation of a function of a logit η ~ N(m, v) is taken
by the two-point rule, E f(η) ≈ ½ (f(m + √v) + f(m - √v)), exact to third order: training draws nothing at random.

Sources: C. Bishop, "Variational principal components", ICANN 1999, doi:10.1049/cp:19991160 (the spread of a column);
D. Kingma, T. Salimans, M. Welling, "Variational dropout and the local reparameterization trick", 2015,
arXiv:1506.02557 (the variance of a logit from those of its weights).
Deviations: 1. The spreads τ_k are points, held by a wide log-normal prior. 2. Quadrature instead of draws.
"""

from collections.abc import Callable
from math import log
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

#: Where spreads start: of the prior, and of what is believed of each number.
PRIOR: Final = 0.3
BELIEF: Final = 0.1
DRIFT: Final = 0.05

Matrix = Float[Tensor, "rows columns"]


class Gaussian(nn.Module):
    """A table `[rows, columns]` of independent Gaussians; `start` is the deviation of the first means."""

    def __init__(self, rows: int, columns: int, start: float = 0.0) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.randn(rows, columns) * start)
        self.log_spread = nn.Parameter(torch.full((rows, columns), log(BELIEF)))
        self.log_prior = nn.Parameter(torch.full((columns,), log(PRIOR)))
        self.origin: tuple[Tensor, Tensor, Tensor] | None = None

    @torch.no_grad()
    def follow(self, mean: Matrix, variance: Matrix, known: Float[Tensor, " rows"]) -> None:
        """Start the `known` rows (1, others 0) at another table's posterior, which becomes their prior."""
        here = known[:, None] > 0
        self.origin = mean, variance, known[:, None]
        self.mean.copy_(torch.where(here, mean, self.mean))
        self.log_spread.copy_(torch.where(here, 0.5 * variance.log(), self.log_spread))
        self.log_drift = nn.Parameter(torch.full_like(self.log_prior, log(DRIFT)))

    def prior(self) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the deviation of p(θ), `[rows or 1, columns]`."""
        if self.origin is None:
            return torch.zeros(()), self.log_prior[None]
        mean, variance, known = self.origin
        drifted = 0.5 * (variance + (2 * self.log_drift).exp()).log()
        return mean * known, drifted * known + self.log_prior * (1 - known)

    @property
    def variance(self) -> Matrix:
        """The variance of each number."""
        return (2 * self.log_spread).exp()

    def of(self, rows: Int[Tensor, " asked"]) -> tuple[Tensor, Tensor]:
        """Return means and variances `[asked, columns]` of some rows."""
        return functional.embedding(rows, self.mean), (2 * functional.embedding(rows, self.log_spread)).exp()

    def divergence(self) -> Float[Tensor, ""]:
        """Return KL(q ‖ p) of the whole table."""
        centre, log_prior = self.prior()
        log_ratio = 2 * (self.log_spread - log_prior)
        squares = (self.mean - centre) ** 2 * (-2 * log_prior).exp()
        return 0.5 * (log_ratio.exp() + squares - 1 - log_ratio).sum()

    def hold(self) -> Float[Tensor, ""]:
        """Return the penalty that holds the columns' spreads near where they started."""
        held = 0.5 * ((self.log_prior - log(PRIOR)) ** 2).sum()
        return held if self.origin is None else held + 0.5 * ((self.log_drift - log(DRIFT)) ** 2).sum()

    @torch.no_grad()
    def forget(self, rows: Int[Tensor, " asked"]) -> None:
        """Set some rows to the prior: what is believed of those that had no example."""
        centre, log_prior = self.prior()
        self.mean[rows] = centre.expand_as(self.mean)[rows]
        self.log_spread[rows] = log_prior.expand_as(self.log_spread)[rows]


def expected(of: Callable[[Tensor], Tensor], mean: Tensor, variance: Tensor) -> Tensor:
    """Return E of(η) for η ~ N(mean, variance), by the two-point rule."""
    spread = variance.sqrt()
    return 0.5 * (of(mean + spread) + of(mean - spread))
