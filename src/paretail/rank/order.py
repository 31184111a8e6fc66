"""Order: what followed from a list is put behind it in the log that features count, where a slow clock says otherwise.

    t' = t_list   of an event that names the list (`request_id`, item) and lies up to a day before it

`data/attribution` ties such an event to the list: it is the list's own answer, and features of the list count all that
lies before it. Features as of the earlier of the two would not do: the moments of answered lists would then lie before
those of others, and tell the answer themselves; nor would leaving the event untied: a shop whose clock is slow by an
hour would seem to sell nothing. No paper.
"""

from dataclasses import replace

import numpy as np
import polars as pl

from paretail.data.attribution import early
from paretail.data.types import Events, History
from paretail.graph.shopgraph import ShopGraph
from paretail.rank.examples import shown_of

KEY = ("user", "item", "kind", "ts_ms")


def in_order(graph: ShopGraph, events: Events) -> History:
    """Return the graph's log with the answers of each list behind it; the same log where they all are.

    `events` are those that the graph was built from.
    """
    users, items, history = graph.nodes["user"], graph.nodes["item"], graph.history
    late = early(shown_of(events.frame, users, items), events.frame)
    if not late.height:
        return history
    kinds = {kind: place for place, kind in enumerate(history.kinds)}
    found = late.select(
        user=pl.Series(users.rows(late["user_id"])).cast(pl.Int32),
        item=pl.Series(items.rows(late["item_id"])).cast(pl.Int32),
        kind=pl.col("kind").replace_strict(kinds, default=None, return_dtype=pl.UInt8), ts_ms="ts_ms",
        shown_ms="shown_ms",
    )  # fmt: skip
    log = pl.DataFrame(
        {"user": history.user_idx, "item": history.item_idx, "kind": history.kind, "ts_ms": history.ts_ms}
    )
    moved = log.join(found.group_by(KEY).agg(pl.col("shown_ms").max()), on=KEY, how="left", maintain_order="left")
    ts_ms = moved.select(pl.coalesce("shown_ms", "ts_ms")).to_series().to_numpy()
    order = np.lexsort((moved["shown_ms"].is_not_null().to_numpy(), ts_ms, history.user_idx))
    return replace(replace(history, ts_ms=ts_ms).picked(order, history.indptr), about=history.about)
