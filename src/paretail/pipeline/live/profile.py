"""Profile: a user's interests in words and numbers, newer events weighing more.

    share(c) = sum over events on items of c of w / sum over all events of w,   w = w(kind) 2^(-age / HALF_LIFE_DAYS)

`w(kind)` is `graph.interactions.STRENGTH`. Ages count from the user's newest event; without clock time all are 0.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from paretail.core.clock import DAY_MS
from paretail.data.stores.base import Store
from paretail.graph.interactions import STRENGTH
from paretail.pipeline.live.bodies import Interest, PriceLevel
from paretail.pipeline.live.engine import Engine, Past

HALF_LIFE_DAYS: Final = 30.0
#: Interests told.
MOST: Final = 10
Weights = NDArray[np.float64]


def weights(engine: Engine, past: Past) -> Weights:
    """Return the weight of each event."""
    history = engine.recommender.history
    strength = np.array([STRENGTH.get(kind, 1.0) for kind in history.kinds])[past.kind]
    if history.time != "clock" or not len(past.ts_ms):
        return strength
    return np.asarray(strength * np.exp2((past.ts_ms - past.ts_ms.max()) / DAY_MS / HALF_LIFE_DAYS), np.float64)


def categories(engine: Engine, past: Past) -> list[Interest]:
    """Return the narrowest categories of the user's items, the strongest first."""
    codes = engine.shelf.category_codes[past.item_idx]
    depth = (codes >= 0).sum(axis=1)
    narrowest = np.where(depth > 0, np.take_along_axis(codes, np.maximum(depth - 1, 0)[:, None], 1)[:, 0], -1)
    return _interests(narrowest, engine.shelf.category_words, weights(engine, past))


def brands(engine: Engine, past: Past) -> list[Interest]:
    """Return the brands of the user's items, the strongest first."""
    return _interests(engine.shelf.brand_codes[past.item_idx], engine.shelf.brand_words, weights(engine, past))


def price_level(engine: Engine, past: Past) -> PriceLevel | None:
    """Return what the user's distinct items cost; None where no price is known."""
    catalogue = engine.shelf.price_minor
    prices = catalogue[np.unique(past.item_idx)]
    prices, known = prices[prices >= 0], catalogue[catalogue >= 0]
    if not len(prices):
        return None
    low, median, high = (round(float(value) / engine.minor, 2) for value in np.quantile(prices, [0.1, 0.5, 0.9]))
    return PriceLevel(low, median, high, round(float((known < np.median(prices)).mean()), 3))


def in_words(
    events: Counter[str], interests: list[Interest], liked: list[Interest], price: PriceLevel | None, currency: str
) -> str:
    """Return the profile as a sentence or two."""
    if not events:
        return "Nothing is known yet."
    done = ", ".join(f"{count:,} {kind}{'' if count == 1 else 's'}" for kind, count in events.most_common())
    told = [f"{done}."]
    if interests:
        told.append(f"Most interested in {_listed(interests)}.")
    if liked:
        told.append(f"Favourite brands: {_listed(liked)}.")
    if price is not None:
        level = "cheaper" if price.percentile < 1 / 3 else "dearer" if price.percentile > 2 / 3 else "middle"
        told.append(f"Typical price {price.median:.2f} {currency}, in the {level} third of the catalogue.")
    return " ".join(told)


def _listed(interests: list[Interest]) -> str:
    return ", ".join(f"{interest.name} ({interest.share:.0%})" for interest in interests[:3])


def _interests(codes: NDArray[np.int32], words: Sequence[str], weight: Weights) -> list[Interest]:
    known = codes >= 0
    if not known.any():
        return []
    total = np.bincount(codes[known], weight[known], len(words))
    count = np.bincount(codes[known], minlength=len(words))
    order = [int(code) for code in np.argsort(-total, kind="stable")[:MOST] if total[code] > 0]
    return [Interest(words[code], round(float(total[code] / weight.sum()), 4), int(count[code])) for code in order]


def attributes_of(user_id: str, engine: Engine, store: Store) -> dict[str, Any]:
    """Return what the shop knows of a user: the store's document, else the bundle's row."""
    kept = store.document("users", user_id)
    if kept is not None:
        return dict(msgspec.json.decode(kept)["attributes"])
    if (row := engine.user_row(user_id)) < 0:
        return {}
    known = engine.recommender.user_table.row(row, named=True)
    return {name: value for name, value in known.items() if name != "user_id" and value is not None}
