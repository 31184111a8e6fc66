"""Integers stand for vectors: exactly what the rounded numbers say, and nearly what the vectors said."""

import numpy as np
import pytest

from paretail.retrieve.sequences.int8 import BLOCK, Packed, rounded


@pytest.mark.parametrize("items", [1, BLOCK, 3 * BLOCK + 17])
@pytest.mark.parametrize("dim", [1, 7, 64])
def test_scores_are_those_of_the_rounded_numbers(items: int, dim: int) -> None:
    rng = np.random.default_rng(dim)
    vectors, asked = (rng.standard_normal((n, dim)).astype(np.float32) for n in (items, 3))
    bias = rng.standard_normal(items).astype(np.float32)
    found = Packed.of(vectors).scores(asked, bias)
    (q, s), (p, t) = rounded(vectors), rounded(asked)
    expected = (p.astype(np.int64) @ q.T.astype(np.int64)) * t[:, None].astype(np.float64) * s + bias
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found, asked @ vectors.T + bias, atol=0.02 * dim)


def test_the_largest_numbers_do_not_overflow() -> None:
    vectors = np.full((5, 64), -1.0, np.float32)
    assert Packed.of(vectors).scores(np.full((1, 64), 1.0, np.float32), np.zeros(5, np.float32)) == pytest.approx(-64)


def test_vectors_come_back_within_half_a_step() -> None:
    vectors = np.random.default_rng(0).standard_normal((300, 9)).astype(np.float32)
    vectors[7] = 0
    packed = Packed.of(vectors)
    assert np.abs(packed.vectors(9) - vectors).max() <= packed.scale.max() / 2 + 1e-6
    assert not packed.vectors(9)[7].any()
    assert packed.numbers.nbytes < vectors.nbytes / 2


def test_nobody_asks() -> None:
    assert Packed.of(np.ones((4, 2), np.float32)).scores(
        np.empty((0, 2), np.float32), np.zeros(4, np.float32)
    ).shape == (0, 4)
