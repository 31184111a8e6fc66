"""A hybrid of a filter, a graph network and content: each counts for those whom it helps."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from paretail.core.clock import DAY_MS
from paretail.core.progress import silent
from paretail.core.rng import rng_for
from paretail.data.types import EVENT_COLUMNS, Catalogue, Events, Shop, Users
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Question
from paretail.retrieve.models.hybrid import Hybrid, HybridConfig
from paretail.retrieve.segments import SEGMENTS

LIGHT, HEAVY, THEMES, OF_THEME, RING, STEPS = 320, 160, 8, 60, 80, 24
CONTENT = {"dim": 16, "alpha": 5.0, "weight_decay": 3.0, "epochs": 3, "item_shrinkage": 5.0, "user_shrinkage": 1.0}
#: A filter that knows what follows what, and no titles.
FILTER = {"modes": {"target": {"theta": {"after 1|last": 1.0, "co target|all": 0.3}}}, "borrowed": 0.0}
MEMBERS: dict[str, dict[str, Any]] = {
    "blend": FILTER, "lightgcn": {"dim": 8, "epochs": 2, "batch_size": 1024, "negatives": 64}, "content": CONTENT,
}  # fmt: skip


def graph() -> ShopGraph:
    """Plant a shop where some buy one item after the other of a ring, and others a few of a theme that titles tell.

    Of people of a theme hardly two buy the same item; titles of the ring say nothing.
    """
    rng = rng_for("tests/hybrid/segments", 0)
    bought = [(rng.integers(RING) + np.arange(STEPS)) % RING for _ in range(HEAVY)]
    bought += [RING + n % THEMES * OF_THEME + rng.permutation(OF_THEME)[:5] for n in range(LIGHT)]
    rows = [(f"u{user}", f"i{item}", 1_760_000_000_000 + (place if place < len(items) - 2 else 90 + place) * DAY_MS)
            for user, items in enumerate(bought) for place, item in enumerate(items)]  # fmt: skip
    words = [f"{rng.integers(9999)} {rng.integers(9999)}" for _ in range(RING)]
    words += [f"theme{n // OF_THEME} {rng.integers(9999)}" for n in range(THEMES * OF_THEME)]
    frame = pl.DataFrame(rows, ["user_id", "item_id", "ts_ms"], orient="row").with_columns(kind=pl.lit("purchase"))
    absent = [pl.lit(None, dtype=kind).alias(name) for name, kind in EVENT_COLUMNS.items() if name not in frame.columns]
    events = Events(frame.with_columns(absent).select(list(EVENT_COLUMNS)), "clock")
    catalogue = Catalogue(pl.DataFrame({"item_id": [f"i{n}" for n in range(len(words))], "title": words}))
    shop = Shop(events, catalogue, Users(pl.DataFrame({"user_id": [f"u{n}" for n in range(len(bought))]})))
    return ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())


@pytest.mark.slow
def test_content_counts_more_for_those_whom_events_tell_little_of() -> None:
    choice = Hybrid.choose(graph(), Question("purchase", False, ("purchase",)), {"members": MEMBERS}, 0, 16.0, silent)
    assert isinstance(choice.config, HybridConfig)
    told, weights = choice.metrics["target"], choice.config.blending("target").segments
    assert len(weights) == len(SEGMENTS)
    few, many = (row["content"] / sum(row.values()) for row in (weights[1], weights[3]))
    assert few > many + 0.1
    assert told["ndcg"] > max(told["alone"].values())
    assert set(told["alone"]) == set(MEMBERS)
