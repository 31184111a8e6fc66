"""Freshness: items that live for days (articles, offers), of which the newest count most.

    new D      1 -> 2^(-age(i) / D days),   age(i) = the moment of the newest event less the birth of i

An item is born when the catalogue says (`created`), else at its first event; one that is not born yet counts nothing.
Half-lives of 1, 3 and 10 days are mixed by learned weights; settings may name any other (`new 2.5d`). Source:
exponential forgetting as in Y. Ding, X. Li, "Time weight collaborative filtering", 2005, doi:10.1145/1099554.1099689.
Deviations: the age of the item counts, not that of an event; by half-lives.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.clock import DAY_MS
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.signals.ground import Ground
from paretail.retrieve.signals.matrix import Matrix, Sparse

#: Items are short-lived where half of all events come within this share of the log's days after the item's birth.
SHORT_LIFE: Final = 0.1


def young(ground: Ground, half_life_days: float) -> Matrix:
    """Every item by its age alone."""
    age_days = (ground.scene.now_ms - birth_ms(ground)) / DAY_MS
    score = np.where(age_days >= 0, np.exp2(-np.maximum(age_days, 0) / half_life_days), 0)
    return Sparse(sparse.csr_array(score[None].astype(np.float32)))


def fleeting(ground: Ground) -> bool:
    """Say whether the shop's items are short-lived."""
    ts_ms = ground.history.ts_ms
    if not ground.timed or not len(ts_ms):
        return False
    return bool(np.median(_ages(ground)) < SHORT_LIFE * np.ptp(ts_ms))


def window_days(ground: Ground) -> float | None:
    """Return for how many days short-lived items can be foretold: twice their median age at events, a day at least."""
    return max(2 * float(np.median(_ages(ground))) / DAY_MS, 1.0) if fleeting(ground) else None


def created_of(graph: ShopGraph) -> NDArray[np.int64] | None:
    """Return when items came into being, 0 where the catalogue does not tell; None where it has no such column."""
    table = graph.tables.get("item")
    if table is None or "created_ts_ms" not in table.columns:
        return None
    return table["created_ts_ms"].fill_null(0).to_numpy().astype(np.int64)


def birth_ms(ground: Ground) -> NDArray[np.int64]:
    """Return when each item was born; one of which nothing is known in the far future."""
    born = np.full(ground.items, np.iinfo(np.int64).max // 2)
    np.minimum.at(born, ground.history.item_idx, ground.history.ts_ms)
    told = ground.created_ms
    return born if told is None else np.where(told > 0, told, born)


def _ages(ground: Ground) -> NDArray[np.int64]:
    """Return how old its item is at each event, in milliseconds."""
    ts_ms = ground.history.ts_ms
    return ts_ms - np.minimum(birth_ms(ground)[ground.history.item_idx], ts_ms)
