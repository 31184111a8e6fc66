"""History with new events merged in, piece by piece, so that memory does not grow with history."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from paretail.data.stores.database import View
from paretail.data.stores.index import event_digests, user_hashes
from paretail.data.stores.runs import Hashes
from paretail.data.types import EVENT_COLUMNS

#: How many rows of history are in memory at once.
PIECE = 500_000

_ORDER = ("user_id", "ts_ms")


class Merged:
    """The rows of history and of `more` that `keep` holds for; the sums are right once `pieces` has run through."""

    def __init__(self, view: View, more: pl.DataFrame, keep: pl.Expr) -> None:
        self._view, self._keep = view, keep
        kept = more.filter(keep).sort(_ORDER, maintain_order=True)
        self.new_digests: Hashes = kept["digest"].to_numpy()
        self._more = kept.drop("digest")
        self.added, self.rows, self.dropped = kept.height, 0, more.height - kept.height
        self._lost: list[Hashes] = []
        self._users: list[Hashes] = []

    def pieces(self) -> Iterator[pl.DataFrame]:
        """Return all rows by user and time, in pieces; equal times keep the order in which they came."""
        more, held = self._more, pl.DataFrame(schema=EVENT_COLUMNS)
        for piece in self._view.history.pieces(PIECE) if self._view.history else ():
            held = pl.concat([held, piece])
            last = held["user_id"][-1]  # may go on in the next piece
            ready, held = held.filter(pl.col("user_id") != last), held.filter(pl.col("user_id") == last)
            place = int(more["user_id"].search_sorted(last, side="left"))
            yield self._merge(ready, more[:place])
            more = more[place:]
        yield self._merge(held, more)

    def digests(self) -> Hashes:
        """Return the sorted digests of all rows."""
        old = self._view.history.digests if self._view.history else np.empty(0, dtype=np.uint64)
        lost = np.concatenate([np.empty(0, dtype=np.uint64), *self._lost])
        kept = old[~np.isin(old, lost)] if len(lost) else old
        return np.sort(np.concatenate([kept, self.new_digests]))

    def users(self) -> Hashes:
        """Return the sorted hashes of all users."""
        return np.unique(np.concatenate([np.empty(0, dtype=np.uint64), *self._users]))

    def _merge(self, old: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
        kept = old.filter(self._keep & self._view.kept())
        if kept.height < old.height:
            self._drop(old.filter(~(self._keep & self._view.kept())))
        whole = pl.concat([kept, more]).sort(_ORDER, maintain_order=True)
        self.rows += whole.height
        self._users.append(user_hashes(whole["user_id"].unique()))
        return whole

    def _drop(self, rows: pl.DataFrame) -> None:
        self.dropped += rows.height
        self._lost.append(event_digests(rows.select("event_id", "item_id").iter_rows()))


def with_digests(events: pl.DataFrame) -> pl.DataFrame:
    """Return `events` with the column `digest`."""
    return events.with_columns(pl.Series("digest", event_digests(events.select("event_id", "item_id").iter_rows())))
