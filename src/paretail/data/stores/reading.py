"""Reading a store as of one moment: history and what is live, together."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from paretail.data.stores import documents, lists, live
from paretail.data.stores.base import Kind, StoredEvent
from paretail.data.stores.database import View
from paretail.data.stores.index import LiveIndex, user_hashes
from paretail.data.stores.merging import followed

_WARM = ("user_id", "item_id", "kind", "ts_ms", "quantity")
_ACTED = pl.col("kind") != "impression"

_COUNTS = {
    "events_live": "SELECT count(*) FROM event WHERE seq > (SELECT value FROM state WHERE name = 'covered')",
    "events_history": "SELECT value FROM state WHERE name = 'history_events'",
    "lists": "SELECT count(*) FROM shown",
    "merges": "SELECT count(*) FROM merge",
    "impressions_lost": "SELECT value FROM state WHERE name = 'lost'",
}


def recent(view: View, index: LiveIndex, user_ids: Sequence[str], most: int) -> dict[str, list[StoredEvent]]:
    """Return the newest `most` events of each user, oldest first; impressions left out."""
    found: dict[str, list[StoredEvent]] = {user: [] for user in user_ids}
    if view.history is not None:
        for row in view.history.of_users(list(found), _ACTED & view.kept()).iter_rows():
            found[row[0]].append(StoredEvent._make(row))
    seqs = index.seqs(view.connection, view.head.covered, user_hashes(found))
    for event in live.at(view.connection, seqs.tolist()):
        if event.user_id in found:
            found[event.user_id].append(event)
    return {user: _last(events, most) for user, events in found.items()}


def shown_to(view: View, index: LiveIndex, user_id: str, most: int) -> list[tuple[int, str]]:
    """Return (ts_ms, item_id) of the newest `most` impressions of a user, told as events or by lists, oldest first."""
    found = lists.to_user(view.connection, user_id, most)
    if view.history is not None and view.history.tells_shown:
        rows = view.history.of_users([user_id], ~_ACTED & view.kept())
        found += rows.select("ts_ms", "item_id").rows()
    seqs = index.seqs(view.connection, view.head.covered, user_hashes([user_id])).tolist()
    told = live.at(view.connection, seqs, impressions=True) if seqs else []
    found += [(event.ts_ms, event.item_id) for event in told if event.user_id == user_id]
    return sorted(found, key=lambda row: row[0])[max(0, len(found) - most) :]


def _last(events: list[StoredEvent], most: int) -> list[StoredEvent]:
    return sorted(events, key=lambda event: event.ts_ms)[max(0, len(events) - most) :]


def newest(view: View, users: int, most: int) -> pl.DataFrame:
    """Return the newest `most` events of the `users` seen last, user by user, the user seen last at the end."""
    events = live.read(view.connection, view.head.covered, _WARM, "kind <> 'impression'")
    if view.history is not None:
        events = pl.concat([view.history.read(_ACTED & view.kept(), _WARM), events])
    return newest_of(events, users, most)


def newest_of(events: pl.DataFrame, users: int, most: int) -> pl.DataFrame:
    """Return the newest `most` events of the `users` seen last, user by user, the user seen last at the end."""
    seen = events.group_by("user_id").agg(pl.col("ts_ms").max().alias("seen")).sort("seen", "user_id").tail(users)
    ranked = events.join(seen.select("user_id").with_row_index("rank"), on="user_id", maintain_order="left")
    ordered = ranked.sort("rank", "ts_ms", maintain_order=True)
    rank = ordered["rank"].to_numpy()
    ends = np.cumsum(np.bincount(rank, minlength=seen.height))
    return ordered.filter(pl.Series(ends[rank] - np.arange(len(rank)) <= most)).drop("rank")


def events(view: View, since_ms: int, until_ms: int, impressions: bool) -> pl.DataFrame:
    """Return all events as EVENT_COLUMNS with since <= ts_ms < until, by time; merges followed."""
    between = "ts_ms >= ? AND ts_ms < ?"
    found = [live.read(view.connection, view.head.covered, where=between, values=(since_ms, until_ms))]
    if view.history is not None:
        asked = (pl.col("ts_ms") >= since_ms) & (pl.col("ts_ms") < until_ms)
        found.insert(0, view.history.read(asked & view.kept()))
    if impressions:
        found.append(lists.impressions(lists.read(view.connection, since_ms, until_ms)))
    return followed(pl.concat(found).sort("ts_ms", maintain_order=True), view.merges())


def counts(view: View) -> dict[str, int]:
    """Return how many there are of what."""
    kinds: tuple[Kind, ...] = ("items", "users")
    documented = {kind: documents.count(view.connection, kind) for kind in kinds}
    return {name: view.connection.execute(query).fetchone()[0] for name, query in _COUNTS.items()} | documented
