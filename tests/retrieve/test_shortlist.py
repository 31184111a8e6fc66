"""Shortlists: what they call exact is exact, and the rest stays as the cheap part says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from paretail.core.sparse import add_to_best, gather
from paretail.retrieve.models import MODELS, model
from paretail.retrieve.models.blend import Blend, BlendConfig, Mix
from paretail.retrieve.shortlist import Shortlists, score_best
from paretail.retrieve.signals.matrix import LowRank, Sparse, Sum
from paretail.retrieve.signals.profiles import Scene

from .histories import history_of


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), users=st.integers(1, 4), items=st.integers(1, 60), best=st.integers(1, 70))
def test_the_largest_scores_get_the_products(seed: int, users: int, items: int, best: int) -> None:
    rng = np.random.default_rng(seed)
    scores = np.maximum(rng.integers(-3, 6, (users, items)), 0).astype(np.float32)
    left, columns = (rng.normal(size=(size, 5)).astype(np.float32) for size in (users, items))
    after, bests = scores.copy(), np.arange(best, best + users)
    add_to_best(after, bests, left, columns)
    for user in range(users):
        order = [item for item in np.argsort(-scores[user], kind="stable") if scores[user, item] > 0][: bests[user]]
        wanted = scores[user].copy()
        wanted[order] += (columns @ left[user])[order]
        np.testing.assert_allclose(after[user], wanted, rtol=1e-4, atol=1e-5)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not give"):
        add_to_best(
            np.zeros((2, 3), np.float32), np.ones(2, int), np.zeros((2, 4), np.float32), np.zeros((3, 5), np.float32)
        )


def _sum(rng: np.random.Generator, items: int) -> Sum:
    near = sparse.random_array((items, items), density=0.2, rng=rng, dtype=np.float32).tocsr()
    left, right = (rng.normal(size=shape).astype(np.float32) for shape in ((items, 4), (4, items)))
    return Sum(Sparse(sparse.csr_array(near)), LowRank(0.01 * left, right))


def test_a_sum_is_exact_for_its_nearest_items_and_near_for_the_others() -> None:
    rng = np.random.default_rng(1)
    matrix = _sum(rng, 200)
    profile = sparse.csr_array(sparse.random_array((6, 200), density=0.1, rng=rng, dtype=np.float32).tocsr())
    exact, some, near = matrix.apply(profile), matrix.apply_best(profile, np.full(6, 40)), matrix.near.apply(profile)
    for user in range(6):
        nearest = np.argsort(-near[user], kind="stable")[:40]
        np.testing.assert_allclose(some[user, nearest], exact[user, nearest], rtol=1e-4, atol=1e-6)
        rest = np.setdiff1d(np.arange(200), nearest)
        np.testing.assert_array_equal(some[user, rest], near[user, rest])
    assert gather(profile, matrix.smooth.left).any()


def test_a_blend_lists_the_same_from_its_best_items() -> None:
    rng = np.random.default_rng(2)
    matrices = {"plateau": _sum(rng, 300), "pop target": Sparse(sparse.csr_array(np.ones((1, 300), np.float32)))}
    config = BlendConfig(target="purchase", modes={"all": Mix(theta={"plateau|all": 1.0}, kappa=0.0)})
    blend = Blend(config, Scene(300, config.kind_weights, 0), matrices)
    assert isinstance(blend, Shortlists)
    history = history_of([[("view", item, 0) for item in items] for items in ([1, 5, 9, 30], [4], [7, 8, 250])])
    exact, best = blend.score(history, mode="all"), score_best(blend, history, np.full(3, 60), "all")
    for user in range(3):
        wanted = np.argsort(-exact[user], kind="stable")[:10]
        assert np.argsort(-best[user], kind="stable")[:10].tolist() == wanted.tolist()
        alone = score_best(blend, history.of_users(np.array([user])), np.full(1, 60), "all")
        np.testing.assert_array_equal(alone[0], best[user], "whoever else is asked for")


@pytest.mark.parametrize("name", [name for name in MODELS if not issubclass(model(name), Blend)])
def test_other_models_score_everything(name: str) -> None:
    assert not hasattr(model(name), "score_best")
