"""Directions from Gram matrices: each satisfies the conditions that define it, and nothing tried betters it."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretail.core.rng import rng_for
from paretail.moo.aligned import aligned
from paretail.moo.cagrad import cagrad
from paretail.moo.cone import to_cone, to_dual, upgrad
from paretail.moo.gram import correlations, factor
from paretail.moo.minnorm import min_norm
from paretail.moo.nash import nash, residual
from paretail.moo.pcgrad import pcgrad

from .grams import jacobians, simplex


@given(jacobians(decades=6))
def test_factors_have_the_gram_matrix_to_the_precision_of_each_entry(J: np.ndarray) -> None:
    columns, lengths = factor(J @ J.T), np.linalg.norm(J, axis=1)
    np.testing.assert_allclose((columns.T @ columns) / np.outer(lengths, lengths), correlations(J @ J.T), atol=1e-13)


@given(jacobians(decades=3))
def test_the_shortest_vector_of_the_hull_satisfies_kkt_and_beats_what_is_tried(J: np.ndarray) -> None:
    gram = J @ J.T
    a = min_norm(gram)
    assert (a >= 0).all()
    assert a.sum() == pytest.approx(1)
    square, scale = a @ gram @ a, np.sqrt(np.diag(gram))
    assert ((gram @ a - square) / scale >= -1e-7 * scale.min()).all()
    tried = simplex(len(gram), 200)
    assert square <= np.einsum("pi,ij,pj->p", tried, gram, tried).min() * (1 + 1e-9) + 1e-12 * scale.min() ** 2


@given(st.integers(0, 1000))
def test_two_gradients_in_closed_form_are_those_of_the_active_set(seed: int) -> None:
    J = rng_for("tests/two", seed).standard_normal((2, 3))
    twice = min_norm(J[[0, 1, 1]] @ J[[0, 1, 1]].T)
    np.testing.assert_allclose(min_norm(J @ J.T), [twice[0], twice[1] + twice[2]], atol=1e-9)


def test_a_zero_gradient_is_the_shortest_and_equal_gradients_are_any_share() -> None:
    assert min_norm(np.diag([4.0, 0.0, 1.0])).tolist() == [0, 1, 0]
    assert min_norm(np.ones((2, 2))).tolist() == [0.5, 0.5]


@given(jacobians(), st.integers(0, 100))
def test_projection_to_the_dual_cone_satisfies_kkt(J: np.ndarray, seed: int) -> None:
    gram, u = J @ J.T, rng_for("tests/dual", seed).standard_normal(len(J))
    v = to_dual(gram, u)
    products = gram @ v
    assert (v >= u).all()
    assert (products >= -1e-8 * gram.max()).all()
    assert abs((v - u) @ products) < 1e-7 * max(1.0, gram.max())


@given(jacobians(), st.integers(0, 100))
def test_projection_to_the_cone_satisfies_kkt(J: np.ndarray, seed: int) -> None:
    gram, u = J @ J.T, rng_for("tests/cone", seed).standard_normal(len(J))
    v = to_cone(gram, u)
    slack = gram @ (v - u)
    assert (v >= 0).all()
    assert (slack >= -1e-8 * gram.max()).all()
    assert abs(v @ slack) < 1e-7 * max(1.0, gram.max())


@given(jacobians())
def test_upgrad_harms_no_task_and_is_the_mean_where_nothing_conflicts(J: np.ndarray) -> None:
    gram, even = J @ J.T, np.full(len(J), 1 / len(J))
    assert (gram @ upgrad(gram, even) >= -1e-8 * gram.max()).all()
    np.testing.assert_allclose(upgrad(np.abs(gram), even), even, atol=1e-12)


@pytest.mark.parametrize("tasks", [2, 3, 4, 6, 8])
def test_the_nash_bargain_is_exact_over_six_decades(tasks: int) -> None:
    for seed in range(30):
        rng = rng_for(f"tests/nash/{tasks}", seed)
        J = rng.standard_normal((tasks, tasks + 3)) * 10 ** rng.uniform(-3, 3, (tasks, 1))
        assert residual(J @ J.T, nash(J @ J.T)) < 1e-8


@given(jacobians(independent=True), st.floats(-4, 4))
def test_a_loss_in_another_unit_changes_its_weight_and_nothing_else(J: np.ndarray, decade: float) -> None:
    units = np.ones(len(J))
    units[0] = 10**decade
    plain, other = nash(J @ J.T), nash((units[:, None] * J) @ (units[:, None] * J).T)
    np.testing.assert_allclose(units * other, plain, rtol=1e-6)


def test_the_bargain_splits_the_gains_of_two_tasks_evenly() -> None:
    """Of two gradients the direction is the bisector: nobody's relative gain is the greater."""
    J = np.array([[1.0, 0.0], [-3.0, 0.5]])
    d = nash(J @ J.T) @ J
    assert np.allclose(*(J @ d / np.linalg.norm(J, axis=1)))


def test_a_point_of_conflict_without_gain_has_finite_weights_and_no_direction_and_zero_gradients_are_refused() -> None:
    J = np.array([[2.0, 0.0], [-1.0, 0.0]])
    a = nash(J @ J.T)
    assert np.isfinite(a).all()
    assert np.linalg.norm(a @ J) < 1e-5 * (a @ np.linalg.norm(J, axis=1))
    with pytest.raises(ValueError, match="leave it out"):
        nash(np.diag([1.0, 0.0]))


@given(jacobians(), st.integers(0, 100))
def test_gradient_surgery_is_that_of_the_vectors(J: np.ndarray, seed: int) -> None:
    rng = rng_for("tests/orders", seed)
    orders = [rng.permutation(len(J)).tolist() for _ in J]
    total = np.zeros(J.shape[1])
    for task, order in enumerate(orders):
        d = J[task].copy()
        for other in order:
            if other != task and d @ J[other] < 0:
                d -= d @ J[other] / (J[other] @ J[other]) * J[other]
        total += d
    weights = pcgrad(J @ J.T, orders)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights @ J, total, atol=1e-9)


@settings(max_examples=50)
@given(jacobians(most=4), st.sampled_from([0.1, 0.4, 0.9]))
def test_cagrad_closes_the_gap_between_its_two_problems(J: np.ndarray, c: float) -> None:
    """The direction's worst product equals the least value of the dual that is tried: no direction can do better."""
    gram, mean = J @ J.T, J.mean(0)
    weights = cagrad(gram, c)
    d, radius = weights @ J, c * np.linalg.norm(mean)
    assert (weights >= 0).all()
    assert np.linalg.norm(d - mean) <= radius * (1 + 1e-9)
    hulls = simplex(len(J), 300) @ J
    dual = hulls @ mean + radius * np.linalg.norm(hulls, axis=1)
    a = weights - 1 / len(J)
    if a.sum() > 0:
        best = (a / a.sum()) @ J
        assert (J @ d).min() == pytest.approx(best @ mean + radius * np.linalg.norm(best), abs=1e-7 * gram.max())
    assert (J @ d).min() <= dual.min() + 1e-9 * gram.max()


def test_cagrad_without_room_is_the_mean() -> None:
    J = rng_for("tests/mean", 0).standard_normal((3, 4))
    np.testing.assert_allclose(cagrad(J @ J.T, 0.0), 1 / 3)
    assert cagrad(np.array([[1.0, -1.0], [-1.0, 1.0]]), 0.5).tolist() == [0.5, 0.5]


@given(st.integers(0, 500))
def test_aligned_gradients_are_orthogonal_and_as_long_as_the_shortest_component(seed: int) -> None:
    J = rng_for("tests/aligned", seed).standard_normal((3, 5))
    system = np.array([aligned(J @ J.T, one) for one in np.eye(3)]) @ J
    least = np.linalg.eigvalsh(J @ J.T).min()
    np.testing.assert_allclose(system @ system.T, least * np.eye(3), atol=1e-9)
    assert aligned(np.zeros((2, 2)), np.ones(2)).tolist() == [1, 1]


def descend(direction: object, start: np.ndarray, ends: np.ndarray, lr: float = 0.1) -> np.ndarray:
    """Go down the quadratics |x - end|² with their weights."""
    x = start
    for _ in range(600):
        J = 2 * (x - ends)
        x = x - lr * direction(J @ J.T) @ J  # type: ignore[operator]
    return x


def test_min_norm_and_upgrad_end_on_the_segment_between_two_minima() -> None:
    ends = np.array([[1.0, 0.0, 2.0], [-1.0, 3.0, 0.0]])
    for seed in range(4):
        start = rng_for("tests/quadratics", seed).uniform(-5, 5, 3)
        for direction in (min_norm, lambda gram: upgrad(gram, np.full(2, 0.5))):
            x = descend(direction, start, ends)
            t = np.clip((x - ends[0]) @ (ends[1] - ends[0]) / ((ends[1] - ends[0]) ** 2).sum(), 0, 1)
            assert np.linalg.norm(x - ends[0] - t * (ends[1] - ends[0])) < 1e-3


def test_orders_of_conflict_do_not_matter_where_there_is_none() -> None:
    gram = np.array([[1.0, 0.2, 0.0], [0.2, 2.0, 0.3], [0.0, 0.3, 1.0]])
    found = [pcgrad(gram, [order] * 3) for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2])]
    assert all((a == b).all() for a, b in pairwise(found))
