"""A small shop with impressions whose click, purchase and value expectations are known exactly."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.clock import DAY_MS
from paretail.data.types import EVENT_COLUMNS, Catalogue, Events, Shop, Users

START = 1_760_000_000_000
SLOTS, DIM = 5, 3
SEEN = 1 / (1 + 0.5 * np.arange(SLOTS))


@dataclass(frozen=True, eq=False)
class World:
    """`p_click` at position 1, `p_purchase` given a click, `value` in minor units given a purchase, of all pairs."""

    shop: Shop
    p_click: NDArray[np.float64]
    p_purchase: NDArray[np.float64]
    value: NDArray[np.float64]


def world(
    users: int = 150, items: int = 60, requests: int = 8_000, seed: int = 0, rho: float = 1.0, buying: float = 0.5
) -> World:
    """Draw a world: tastes by category and by item, a purchase follows the price and a taste like that by `rho`."""
    rng = np.random.default_rng(seed)
    category = rng.integers(6, size=items)
    taste = _taste(rng, category, users)
    price = np.round(1000 * np.exp(0.4 * rng.normal(size=items)))
    likes = taste if rho == 1 else rho * taste + np.sqrt(1 - rho**2) * _taste(rng, category, users)
    p_click = 1 / (1 + np.exp(1.2 - 0.8 * taste))
    p_purchase = 1 / (1 + np.exp(0.6 - buying * likes + 0.8 * np.log(price / 1000)))
    user = rng.integers(users, size=requests)
    item = np.stack([rng.permutation(items)[:SLOTS] for _ in range(requests)])
    ts = np.sort(rng.integers(20 * DAY_MS, size=requests)) + START
    u, i, position = np.repeat(user, SLOTS), item.ravel(), np.tile(np.arange(SLOTS), requests)
    click = rng.random(len(u)) < p_click[u, i] * SEEN[position]
    buy = click & (rng.random(len(u)) < p_purchase[u, i])
    cart = buy | (click & (rng.random(len(u)) < 0.3 * p_purchase[u, i]))
    rows = [_rows(kind, where, u, i, position, np.repeat(ts, SLOTS), price) for kind, where in
            (("impression", click | ~click), ("click", click), ("cart", cart), ("purchase", buy))]  # fmt: skip
    catalogue = pl.DataFrame(
        {
            "item_id": [f"i{k:03d}" for k in range(items)],
            "title": [f"thing {k}" for k in category],
            "category": [[f"c{k}"] for k in category],
            "price_minor": price.astype(np.int64),
        }
    )
    people = pl.DataFrame(
        {"user_id": [f"u{k:03d}" for k in range(users)], "country": [["DE", "FR"][k % 2] for k in range(users)]}
    )
    shop = Shop(Events(pl.concat(rows).sort("ts_ms"), "clock"), Catalogue(catalogue), Users(people))
    return World(shop, p_click, p_purchase, np.broadcast_to(price, (users, items)))


def _taste(rng: np.random.Generator, category: NDArray[Any], users: int) -> NDArray[np.float64]:
    mine = rng.normal(size=(users, DIM))
    theirs = rng.normal(size=(6, DIM))[category] + 0.4 * rng.normal(size=(len(category), DIM))
    return np.asarray(mine @ theirs.T)


def _rows(kind: str, where: NDArray[np.bool_], u: Any, i: Any, position: Any, ts: Any, price: Any) -> pl.DataFrame:
    k = np.flatnonzero(where)
    bought = kind == "purchase"
    told = pl.DataFrame(
        {
            "user_id": [f"u{v:03d}" for v in u[k]], "item_id": [f"i{v:03d}" for v in i[k]], "kind": kind,
            "ts_ms": ts[k] + 1000 * ("impression", "click", "cart", "purchase").index(kind),
            "request_id": [f"r{v // SLOTS}" for v in k], "position": (position[k] + 1).astype(np.int32),
            "quantity": 1.0, "price_minor": price[i[k]].astype(np.int64) if bought else None,
        },
        schema_overrides={"price_minor": pl.Int64},
    )  # fmt: skip
    return told.with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in EVENT_COLUMNS.items() if name not in told.columns
    ).select(*EVENT_COLUMNS)
