"""Streams depend on their name and the seed alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from paretail.core.rng import rng_for


@given(st.text(), st.integers(0, 2**62))
def test_same_name_and_seed_same_numbers(name: str, seed: int) -> None:
    assert np.array_equal(rng_for(name, seed).random(4), rng_for(name, seed).random(4))


def test_another_name_or_seed_other_numbers() -> None:
    drawn = {rng_for(name, seed).integers(2**62) for name in ("a/b", "a/c", "a", "") for seed in (0, 1, 2)}
    assert len(drawn) == 12


def test_the_numbers_stay_from_version_to_version() -> None:
    """A bundle is reproducible from its seed only as long as these hold."""
    assert rng_for("retrieve/negatives", 7).integers(0, 1000, 5).tolist() == [676, 643, 940, 563, 952]
