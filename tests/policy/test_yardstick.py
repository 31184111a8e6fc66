"""Composed slates against fronts evolved over slates: NSGA-II, NSGA-III and MOEA/D find little more volume."""

import numpy as np
import pytest

pytest.importorskip("pymoo", reason="the extra `evolve` is not installed")

from paretail.moo.evolve import Method, evolve
from paretail.moo.hypervolume import hypervolume
from paretail.moo.scalarise import lattice
from paretail.policy.objectives import objective
from paretail.policy.pool import Pool
from paretail.policy.slate import compose
from tests.policy.pools import pool

GOALS = {name: objective(name) for name in ("clicks", "revenue", "diversity")}
CANDS, K = 30, 4


def _gains(found: Pool, places: np.ndarray) -> np.ndarray:
    many = found.rows(np.zeros(len(places), int))
    return np.stack([goal.value(many, places) for goal in GOALS.values()], axis=1)


def _volumes(seed: int, method: Method, times: int) -> tuple[float, float]:
    """Return the volume of slates composed for 91 settings, and of slates evolved with `times` as many evaluations."""
    found, rng = pool(users=1, cands=CANDS, seed=seed), np.random.default_rng(0)
    low = _gains(found, np.array([rng.permutation(CANDS)[:K] for _ in range(500)], np.int32)).mean(0)
    alone = np.concatenate([compose(found, GOALS, {name: 1.0}, K) for name in GOALS])
    span = np.diag(_gains(found, alone)) - low
    weights = {name: lattice(3, 12)[:, n] / span[n] for n, name in enumerate(GOALS)}
    ours = _gains(found, compose(found.rows(np.zeros(91, int)), GOALS, weights, K))

    def worth(keys: np.ndarray) -> np.ndarray:
        return (_gains(found, np.argsort(-keys, axis=1)[:, :K].astype(np.int32)) - low) / span

    theirs = evolve(worth, np.zeros(CANDS), np.ones(CANDS), 3, method, 100, times * 91, seed=1)
    return hypervolume((ours - low) / span, np.zeros(3)), hypervolume(theirs.gains, np.zeros(3))


@pytest.mark.parametrize(("method", "times"), [("nsga2", 20), ("nsga3", 20), ("moead", 4)])  # moead goes slate by slate
def test_slates_composed_for_91_settings_have_the_volume_of_evolved_ones(method: Method, times: int) -> None:
    ours, theirs = np.array([_volumes(seed, method, times) for seed in range(3)]).T
    assert (ours / theirs).mean() >= 0.98
    assert (ours / theirs).min() >= 0.95
