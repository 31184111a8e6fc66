"""Small pools with chosen or random numbers, for tests of the policy."""

from typing import Any

import numpy as np

from paretail.data.types import History
from paretail.policy.exposure import Exposures
from paretail.policy.pool import Pool, Wares

CATEGORIES, BRANDS = 4, 3


def pool(users: int = 3, cands: int = 12, seed: int = 0, **replaced: Any) -> Pool:
    """Return random candidates; each user has all items in an order of their own."""
    rng = np.random.default_rng(seed)
    item_idx = np.array([rng.permutation(cands) for _ in range(users)], np.int32)
    p_click, p_purchase = rng.uniform(0.01, 0.5, (2, users, cands)).astype(np.float32)
    order_value = np.exp(rng.normal(7, 1, (users, cands))).astype(np.float32)
    parts = {
        "item_idx": item_idx, "p_click": p_click, "p_purchase": p_purchase, "order_value": order_value,
        "wares": wares(cands, rng), "attention": 1 / (1 + 0.35 * np.arange(cands)), "past": past(users, cands, rng),
        "now_ms": 100 * 86_400_000, "exposures": Exposures(rng.integers(0, 9, cands)),
    }  # fmt: skip
    return Pool(**(parts | replaced))


def wares(items: int, rng: np.random.Generator) -> Wares:
    vectors = rng.normal(size=(items, 5)).astype(np.float32)
    return Wares(
        labels={"category": rng.integers(-1, CATEGORIES, items).astype(np.int32),
                "brand": rng.integers(0, BRANDS, items).astype(np.int32)},
        parents=np.arange(items, dtype=np.int32), margin=rng.uniform(0.1, 0.6, items).astype(np.float32),
        kept=rng.uniform(0.5, 1, items).astype(np.float32), seen_by=rng.uniform(0.01, 1, items).astype(np.float32),
        created_ts_ms=rng.integers(0, 100, items) * 86_400_000,
        vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        columns={"rating": rng.uniform(1, 5, items).astype(np.float32)},
    )  # fmt: skip


def past(users: int, items: int, rng: np.random.Generator) -> History:
    """Return some views of each user but the last, who has none."""
    counts = np.append(rng.integers(1, 6, users - 1), 0)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    events = int(indptr[-1])
    return History(indptr, rng.integers(0, items, events).astype(np.int32), np.zeros(events, np.uint8),
                   np.arange(events, dtype=np.int64), np.ones(events, np.float32), ("view",), "clock")  # fmt: skip
