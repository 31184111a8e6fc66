"""Events for tests, and the stores that the contract is tested on."""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from paretail.data.stores.base import Shown, Store, StoredEvent
from paretail.data.stores.embedded import EmbeddedStore
from paretail.data.types import EVENT_COLUMNS

#: Every kind of store: how to open the one at a place.
STORES: dict[str, Callable[[Path], Store]] = {"embedded": EmbeddedStore.open}

#: The time of the first event.
T0 = 1_700_000_000_000
DAY = 86_400_000


def event(number: int, user: str = "u1", item: str = "i1", kind: str = "view", ts_ms: int | None = None) -> StoredEvent:
    return StoredEvent(user, item, kind, T0 + number if ts_ms is None else ts_ms, f"e{number}")


def shown(number: int, items: list[str], user: str | None = "u1", session: str | None = "s1") -> Shown:
    return Shown(f"r{number}", T0 + number, user, session, "home", "v1", "greedy", items)


def table(events: list[StoredEvent]) -> pl.DataFrame:
    return pl.DataFrame(events, schema=EVENT_COLUMNS, orient="row")
