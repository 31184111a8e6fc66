"""Random numbers by counter, alias tables, samples without replacement: right frequencies, same seed same numbers."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from paretail.graph.chance import (
    AliasTables,
    below,
    by_weight,
    choose,
    draw_entries,
    fraction,
    inner,
    key_for,
    mix,
    permuted,
)


def test_the_mixer_is_that_of_splitmix64() -> None:
    """The first two outputs of SplitMix64 with state 0, from the reference code: mix(γ) and mix(2γ)."""
    gamma = 0x9E3779B97F4A7C15
    assert int(mix(np.uint64(gamma))) == 0xE220A8397B1DCDAF
    assert int(mix(np.uint64(2 * gamma % 2**64))) == 0x6E789E6AA1B965F4


def test_keys_follow_from_name_seed_and_numbers() -> None:
    keys = {
        key_for("a", 0),
        key_for("b", 0),
        key_for("a", 1),
        key_for("a", 0, 0),
        key_for("a", 0, 1),
        key_for("a", 0, 0, 0),
    }
    assert len(keys) == 6
    assert key_for("a", 0, 3) == key_for("a", 0, 3) == np.uint64(inner(key_for("a", 0), 3))


def test_numbers_are_spread_evenly() -> None:
    key = key_for("test", 0)
    drawn = np.array([fraction(key, n) for n in range(20_000)])
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert chisquare(np.bincount((drawn * 50).astype(int), minlength=50)).pvalue > 0.001
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 0.03
    assert {below(key, n, 3) for n in range(100)} == {0, 1, 2}


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.lists(st.sampled_from([0.0, 1e-7, 0.1, 1.0, 2.5, 1e6]), max_size=7), max_size=6))
def test_alias_tables_have_the_exact_probabilities(rows: list[list[float]]) -> None:
    bounds = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    weight = np.array([value for row in rows for value in row], np.float32)
    tables = AliasTables.of(bounds, weight)
    for row, (start, stop) in enumerate(pairwise(bounds)):
        total, size = float(weight[start:stop].astype(np.float64).sum()), stop - start
        assert tables.total[row] == pytest.approx(total)
        if total == 0:
            continue
        found = np.zeros(size)
        for entry in range(size):
            chance = float(tables.chance[start + entry])
            found[entry] += chance / size
            found[tables.other[start + entry]] += (1 - chance) / size
        assert found == pytest.approx(weight[start:stop] / total, abs=1e-6)
        assert not found[weight[start:stop] == 0].any(), "what weighs nothing is never drawn"


def test_draws_by_weight() -> None:
    weight = np.array([9.0, 1.0, 0.0, 3.0, 6.0])
    tables = AliasTables.of(np.array([0, 1, 5]), weight)
    key = key_for("test", 1)
    drawn = [by_weight(tables.chance, tables.other, 1, 5, fraction(key, n)) for n in range(5000)]
    counts = np.bincount(drawn, minlength=5)
    assert counts[0] == counts[2] == 0
    assert chisquare(counts[[1, 3, 4]], 5000 * np.array([0.1, 0.3, 0.6])).pvalue > 0.001


@pytest.mark.parametrize("weight", [[-1.0, 2.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_weights_that_are_none_are_refused(weight: list[float]) -> None:
    with pytest.raises(ValueError, match="finite and 0 or more"):
        AliasTables.of(np.array([0, 2]), np.array(weight))


@settings(deadline=None)
@given(st.integers(0, 300), st.data())
def test_a_choice_has_no_repeats(size: int, data: st.DataObject) -> None:
    out = np.full(data.draw(st.integers(0, size)), -1, np.int64)
    choose(key_for("test", size), 40, size, out)
    assert len(set(out.tolist())) == len(out)
    assert ((out >= 40) & (out < 40 + size)).all()


@pytest.mark.parametrize(("size", "wanted"), [(6, 2), (5, 3), (20, 19)])
def test_each_subset_is_equally_likely(size: int, wanted: int) -> None:
    """Two sizes for Floyd's algorithm, one for algorithm S."""
    subsets, out = dict.fromkeys(combinations(range(size), wanted), 0), np.empty(wanted, np.int64)
    for n in range(200 * len(subsets)):
        choose(np.uint64(inner(key_for("test", 0), n)), 0, size, out)
        subsets[tuple(sorted(out.tolist()))] += 1
    assert chisquare(list(subsets.values())).pvalue > 0.001


@settings(deadline=None)
@given(st.integers(1, 2000), st.integers(0, 20))
def test_an_order_without_an_array_has_every_number_once(size: int, seed: int) -> None:
    whole, part = np.empty(size, np.int64), np.empty(size // 2, np.int64)
    permuted(key_for("test", seed), 0, size, whole)
    assert sorted(whole.tolist()) == list(range(size))
    permuted(key_for("test", seed), size - size // 2, size, part)
    assert part.tolist() == whole[size - size // 2 :].tolist()


def test_each_number_is_as_likely_at_each_place() -> None:
    counts, out = np.zeros((13, 13)), np.empty(13, np.int64)
    for n in range(4000):
        permuted(np.uint64(inner(key_for("test", 2), n)), 0, 13, out)
        counts[np.arange(13), out] += 1
    assert chisquare(counts.ravel(), np.full(169, 4000 / 13), ddof=24).pvalue > 0.001
    large = np.empty(100_000, np.int64)
    permuted(key_for("test", 3), 0, 100_000, large)
    assert abs(np.corrcoef(large[1:], large[:-1])[0, 1]) < 0.01
    assert chisquare(np.histogram(large[:20_000], 50, (0, 100_000))[0]).pvalue > 0.001


def test_entries_are_drawn_by_weight_and_by_number() -> None:
    weight = np.array([9.0, 1.0, 0.0, 10.0])
    tables = AliasTables.of(np.array([0, 4]), weight)
    drawn, later = np.empty(6000, np.int64), np.empty(100, np.int64)
    draw_entries(key_for("test", 4), 0, tables.chance, tables.other, drawn)
    counts = np.bincount(drawn, minlength=4)
    assert counts[2] == 0
    assert chisquare(counts[[0, 1, 3]], 6000 * np.array([0.45, 0.05, 0.5])).pvalue > 0.001
    draw_entries(key_for("test", 4), 500, tables.chance, tables.other, later)
    assert later.tolist() == drawn[500:600].tolist()
