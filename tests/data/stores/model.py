"""What a store is, in plain Python: the reference that real stores are compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from paretail.core.clock import DAY_MS
from paretail.data.stores.base import StoredEvent
from paretail.data.types import EVENT_COLUMNS


@dataclass
class Model:
    rows: list[StoredEvent] = field(default_factory=list)
    merged: dict[str, str] = field(default_factory=dict)
    erased: dict[str, int] = field(default_factory=dict)

    def append(self, events: Sequence[StoredEvent]) -> list[bool]:
        return [self._add(event) for event in events]

    def _add(self, event: StoredEvent) -> bool:
        known = any((event.event_id, event.item_id) == (row.event_id, row.item_id) for row in self.rows)
        if known or event.ts_ms <= self.erased.get(event.user_id, event.ts_ms - 1):
            return False
        self.rows.append(event)
        return True

    def root(self, user: str) -> str:
        return self.root(self.merged[user]) if user in self.merged else user

    def may_merge(self, visitor: str, user: str) -> bool:
        return user != visitor and not self._leads_to(user, [visitor])

    def merge(self, visitor: str, user: str) -> None:
        self.merged[visitor] = user

    def forget(self, users: Sequence[str], now_ms: int) -> None:
        gone = {user for user in [*self.merged, *users] if user in users or self._leads_to(user, users)}
        self.rows = [row for row in self.rows if row.user_id not in gone]
        self.merged = {v: u for v, u in self.merged.items() if v not in gone and u not in gone}
        for user in gone:
            self.erased[user] = max(now_ms, self.erased.get(user, now_ms))

    def _leads_to(self, user: str, users: Sequence[str]) -> bool:
        while user in self.merged:
            user = self.merged[user]
            if user in users:
                return True
        return False

    def compact(self, keep_days: Mapping[str, float], now_ms: int) -> None:
        def young(row: StoredEvent) -> bool:
            return row.ts_ms >= now_ms - keep_days.get(row.kind, 10**9) * DAY_MS or row.ts_ms < 10**11

        self.rows = [row for row in self.rows if young(row)]

    def recent(self, user: str, most: int) -> list[StoredEvent]:
        acted = [row for row in self.rows if row.user_id == user and row.kind != "impression"]
        return sorted(acted, key=lambda row: row.ts_ms)[-most:]

    def shown_to(self, user: str, most: int) -> list[tuple[int, str]]:
        told = [(row.ts_ms, row.item_id) for row in self.rows if row.user_id == user and row.kind == "impression"]
        return sorted(told, key=lambda row: row[0])[-most:]

    def events(self, since_ms: int, until_ms: int) -> pl.DataFrame:
        found = [row._replace(user_id=self.root(row.user_id)) for row in self.rows if since_ms <= row.ts_ms < until_ms]
        return pl.DataFrame(sorted(found, key=lambda row: row.ts_ms), schema=EVENT_COLUMNS, orient="row")
