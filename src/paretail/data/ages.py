"""Ages: which items are young enough to be listed, where a shop's items live for days (articles, offers)."""

import numpy as np
from numpy.typing import NDArray

from paretail.core.clock import DAY_MS
from paretail.core.errors import Problem, UsageError


def young(created_ts_ms: NDArray[np.int64], now_ms: int, max_age_days: float) -> NDArray[np.bool_]:
    """Return which items are at most so old; one whose `created_ts_ms` is 0, of unknown age, counts as young.

    Raises UsageError (FILT-04) where the age of no item is known, and for an age that is none.
    """
    if not max_age_days > 0:
        raise UsageError(Problem("FILT-04", f"a greatest age of {max_age_days:g} days", "More than 0", "Correct it"))
    if not created_ts_ms.any():
        do = "Map a column to `created` in [data.columns.items], or ask without a greatest age"
        found = f"a greatest age of {max_age_days:g} days, and no item tells since when it is sold"
        raise UsageError(Problem("FILT-04", found, "Items with `created`", do))
    unknown: NDArray[np.bool_] = created_ts_ms == 0
    return unknown | (created_ts_ms >= now_ms - max_age_days * DAY_MS)
