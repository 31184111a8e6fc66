"""Intervals: what they must hold, how often they hold the truth, and that rows of one user count as one."""

import numpy as np
import pytest
from hypothesis import given

from paretail.core.errors import UsageError
from paretail.evaluate.offpolicy.bounds import bernstein, bootstrap, grouped, t
from paretail.evaluate.offpolicy.estimators import ESTIMATORS, dr, ips, snips
from paretail.evaluate.offpolicy.logged import Logged
from paretail.evaluate.offpolicy.terms import Terms

from .logs import clicks, logs


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_t_is_students() -> None:
    bounds = t(Terms.mean(np.array([1.0, 2.0, 4.0])))
    assert bounds == pytest.approx((7 / 3 - 4.302653 * 1.5275252 / 3**0.5, 7 / 3 + 4.302653 * 1.5275252 / 3**0.5))


def test_the_bootstrap_equals_a_plain_one_for_a_ratio() -> None:
    log, _ = clicks(1, 60)
    terms = snips(log)
    low, high = bootstrap(terms, rng(), resamples=200)
    draws = rng().integers(60, size=(200, 60))
    values = (log.weights * log.reward)[draws].sum(1) / log.weights[draws].sum(1)
    assert (low, high) == pytest.approx(tuple(np.percentile(values, [2.5, 97.5])))


def test_bernstein_is_maurer_and_pontils() -> None:
    x = rng(1).random(50)
    half = np.sqrt(2 * x.var(ddof=1) * np.log(80) / 50) + 7 * np.log(80) / (3 * 49)
    assert bernstein(Terms.mean(x), span=(0, 1)) == pytest.approx((x.mean() - half, x.mean() + half))
    with pytest.raises(UsageError, match="OFFP-04"):
        bernstein(snips(clicks(1, 50)[0]))


@given(logs)
def test_intervals_hold_their_value_and_grow_with_the_level(log: Logged) -> None:
    for name, build in ESTIMATORS.items():
        terms = build(log)
        narrow, wide = t(terms, 0.8), t(terms, 0.99)
        assert wide.low <= narrow.low <= terms.value + 1e-9, name
        assert terms.value - 1e-9 <= narrow.high <= wide.high, name


def test_rows_of_a_user_count_as_one() -> None:
    once = Terms.mean(rng(2).random(300))
    users = np.repeat(np.arange(300), 4)
    fourfold = Terms.mean(np.repeat(once.base, 4))
    assert t(fourfold, groups=users) == pytest.approx(t(once))
    assert bernstein(fourfold, groups=users) == pytest.approx(bernstein(once))
    assert bootstrap(fourfold, rng(), groups=users) == pytest.approx(bootstrap(once, rng()))
    assert t(fourfold).high - t(fourfold).low < 0.6 * (t(once).high - t(once).low)


def test_groups_of_any_size_keep_the_mean() -> None:
    columns = rng(3).random((20, 2))
    assert grouped(columns, np.arange(20) % 3).mean(axis=0) == pytest.approx(columns.mean(axis=0))


def test_one_row_has_no_interval() -> None:
    for bounds in (
        t(Terms.mean(np.ones(1))),
        bernstein(Terms.mean(np.ones(1))),
        bootstrap(Terms.mean(np.ones(1)), rng()),
    ):
        assert np.isnan(bounds).all()


@pytest.mark.parametrize("build", [ips, snips, dr])
def test_intervals_hold_the_truth_about_as_often_as_they_say(build: type) -> None:
    found = [(build(log), truth) for log, truth in (clicks(seed, 800) for seed in range(200))]
    share = {"t": 0, "bootstrap": 0, "bernstein": 0}
    for seed, (terms, truth) in enumerate(found):
        share["t"] += t(terms).low <= truth <= t(terms).high
        low, high = bootstrap(terms, rng(seed), resamples=200)
        share["bootstrap"] += low <= truth <= high
        if terms.linear:
            share["bernstein"] += bernstein(terms).low <= truth <= bernstein(terms).high
    assert 180 <= share["t"] <= 198
    assert 180 <= share["bootstrap"] <= 198
    assert share["bernstein"] >= 196 or build is snips
