"""Estimators against references of a few lines, against each other, and against the truth of a known shop."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.core.errors import DataError
from paretail.evaluate.offpolicy import estimators
from paretail.evaluate.offpolicy.estimators import ESTIMATORS, dm, dr, dros, ips, sndr, snips, switch
from paretail.evaluate.offpolicy.logged import Logged

from .logs import ROWS, clicks, logs

TAU, LAM = 2.0, 3.0


def reference(name: str, log: Logged) -> float:
    """Return the estimate by a plain loop."""
    total, norm = 0.0, 0.0
    for r, p, t, q, v in zip(log.reward, log.propensity, log.target, log.q_logged, log.q_target, strict=True):
        w = t / p
        norm += w / len(log.reward) if name in ("snips", "sndr") else 1 / len(log.reward)
        match name:
            case "dm":
                total += v
            case "ips" | "snips":
                total += w * r
            case "dr":
                total += v + w * (r - q)
            case "sndr":
                total += w * (r - q)
            case "switch":
                total += v + (w * (r - q) if w <= TAU else 0)
            case "dros":
                total += v + LAM * w / (w * w + LAM) * (r - q)
    return total / len(log.reward) / norm + (sum(log.q_target) / len(log.reward) if name == "sndr" else 0)


def ours(name: str, log: Logged) -> float:
    settings = {"switch": {"tau": TAU}, "dros": {"lam": LAM}}.get(name, {})
    return ESTIMATORS[name](log, **settings).value


@pytest.mark.parametrize("name", ESTIMATORS)
@given(log=logs)
def test_it_equals_a_plain_loop(name: str, log: Logged) -> None:
    assert ours(name, log) == pytest.approx(reference(name, log), rel=1e-9, abs=1e-9)


@given(logs)
def test_at_the_ends_of_their_settings_switch_and_dros_are_dr_and_dm(log: Logged) -> None:
    for changed, end in (
        (switch(log, np.inf), dr),
        (switch(log, 0.0), dm),
        (dros(log, np.inf), dr),
        (dros(log, 0), dm),
    ):
        assert changed.value == pytest.approx(end(log).value, rel=1e-9, abs=1e-9)


@given(logs)
def test_the_logging_policy_itself_earns_what_was_earned(log: Logged) -> None:
    same = Logged(log.reward, log.propensity, log.propensity)
    assert ips(same).value == pytest.approx(log.reward.mean())
    assert snips(same).value == pytest.approx(log.reward.mean())


@given(logs, st.floats(0.1, 0.9))
def test_self_normalised_estimates_do_not_see_a_factor_of_the_weights(log: Logged, factor: float) -> None:
    scaled = Logged(log.reward, log.propensity, log.target * factor, log.q_logged, log.q_target)
    assert snips(scaled).value == pytest.approx(snips(log).value, rel=1e-9, abs=1e-9)
    assert sndr(scaled).value == pytest.approx(sndr(log).value, rel=1e-9, abs=1e-9)
    assert log.reward.min() - 1e-9 <= snips(log).value <= log.reward.max() + 1e-9


@pytest.mark.parametrize("name", ESTIMATORS)
@given(log=logs)
def test_influence_is_the_derivative_by_the_weight_of_a_row(name: str, log: Logged) -> None:
    terms = ESTIMATORS[name](log)
    assert terms.influence().sum() == pytest.approx(0, abs=1e-6)
    grown, step = np.ones(ROWS), 1e-6
    grown[3] += step
    counted = np.average(terms.base, weights=grown) + ((grown @ terms.gain) / (grown @ terms.norm)).sum()
    assert (counted - terms.value) / step * ROWS == pytest.approx(terms.influence()[3], rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("build", [ips, snips, dr, sndr])
def test_means_over_many_logs_are_the_truth(build: Callable[[Logged], estimators.Terms]) -> None:
    found = [build(clicks(seed)[0]).value - clicks(seed, 1)[1] for seed in range(100)]
    assert abs(np.mean(found)) < 3 * np.std(found) / 10 + 0.001


def test_predictions_that_are_wrong_mislead_only_the_direct_method() -> None:
    log, truth = clicks(1, 20_000)
    assert abs(dm(log).value - truth) > 0.25
    assert abs(dr(log).value - truth) < 0.02


def test_the_chosen_setting_trades_bias_for_variance() -> None:
    rng = np.random.default_rng(3)
    propensity = rng.choice([0.5, 0.001], size=3000, p=[0.995, 0.005])
    q = np.full(3000, 0.5)
    log = Logged((rng.random(3000) < 0.5) * 1.0, propensity, np.full(3000, 0.5), q, q)
    assert dros(log).base.std() < dr(log).base.std()
    even = Logged(log.reward, np.full(3000, 0.5), np.full(3000, 0.5), q - 0.4, q)
    assert estimators.chosen_lam(even) == np.inf
    assert estimators.chosen_tau(even) == 1.0


def test_a_difference_of_two_estimates_is_that_of_its_rows() -> None:
    log, _ = clicks(2)
    gain = snips(log).minus(dr(log))
    assert gain.value == pytest.approx(snips(log).value - dr(log).value)
    assert gain.influence() == pytest.approx(snips(log).influence() - dr(log).influence())


def test_what_is_wrong_with_a_log_is_told_at_once() -> None:
    with pytest.raises(DataError) as told:
        Logged(np.array([1.0, np.nan]), np.array([0.5, 0.0]), np.array([0.5, 1.5]))
    assert [p.code for p in told.value.problems] == ["OFFP-01"] * 3
    assert "propensity is wrong in 1 of 2 rows (first: 1)" in str(told.value)
    with pytest.raises(DataError, match=r"the arrays are reward \[2\], propensity \[1\], target \[2\]"):
        Logged(np.ones(2), np.ones(1), np.ones(2))
    with pytest.raises(DataError, match="OFFP-01"):
        Logged(np.ones(0), np.ones(0), np.ones(0))


def test_without_propensities_only_predictions_can_tell() -> None:
    log = Logged(np.ones(3), None, np.ones(3), np.ones(3), np.full(3, 0.5))
    assert dm(log).value == 0.5
    with pytest.raises(DataError, match="OFFP-02"):
        ips(log)
    with pytest.raises(DataError, match="OFFP-03"):
        dr(Logged(np.ones(3), np.ones(3), np.ones(3)))


def test_whole_policies_give_rows_and_what_they_lack() -> None:
    logging, target = np.array([[0.5, 0.5, 0.0]] * 2), np.array([[0.2, 0.3, 0.5]] * 2)
    log = Logged.of_actions(np.array([0, 1]), np.array([1.0, 0.0]), logging, target, np.array([[1.0, 2.0, 4.0]] * 2))
    assert log.weights == pytest.approx([0.4, 0.6])
    assert log.q_logged == pytest.approx([1.0, 2.0])
    assert log.q_target == pytest.approx([2.8, 2.8])
    assert log.unsupported == pytest.approx([0.5, 0.5])


def obd(folder: Path, logged: str, shop: str) -> Logged:
    """Return the log of Open Bandit towards the policy `random`, or from it towards the share of clicks of an item."""
    frame = pl.read_parquet(folder / f"{logged}_{shop}.parquet")
    items = pl.read_parquet(folder / f"items_{shop}.parquet").height
    item, click = frame["item_id"].to_numpy(), frame["click"].to_numpy().astype(float)
    seen = np.bincount(item, minlength=items)
    rate = (np.bincount(item, click, items) + 1) / (seen + 200)
    policy = np.full(items, 1 / items) if logged == "bts" else rate / rate.sum()
    propensity = frame["propensity_score"].to_numpy()
    rows = np.full(len(item), float(policy @ rate))
    return Logged(click, propensity, policy[item], rate[item], rows)


@pytest.mark.realdata
@pytest.mark.parametrize("logged", ["random", "bts"])
@pytest.mark.parametrize("shop", ["men", "women"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_on_open_bandit_it_equals_a_plain_loop(
    name: str, shop: str, logged: str, real_data: Callable[[str], Path]
) -> None:
    log = obd(real_data("obd"), logged, shop)
    assert ours(name, log) == pytest.approx(reference(name, log), rel=1e-9, abs=1e-9)
