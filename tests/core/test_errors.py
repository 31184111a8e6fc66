"""Errors carry every problem, and each says found, expected, do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.core.errors import BundleError, ConfigError, DataError, ParetailError, Problem, UsageError, nearest

ONE = Problem("DATA-07", "events.csv: 3 rows have price < 0", "Prices must be 0 or more", "Map refunds")


def test_a_problem_reads_as_one_line_that_ends_in_its_code() -> None:
    assert str(ONE) == "events.csv: 3 rows have price < 0. Prices must be 0 or more. Map refunds. (DATA-07)"
    asking = Problem("CONF-01", "'sede' is not a setting", "Expected one of seed; did you mean 'seed'?", "Rename it")
    assert str(asking) == "'sede' is not a setting. Expected one of seed; did you mean 'seed'? Rename it. (CONF-01)"


def test_an_error_carries_every_problem() -> None:
    two = [ONE, Problem("DATA-08", "b", "c", "d")]
    error = DataError(two)
    assert error.problems == tuple(two)
    assert str(error).splitlines() == [str(problem) for problem in two]
    assert DataError(ONE).problems == (ONE,)


@pytest.mark.parametrize(("error", "code"), [(ConfigError, 1), (DataError, 1), (BundleError, 1), (UsageError, 2)])
def test_exit_codes(error: type[ParetailError], code: int) -> None:
    assert error.exit_code == code


def test_nearest_lists_the_options_and_guesses() -> None:
    assert nearest("purchse", ["view", "purchase"]) == "one of purchase, view; did you mean 'purchase'?"
    assert nearest("qqq", ["view", "cart"]) == "one of cart, view"
    assert nearest("x", []) == "one of (none)"


@given(st.lists(st.text(min_size=1), min_size=1))
def test_a_name_that_exists_is_its_own_nearest(names: list[str]) -> None:
    assert nearest(names[0], names).endswith(f"; did you mean {names[0]!r}?")
