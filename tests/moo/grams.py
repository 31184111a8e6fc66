"""Gradients of tasks to test with: hypothesis strategies, and the sums that define what is asked."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from paretail.core.rng import rng_for


@st.composite
def jacobians(draw: Any, most: int = 5, decades: float = 0.0, independent: bool = False) -> np.ndarray:
    """Gradients, one a row, with lengths over `decades`; their number is under, at or over their dimension."""
    tasks = draw(st.integers(2, most))
    dim = tasks + 2 if independent else draw(st.integers(1, 6))
    rng = rng_for("tests/moo", draw(st.integers(0, 10_000)))
    return rng.standard_normal((tasks, dim)) * 10 ** rng.uniform(-decades / 2, decades / 2, (tasks, 1))


def simplex(tasks: int, points: int, seed: int = 0) -> np.ndarray:
    """Random points of the simplex, its corners and its middle among them."""
    inside = rng_for("tests/simplex", seed).dirichlet(np.full(tasks, 0.7), points)
    return np.vstack([inside, np.eye(tasks), np.full((1, tasks), 1 / tasks)])


def few(goals: int) -> st.SearchStrategy[np.ndarray]:
    """Tables of gains with ties and duplicates."""
    whole = st.integers(0, 3).map(float)
    return arrays(np.float64, st.tuples(st.integers(0, 9), st.just(goals)), elements=whole)
