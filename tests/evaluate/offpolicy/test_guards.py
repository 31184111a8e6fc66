"""Guards: each refuses what it is for, by its name, and a healthy log passes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.core.errors import UsageError
from paretail.evaluate.offpolicy.estimate import estimate, judged
from paretail.evaluate.offpolicy.estimators import ESTIMATORS, ips
from paretail.evaluate.offpolicy.guards import Limits, looked_at, refusals

from .logs import clicks
from .test_estimators import obd


def codes(weights: list[float], unsupported: float = 0.0) -> set[str]:
    w = np.array(weights)
    return {problem.code for problem in refusals(looked_at(w, np.full(len(w), unsupported)), Limits())}


def test_each_guard_stops_what_it_is_for() -> None:
    assert codes([1.0] * 1000) == set()
    assert codes([1.0] * 50) == {"OFFP-05"}
    assert codes([1.0] * 4000 + [500.0]) == {"OFFP-05", "OFFP-06"}
    assert codes([1.0] * 1000, unsupported=0.02) == {"OFFP-07"}
    assert codes([0.7, 0.9] * 500) == {"OFFP-08"}
    assert codes([0.0] * 1000) == {"OFFP-05", "OFFP-06", "OFFP-08"}


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=50))
def test_the_effective_size_lies_between_one_and_the_rows(weights: list[float]) -> None:
    seen = looked_at(np.array(weights))
    assert 1 - 1e-9 <= seen.effective_sample_size <= len(weights) + 1e-9
    assert 1 / len(weights) - 1e-9 <= seen.largest_share <= 1
    assert looked_at(7 * np.array(weights)).effective_sample_size == pytest.approx(seen.effective_sample_size)


def test_of_several_positions_the_worst_decides() -> None:
    weights = np.ones((1000, 2))
    weights[:, 1] = np.where(np.arange(1000) < 10, 100.0, 0.0)
    seen = looked_at(weights)
    assert seen.effective_sample_size == pytest.approx(10)
    assert seen.largest_share == pytest.approx(0.1)


def test_a_user_with_many_rows_counts_once() -> None:
    assert looked_at(np.ones(1000), groups=np.arange(1000) // 50).effective_sample_size == pytest.approx(20)


def test_a_healthy_log_is_estimated_by_every_name() -> None:
    log, truth = clicks(4, 5000, wrong=0.0)
    for name in ESTIMATORS:
        found = estimate(log, name)
        assert not found.refused
        assert found.low < found.value < found.high
        assert abs(found.value - truth) < 0.05
    assert estimate(log, "ips", "bootstrap").low == estimate(log, "ips", "bootstrap").low


def test_a_refused_estimate_has_no_value_and_names_its_guard() -> None:
    found = judged(ips(clicks(5)[0]), looked_at(np.array([1.0, 500.0] + [0.0] * 500)))
    assert np.isnan([found.value, found.low, found.high]).all()
    assert [problem.code for problem in found.refused] == ["OFFP-05", "OFFP-06"]
    assert "the effective sample size is 1 of 502" in str(found.refused[0])


def test_names_that_are_not_there_are_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"there is no estimator 'snisp'.*did you mean 'snips'"):
        estimate(clicks(6)[0], "snisp")
    with pytest.raises(UsageError, match=r"there is no interval 'bootstap'.*did you mean 'bootstrap'"):
        estimate(clicks(6)[0], "dr", "bootstap")


@pytest.mark.realdata
def test_open_bandit_women_from_bts_to_random_is_refused(real_data: Callable[[str], Path]) -> None:
    found = estimate(obd(real_data("obd"), "bts", "women"), "snips")
    assert {"OFFP-05", "OFFP-06"} <= {problem.code for problem in found.refused}
    assert "the effective sample size is 2 of 10,000" in str(found.refused[0])
    assert found.weights is not None
    assert round(found.weights.largest) == 21_739
