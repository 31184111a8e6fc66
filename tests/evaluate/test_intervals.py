"""Bootstrap intervals: what they must hold, and how often they hold the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.evaluate.catalogue import catalogue_coverage, gini, jackknife
from paretail.evaluate.intervals import bootstrap, paired_difference


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.lists(st.one_of(st.floats(0, 1), st.just(np.nan)), min_size=1, max_size=30))
def test_the_interval_lies_within_the_values(values: list[float]) -> None:
    column = np.array(values)
    found = bootstrap(column[:, None], rng(), resamples=50)
    there = column[~np.isnan(column)]
    assert found.n[0] == len(there)
    if not len(there):
        assert np.isnan([found.mean[0], found.low[0], found.high[0]]).all()
        return
    assert found.mean[0] == pytest.approx(there.mean())
    assert there.min() - 1e-6 <= found.low[0] <= found.high[0] <= there.max() + 1e-6


def test_it_equals_a_plain_bootstrap() -> None:
    values = rng(1).random((40, 2))
    values[::3, 1] = np.nan
    found = bootstrap(values, rng(), resamples=200)
    draws = rng().integers(40, size=(200, 40))
    means = np.nanmean(values[draws], axis=1)
    assert found.low == pytest.approx(np.percentile(means, 2.5, axis=0), abs=1e-6)
    assert found.high == pytest.approx(np.percentile(means, 97.5, axis=0), abs=1e-6)


def test_it_holds_the_truth_about_as_often_as_it_says() -> None:
    samples = rng(2).random((200, 400)) < 0.3
    found = [bootstrap(sample[:, None].astype(float), rng(n), resamples=300) for n, sample in enumerate(samples)]
    inside = np.mean([part.low[0] <= 0.3 <= part.high[0] for part in found])
    assert 0.90 <= inside <= 0.99


def test_users_without_value_widen_nothing() -> None:
    with_holes = np.concatenate([rng(3).random(500), np.full(500, np.nan)])
    found = bootstrap(with_holes[:, None], rng())
    error = np.nanstd(with_holes) / np.sqrt(500)
    assert found.high[0] - found.low[0] == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_no_users_no_interval() -> None:
    found = bootstrap(np.empty((0, 3)), rng())
    assert found.n.tolist() == [0, 0, 0]
    assert np.isnan(found.mean).all()


def test_a_paired_difference_is_narrower_than_its_parts() -> None:
    base = rng(4).random(2000)
    better = base + 0.01 + 0.01 * rng(5).standard_normal(2000)
    found = paired_difference(better, base, rng())
    assert found.mean == pytest.approx(0.01, abs=0.001)
    assert found.standard_error == pytest.approx(0.01 / np.sqrt(2000), rel=0.1)
    assert found.low == pytest.approx(found.mean - 1.96 * found.standard_error, abs=1e-4)
    assert 0 < found.low < found.high
    assert paired_difference(np.array([1.0, np.nan]), np.array([0.5, 1.0]), rng()).n == 1


def test_the_jackknife_knows_how_much_coverage_and_gini_vary() -> None:
    weight = 1 / np.arange(1, 301)

    def lists(seed: int) -> np.ndarray:
        return rng(seed).choice(300, size=(400, 5), p=weight / weight.sum()).astype(np.int32)

    for measure in (catalogue_coverage, gini):
        true = np.std([measure(np.bincount(lists(seed).ravel(), minlength=300)) for seed in range(200)])
        ends = [jackknife(measure, lists(seed), 300, rng(seed)) for seed in range(30)]
        said = np.mean([(high - low) / (2 * 1.96) for _, low, high in ends])
        assert said == pytest.approx(true, rel=0.4)
        assert all(low <= value <= high for value, low, high in ends)


def test_one_list_has_a_value_and_no_interval() -> None:
    value, low, high = jackknife(catalogue_coverage, np.array([[0, 1, -1]], dtype=np.int32), 4, rng())
    assert value == 0.5
    assert np.isnan([low, high]).all()
