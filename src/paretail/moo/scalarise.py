"""Several gains as one number to maximise, and the weights of a sweep.

    weighted sum   s(z) = sum_k w_k z_k                                   reaches the convex part of a front
    Chebyshev      s(z) = -max_k w_k (z*_k - z_k)                         reaches all of it, and weakly optimal points
    augmented      s(z) = -max_k w_k (z*_k - z_k) - rho sum_k (z*_k - z_k)    reaches no weakly optimal point

z* is the ideal point, at least the greatest value of each goal.

R. E. Steuer, E.-U. Choo, "An interactive weighted Tchebycheff procedure for multiple objective programming",
Mathematical Programming 26, 1983, doi:10.1007/BF02591870; I. Das, J. E. Dennis, "Normal-boundary intersection", SIAM J.
Optim. 8(3), 1998, doi:10.1137/S1052623496307510 (the lattice). Deviations: none.
"""

from itertools import combinations

import numpy as np

from paretail.moo.sign import Array


def weighted_sum(gains: Array, weights: Array) -> Array:
    """Return the scalar gain of each of `gains[points, goals]`."""
    return gains @ weights


def chebyshev(gains: Array, weights: Array, ideal: Array) -> Array:
    """Return minus the greatest weighted distance to the ideal point, of each of `gains[points, goals]`."""
    return augmented(gains, weights, ideal, 0.0)


def augmented(gains: Array, weights: Array, ideal: Array, rho: float = 1e-3) -> Array:
    """Return the same less `rho` times the sum of the distances, which breaks ties for the better point."""
    short = ideal - gains
    value: Array = -(weights * short).max(-1) - rho * short.sum(-1)
    return value


def lattice(goals: int, divisions: int) -> Array:
    """Return all weights of the simplex that are multiples of 1 / `divisions`, shape [points, goals].

    There are C(divisions + goals - 1, goals - 1). Of two goals and 20 divisions: the 21 points of a sweep.
    """
    bars = combinations(range(divisions + goals - 1), goals - 1)
    edges = [(-1, *bar, divisions + goals - 1) for bar in bars]
    return (np.diff(np.array(edges), axis=1) - 1) / divisions
