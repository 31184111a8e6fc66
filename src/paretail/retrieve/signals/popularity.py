"""Popularity: what many people want, at all times, of late, or around a day.

pop(i) = sum over events of i of weight(kind) e^(-age / tau); without tau each user counts once.
"""

import numpy as np
from scipy import sparse

from paretail.core.clock import DAY_MS
from paretail.retrieve.signals.ground import Ground, totals
from paretail.retrieve.signals.matrix import Matrix, Sparse
from paretail.retrieve.signals.profiles import age_days, decayed, kind_weights


def of_target(ground: Ground) -> Matrix:
    """Users who did the target kind with the item."""
    return _row(totals(ground.targets, 0))


def of_all(ground: Ground) -> Matrix:
    """The weights of all that users did with the item."""
    return _row(totals(ground.union, 0))


def lately(ground: Ground, tau_days: float) -> Matrix:
    """All that was done with the item, decayed by age."""
    return _row(totals(decayed(tau_days)(ground.history, ground.scene), 0))


def by_day(ground: Ground) -> Matrix:
    """[days, items]: all that was done with the item on each day of the log; for the profile `then`."""
    history, scene = ground.history, ground.scene
    weight = kind_weights(history, scene)[history.kind]
    day = history.ts_ms // DAY_MS - scene.first_day
    entries = sparse.csr_array((weight, (day, history.item_idx)), (scene.days, ground.items))
    entries.eliminate_zeros()
    return Sparse(entries)


def momentum(ground: Ground, tau_days: float) -> np.ndarray:
    """Return the decayed popularity of each item under the target kind, to weigh what a user already had."""
    history = ground.history
    chosen = history.kind == history.kinds.index(ground.target)
    age = age_days(history, ground.scene)[chosen]
    return np.bincount(history.item_idx[chosen], np.exp(-age / tau_days), ground.items)


def _row(scores: np.ndarray) -> Matrix:
    return Sparse(sparse.csr_array(scores[None].astype(np.float32)))
