"""The negative control loses the money that it is there to lose, and no more than the logarithm costs."""

import numpy as np

from paretail.rank.control import log_value_ratio


def test_it_loses_most_of_the_money_where_few_clicks_are_bought() -> None:
    rng = np.random.default_rng(0)
    user, item = rng.integers(20, size=4000), rng.integers(10, size=4000)
    value = np.where(rng.random(4000) < 0.2, 3000.0, 0.0)
    is_early = np.arange(4000) < 3000
    assert log_value_ratio(user, item, value, is_early) < 0.05
    assert log_value_ratio(user, item, np.full(4000, 3000.0), is_early) > 0.99


def test_without_money_there_is_no_ratio() -> None:
    some = np.arange(4)
    assert np.isnan(log_value_ratio(some, some, np.zeros(4), some < 2))
