"""Intervals of shares and amounts: the equations that they solve, and how often they hold the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.evaluate.rates import _unskewed, amount, share, wilson

Z = 1.959963984540054


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.floats(0, 1), st.floats(0.5, 1e6), st.floats(0.5, 4))
def test_the_ends_of_wilsons_interval_are_as_far_from_the_share_as_chance_goes(p: float, n: float, z: float) -> None:
    for end in wilson(p, n, z):
        assert 0 <= end <= 1
        assert abs(p - end) == pytest.approx(z * np.sqrt(end * (1 - end) / n), rel=1e-6, abs=1e-7)


def test_a_known_interval() -> None:
    assert wilson(0.1, 100, Z) == pytest.approx((0.05523, 0.17437), abs=1e-5)  # R: prop.test(10, 100, correct = FALSE)


def test_independent_trials_get_the_plain_interval() -> None:
    hits = (rng(0).random(5000) < 0.02).astype(np.int64)
    found = share(hits, np.ones(5000, dtype=np.int64))
    assert found is not None
    assert (found.low, found.high) == pytest.approx(wilson(hits.mean(), 5000, Z), rel=1e-3)


@given(st.lists(st.integers(0, 4), min_size=2, max_size=40), st.integers(2, 50))
def test_repeating_every_trial_of_a_user_tells_nothing_new(hits: list[int], times: int) -> None:
    y, n = np.array(hits), np.full(len(hits), 4)
    once, often = share(y * times, n * times), share(y * times * 2, n * times * 2)
    assert once is not None
    assert often is not None
    spread = np.var(y, ddof=1) / 16 / len(y)
    p = y.mean() / 4
    if p * (1 - p) < spread * n.sum() * times:  # the cap of independent trials is not reached
        assert once == pytest.approx(often)
    assert once.low <= once.value <= once.high


def test_the_extremes_are_told_by_the_number_of_users() -> None:
    t = 12.706204736  # Student, 1 degree of freedom
    assert share(np.zeros(2), np.full(2, 1000)) == pytest.approx((0, *wilson(0, 2 * (Z / t) ** 2, Z)))
    all_hit = share(np.full(10, 7), np.full(10, 7))
    assert all_hit is not None
    assert (all_hit.value, all_hit.high) == (1, 1)
    assert 0.6 < all_hit.low < 0.75
    one = share(np.array([3, 0]), np.array([10, 0]))  # a user without a trial does not count
    assert one is not None
    assert one.value == 0.3
    assert one.low < 0.02
    assert one.high > 0.9


def test_nothing_shown_no_figure() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert share(nothing, nothing) is None
    assert share(np.zeros(3), np.zeros(3)) is None
    assert amount(nothing, nothing) is None
    assert amount(np.zeros(9), np.ones(9)) is None
    assert amount(np.ones(1), np.ones(1)) is None


def test_the_share_of_dependent_trials_is_held_as_often_as_said() -> None:
    inside = plain = 0
    for seed in range(300):
        draw = rng(seed)
        n = 20 * draw.geometric(0.25, 300)
        hits = draw.binomial(n, draw.beta(0.5, 9.5, 300))
        found = share(hits, n)
        assert found is not None
        inside += found.low <= 0.05 <= found.high
        low, high = wilson(found.value, n.sum(), Z)
        plain += low <= 0.05 <= high
    assert 0.91 <= inside / 300 <= 0.98
    assert plain / 300 < 0.6  # what treating impressions as independent would do


@pytest.mark.parametrize(("users", "buying"), [(2000, 0.005), (2000, 0.05)])
def test_the_revenue_of_few_orders_is_held_as_often_as_said(users: int, buying: float) -> None:
    truth, inside, told = buying / 60 * np.exp(0.5), 0, 0
    for seed in range(300):
        draw = rng(seed)
        n = 20 * draw.geometric(1 / 3, users)
        orders = draw.binomial(n, buying / 60)
        paid = np.bincount(np.repeat(np.arange(users), orders), draw.lognormal(0, 1, orders.sum()), users)
        found = amount(paid, n)
        told += found is not None
        inside += found is not None and found.low <= truth <= found.high
    assert told >= 299
    assert 0.91 <= inside / told <= 0.985


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=30), st.integers(1, 100))
def test_amounts_scale_and_hold_their_value(paid: list[int], times: int) -> None:
    y, n = np.array(paid), np.arange(1, len(paid) + 1)
    found, scaled = amount(y, n), amount(y * times, n)
    if found is None or scaled is None:
        assert not any(paid)
        return
    assert 0 <= found.low <= found.value * (1 + 1e-9)
    assert found.value * (1 - 1e-9) <= found.high
    assert [part * times for part in found] == pytest.approx(scaled)
    assert found.value == pytest.approx(y.sum() / n.sum())


def test_where_nothing_is_skewed_it_is_students_interval() -> None:
    y = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    found = amount(y, np.ones(5))
    half = 2.7764451 * np.std(y, ddof=1) / np.sqrt(5)
    assert found == pytest.approx((3.0, 3.0 - half, 3.0 + half))


def test_refunds_may_take_it_below_0() -> None:
    found = amount(np.array([-100, 5, 0, 0, 20, -30]), np.full(6, 10))
    assert found is not None
    assert found.low < found.value < 0 < found.high


@given(st.floats(-3, 3), st.floats(-3, 3), st.integers(10, 10_000))
def test_halls_transformation_is_undone(x: float, skew: float, n: int) -> None:
    t = _unskewed(x, skew, n)
    back = t + skew / np.sqrt(n) * (t**2 / 3 + 1 / 6) + skew**2 * t**3 / (27 * n)
    assert back == pytest.approx(x, abs=1e-5)
