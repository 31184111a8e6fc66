"""Items are young or not by what they tell; who does not tell is listed; an age that is none is refused."""

import numpy as np
import pytest

from paretail.core.clock import DAY_MS
from paretail.core.errors import UsageError
from paretail.data.ages import young

NOW = 1000 * DAY_MS


def test_young_to_the_millisecond() -> None:
    created = NOW + np.array([-3 * DAY_MS, -3 * DAY_MS - 1, -1, 0, DAY_MS, -NOW], np.int64)
    assert young(created, NOW, 3).tolist() == [True, False, True, True, True, True]
    assert young(created, NOW, 0.5).tolist() == [False, False, True, True, True, True]


@pytest.mark.parametrize("days", [0, -1, float("nan")])
def test_no_age_at_all_is_refused(days: float) -> None:
    with pytest.raises(UsageError, match=r"More than 0.*FILT-04"):
        young(np.ones(2, np.int64), NOW, days)


def test_a_catalogue_without_ages_is_told_what_to_map() -> None:
    with pytest.raises(UsageError, match=r"greatest age of 3 days, and no item.*data.columns.items.*FILT-04"):
        young(np.zeros(2, np.int64), NOW, 3)
