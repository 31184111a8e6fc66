"""Evolution: fronts that are known, bounds that are kept, and the same front from the same seed."""

import numpy as np
import pytest

pytest.importorskip("pymoo", reason="the extra `evolve` is not installed")

from paretail.moo.evolve import METHODS, Method, evolve
from paretail.moo.hypervolume import hypervolume
from paretail.moo.pareto import front


def quarter(x: np.ndarray) -> np.ndarray:
    """Return gains whose front is a quarter of a circle: x[1:] = 0, x[0] any."""
    radius = 1 / (1 + x[:, 1:].sum(axis=1))
    return radius[:, None] * np.stack([np.cos(x[:, 0] * np.pi / 2), np.sin(x[:, 0] * np.pi / 2)], axis=1)


@pytest.mark.parametrize("method", METHODS)
def test_a_known_front_is_found(method: Method) -> None:
    found = evolve(quarter, np.zeros(5), np.ones(5), goals=2, method=method, population=50, evaluations=5000)
    assert hypervolume(found.gains, np.zeros(2)) > 0.97 * np.pi / 4
    assert front(found.gains).all()
    assert found.gains == pytest.approx(quarter(found.points))
    assert ((found.points >= 0) & (found.points <= 1)).all()


def test_the_same_seed_finds_the_same_front() -> None:
    ask = {"low": np.zeros(3), "high": np.ones(3), "goals": 2, "population": 20, "evaluations": 400}
    first, again, other = (evolve(quarter, **ask, seed=seed) for seed in (1, 1, 2))
    assert first.points.tobytes() == again.points.tobytes()
    assert first.points.tobytes() != other.points.tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_three_goals(method: Method) -> None:
    found = evolve(
        lambda x: x / np.linalg.norm(x + 1e-9, axis=1, keepdims=True), np.zeros(3), np.ones(3), 3, method, 40, 800
    )
    assert hypervolume(found.gains, np.zeros(3)) > 0.35  # an eighth of the ball has .524


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "volume"), [("convex", 0.8714), ("concave", 0.5383), ("apart", 1.3291)])
def test_nsga2_reaches_the_volume_that_it_is_known_for(shape: str, volume: float) -> None:
    """Return ZDT1, 2, 3 (E. Zitzler, K. Deb, L. Thiele, 2000): 30 variables, 25,000 evaluations, reference 1.1."""

    def worth(x: np.ndarray) -> np.ndarray:
        f, g = x[:, 0], 1 + 9 * x[:, 1:].mean(axis=1)
        part = (f / g) ** 2 if shape == "concave" else np.sqrt(f / g)
        h = 1 - part - (f / g * np.sin(10 * np.pi * f) if shape == "apart" else 0)
        return -np.stack([f, g * h], axis=1)

    found = evolve(worth, np.zeros(30), np.ones(30), goals=2)
    assert hypervolume(found.gains, np.full(2, -1.1)) == pytest.approx(volume, rel=0.003)
