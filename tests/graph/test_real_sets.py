"""The graph of a real log has its known sizes."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from paretail.data.types import Events, Links, Shop
from paretail.graph.shopgraph import ShopGraph


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "sizes", "events", "friends"),
    [("gowalla", (29_858, 40_981), 810_128, 0), ("lastfm", (1_892, 15_331), 74_321, 2 * 10_132)],
)
def test_sizes(real_data: Callable[[str], Path], name: str, sizes: tuple[int, int], events: int, friends: int) -> None:
    folder = real_data(name)
    log = pl.read_parquet(folder / "events.parquet").select(
        "user_id", "item_id", kind="event", ts_ms=pl.lit(0, pl.Int64), quantity=pl.lit(1.0)
    )
    known = Shop(Events(log))
    if friends:
        known = Shop(Events(log), links=Links(pl.read_parquet(folder / "links.parquet")))
    graph = ShopGraph.build(known, known.user_vocabulary(), known.item_vocabulary())
    assert (graph.users, graph.items) == sizes
    assert len(graph.history.item_idx) == events
    assert graph.interactions(dict.fromkeys(graph.history.kinds, 1.0)).nnz == events, "no pair occurs twice"
    assert sum(len(edges) for edges in graph.edges.values()) == friends
