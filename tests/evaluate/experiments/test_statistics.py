"""What is read of an experiment: error rates under simulation, and arithmetic by other ways."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from paretail.evaluate.experiments.cuped import cuped
from paretail.evaluate.experiments.ratio import any_time, chi_square
from paretail.evaluate.experiments.sequences import Arm, compared, half_width
from paretail.evaluate.experiments.stopping import Metric, Rules, futile, look

LOOKS = np.arange(500, 20_001, 500)


def arms(rng: np.random.Generator, gain: float = 0.0, users: int = 10_000) -> tuple[np.ndarray, np.ndarray]:
    """Return orders of money, skewed, of the incumbent's and the candidate's users."""
    bought = rng.random((2, users)) < np.array([[0.2], [0.2 * (1 + gain)]])
    spent = bought * rng.lognormal(3, 0.5, size=(2, users))
    return spent[0], spent[1]


def test_chi_square_is_scipys() -> None:
    expected = stats.chisquare([480, 530, 990], [500, 500, 1000]).pvalue
    assert chi_square([480, 530, 990], [1, 1, 2]) == pytest.approx(expected)
    assert chi_square([0, 0], [1, 1]) == chi_square([7], [1]) == 1.0


@given(st.lists(st.integers(0, 50), min_size=2, max_size=3))
def test_the_ratio_that_may_be_read_at_any_time_is_a_bayes_factor(users: list[int]) -> None:
    weights = [1.0] * len(users)
    prior = 100 / len(users)
    factor, seen = 1.0, [prior] * len(users)
    for arm, n in enumerate(users):
        for _ in range(n):
            factor *= (seen[arm] / sum(seen)) * len(users)
            seen[arm] += 1
    assert any_time(users, weights) == pytest.approx(min(1.0, 1 / factor))


def test_a_mismatch_is_found_and_seldom_where_there_is_none() -> None:
    rng = np.random.default_rng(0)
    false = 0
    for _ in range(300):
        first = np.cumsum(rng.binomial(500, 0.5, size=40))
        false += any(any_time([n, 500 * (at + 1) - n], [1, 1]) < 0.05 for at, n in enumerate(first))
    assert false <= 0.05 * 300
    assert any_time([10_400, 9_600], [1, 1]) < 0.001
    assert chi_square([10_400, 9_600], [1, 1]) < 0.001


def test_cuped_keeps_the_difference_and_takes_the_noise() -> None:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(200):
        before = rng.normal(size=1000)
        arm = rng.integers(2, size=1000)
        y = 0.9 * before + 0.3 * rng.normal(size=1000) + 0.1 * arm
        less = cuped(y, np.where(rng.random(1000) < 0.1, np.nan, before), arm)
        found.append([values[arm == 1].mean() - values[arm == 0].mean() for values in (y, less)])
    plain, adjusted = np.array(found).T
    assert abs(adjusted.mean() - 0.1) < 3 * adjusted.std() / 200**0.5
    assert adjusted.std() < 0.6 * plain.std()


def test_cuped_of_one_column_is_the_papers_theta() -> None:
    rng = np.random.default_rng(2)
    before, noise = rng.normal(size=(2, 50))
    y, arm = 2 * before + noise, np.zeros(50, dtype=np.int64)
    theta = np.cov(before, y)[0, 1] / before.var(ddof=1)
    assert cuped(y, before, arm) == pytest.approx(y - theta * (before - before.mean()))
    assert cuped(y, np.full(50, np.nan), arm) == pytest.approx(y)
    both = cuped(y, np.stack([before, noise], axis=1), arm)
    assert both.std() < 1e-9


def test_the_interval_is_narrowest_at_the_planned_size() -> None:
    # minimised over tau^2, with no planned size: the width at variance 1 as a function of the mixture
    best = optimize.minimize_scalar(
        lambda planned: half_width(1.0, planned, 0.05), bounds=(0.01, 100), method="bounded"
    )
    assert best.x == pytest.approx(1.0, abs=0.2)
    assert half_width(1.0, 1.0, 0.05) > stats.norm.ppf(0.975)
    assert half_width(0.0, 1.0, 0.05) == 0.0


def test_intervals_hold_at_every_look_where_plain_ones_do_not() -> None:
    rng = np.random.default_rng(3)
    ours = plain = 0
    for _ in range(400):
        incumbent, candidate = arms(rng)
        outside, fixed = False, False
        for n in LOOKS // 2:
            a, b = Arm.of(incumbent[:n]), Arm.of(candidate[:n])
            found = compared(b, a, planned=10_000)
            outside |= not found.low <= 0 <= found.high
            fixed |= abs(b.mean - a.mean) > 1.96 * ((a.variance + b.variance) / n) ** 0.5
        ours, plain = ours + outside, plain + fixed
    assert ours <= 0.05 * 400
    assert plain > 0.2 * 400


def test_before_enough_users_nothing_is_said() -> None:
    few = Arm.of(np.ones(50))
    assert compared(few, Arm.of(np.zeros(5000)), 10_000).high == np.inf
    nobody = Arm.of(np.ones(0))
    assert np.isnan(nobody.mean)
    assert compared(nobody, few, 10_000).high == np.inf


@pytest.mark.parametrize("rate", [0.005, 0.01, 0.02, 0.03])
def test_what_is_rare_is_not_surely_rarer_in_a_small_arm_where_nobody_did_it(rate: float) -> None:
    """5 % of the users, looked at every 2,000: nobody of 100 does it in 60 % of cases at 1 in 200."""
    rng, users, wrong = np.random.default_rng(7), np.array([100, 1900]), 0
    for _ in range(300):
        counts = np.cumsum(rng.binomial(users, rate, (7, 2)), 0)
        sizes = np.cumsum(np.tile(users, (7, 1)), 0)
        pairs = [[Arm(int(n), p, p * (1 - p)) for n, p in zip(*each, strict=True)]
                 for each in zip(sizes, counts / sizes, strict=True)]  # fmt: skip
        found = [compared(candidate, incumbent, 14_000) for candidate, incumbent in pairs]
        wrong += any(not one.low <= 0 <= one.high for one in found)
    assert wrong <= 0.05 * 300


@pytest.mark.parametrize("all_of_them", [0.0, 0.1])
def test_where_all_users_did_the_same_nothing_is_said(all_of_them: float) -> None:
    same, more = (Arm.of(np.full(150, each)) for each in (all_of_them, all_of_them + 1))
    assert compared(more, same, 10_000).low == pytest.approx(1)
    assert compared(same, same, 10_000).low == -np.inf
    assert look(Metric(same, same), {}, Rules(users=10_000, margin=0.02)).verdict == "go on"
    assert look(Metric(same, same), {}, Rules(users=300, margin=0.02)).verdict == "keep"
    stood_still = {"refunds": Metric(same, same)}
    assert look(Metric(more, same), stood_still, Rules(users=10_000)).because == ("refunds",)
    assert look(Metric(more, same), stood_still, Rules(users=300)).verdict == "ship"


def decided(rng: np.random.Generator, gain: float, rules: Rules, guard: float = 0.0) -> str:
    """Return how an experiment ends that is looked at every 500 users."""
    incumbent, candidate = arms(rng, gain, rules.users // 2)
    guards = arms(rng, guard, rules.users // 2)
    for n in np.arange(250, rules.users // 2 + 1, 250):
        goal, kept = (Metric(Arm.of(c[:n]), Arm.of(i[:n])) for i, c in ((incumbent, candidate), guards))
        found = look(goal, {"returns": kept}, rules)
        if found.verdict != "go on":
            return found.verdict
    raise AssertionError("an experiment ends when its users were seen")


def test_rules_keep_their_error_rates() -> None:
    rng = np.random.default_rng(4)
    rules = Rules(users=20_000, margin=0.05, guardrail_margin=0.15)
    border = [decided(rng, -0.05, rules) for _ in range(200)]
    assert border.count("ship") <= 0.05 * 200
    good = [decided(rng, 0.1, rules) for _ in range(100)]
    assert good.count("ship") >= 60
    assert good.count("stop") <= 5
    harmful = [decided(rng, 0.1, rules, guard=-0.3) for _ in range(100)]
    assert harmful.count("ship") <= 5
    assert harmful.count("stop") >= 60


def test_arms_of_the_wrong_size_are_not_read() -> None:
    rng = np.random.default_rng(5)
    goal = Metric(Arm.of(rng.random(9000) + 1), Arm.of(rng.random(10_000)))
    found = look(goal, {}, Rules(users=20_000))
    assert found.verdict == "broken"
    assert found.problem is not None
    assert "the candidate has 9,000 of 19,000 users (47.4%). Expected 50.0%" in str(found.problem)
    assert look(goal, {}, Rules(users=20_000), weights=(9, 10)).verdict == "ship"


def test_a_look_says_what_is_open() -> None:
    rng = np.random.default_rng(6)
    same = Metric(Arm.of(rng.random(500)), Arm.of(rng.random(500)))
    assert look(same, {"returns": same}, Rules(users=5000)).because == ("goal", "returns")
    assert look(same, {}, Rules(users=1000)).verdict == "keep"


def test_what_would_not_win_by_the_planned_users_is_futile_and_what_is_good_seldom() -> None:
    rules, rng = Rules(users=1200, margin=0.02), np.random.default_rng(3)

    def given_up(gain: float) -> float:
        arms = ((Arm.of(rng.normal(6 * (1 + more), 4.3, 200)) for more in (gain, 0.0)) for _ in range(400))
        return float(np.mean([futile(Metric(*pair), rules) for pair in arms]))

    assert given_up(0.0) > 0.6
    assert given_up(0.2) < 0.03
