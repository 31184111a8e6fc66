"""Which points nothing beats: the Pareto set of a finite table.

    a dominates b  <=>  a_k >= b_k for every goal k, and a_k > b_k for one at least

Two points that are equal in every goal do not dominate each other: duplicates stand or fall together. The filter
compares each pair, O(points² goals), and is exact: no tolerance.

Source: V. Pareto's order as in K. Deb, A. Pratap, S. Agarwal, T. Meyarivan, "A fast and elitist multiobjective genetic
algorithm: NSGA-II", IEEE TEVC 6(2), 2002, doi:10.1109/4235.996017. Deviations: none.
"""

import numpy as np
from numpy.typing import NDArray

from paretail.moo.sign import Array


def dominators(point: Array, gains: Array) -> NDArray[np.bool_]:
    """Return which of `gains[points, goals]` dominate `point[goals]`; raises ValueError where a gain is NaN."""
    if np.isnan(gains).any() or np.isnan(point).any():
        raise ValueError("a gain that is not a number can be neither better nor worse: leave such points out")
    return np.asarray((gains >= point).all(1) & (gains > point).any(1))


def front(gains: Array) -> NDArray[np.bool_]:
    """Return which of `gains[points, goals]` are Pareto optimal: dominated by none; of no points, none."""
    return np.array([not dominators(point, gains).any() for point in gains], bool)
