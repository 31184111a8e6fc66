"""Small shops written as files, and read as a user would have them read."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from paretail.data.config import DataConfig
from paretail.data.ingest import Examined, examine

#: 2024-06-01 12:00 UTC, what the tests take for now.
NOW_MS = 1_717_243_200_000
Rows = Sequence[Mapping[str, Any]]


@pytest.fixture
def looked_at(tmp_path: Path) -> Callable[..., Examined]:
    """Write tables as Parquet, read them with the settings given, and return what was found."""

    def look(events: Rows, *, items: Rows = (), users: Rows = (), links: Rows = (), **settings: Any) -> Examined:
        tables = {"events": events, "items": items, "users": users, "links": links}
        given = {name: rows for name, rows in tables.items() if rows}
        for name, rows in given.items():
            pl.DataFrame(list(rows), infer_schema_length=None, strict=False).write_parquet(tmp_path / f"{name}.parquet")
        paths = {name: f"{name}.parquet" for name in given}
        return examine(DataConfig.parse({**paths, **settings}), tmp_path, now=NOW_MS)

    return look


@pytest.fixture
def healthy() -> Callable[..., list[dict[str, Any]]]:
    """Return events without a flaw: 200 users over 30 days, each viewing and then buying six of 20 items."""

    def rows(**more: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for user in range(200):
            for step in range(6):
                who = {"user_id": f"u{user}", "item_id": f"i{(user * 3 + step * 7) % 20}"}
                ts = 1_714_557_600 + (user + step * 5) % 30 * 86_400 + user * 61
                found += [{**who, "event": "view", "ts": ts, **more}, {**who, "event": "buy", "ts": ts + 300, **more}]
        return found

    return rows
