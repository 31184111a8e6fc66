"""A file for a store is read as shop.toml reads that table, or by our own names."""

from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest

from paretail.core.errors import DataError, UsageError
from paretail.data.config import DataConfig
from paretail.data.stores.base import Store
from paretail.pipeline.feed import read, settings

SHOP = {
    "events": [
        {"path": "log/web-*.csv", "kinds": {"buy": "purchase"}, "separator": ";"},
        {"path": "till.parquet", "kind": "purchase", "format": "parquet", "precedence": 3},
    ],
    "items": ["shoes.csv", "coats.csv"],
    "columns": {"items": {"price": "cost"}},
    "currency": "JPY",
}  # fmt: skip


class Kept:
    """What a store was told."""

    def __init__(self) -> None:
        self.events: list[pl.DataFrame] = []
        self.documents: dict[str, Any] = {}

    def import_events(self, events: pl.DataFrame) -> int:
        self.events.append(events)
        return events.height - 1

    def put(self, kind: str, documents: dict[str, bytes]) -> None:
        self.documents[kind] = documents


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, text: str) -> Path:
    Path(name).write_text(text, encoding="utf-8")
    return Path(name)


def test_the_source_whose_path_fits_says_how_to_read(here: Path) -> None:
    config = DataConfig.parse(SHOP)
    web = settings("events", write("web-9.csv", ""), config)
    assert (web.events[0].separator, web.events[0].path) == (";", str(here / "web-9.csv"))
    assert (web.items, web.users, web.links, web.currency) == ((), (), (), "JPY")
    till = settings("events", write("till.parquet", ""), config).events[0]
    assert (till.kind, till.format, till.precedence) == ("purchase", None, 0)
    with pytest.raises(UsageError, match="CLI-21"):
        settings("events", write("other.csv", ""), config)
    assert settings("items", write("other.csv", ""), config).items[0].path == str(here / "other.csv")
    assert settings("users", write("other.csv", ""), config).users[0].path == str(here / "other.csv")
    with pytest.raises(UsageError, match="CLI-20"):
        settings("items", Path("none.csv"), config)


def test_a_format_is_kept_where_the_ending_says_nothing(here: Path) -> None:
    config = DataConfig.parse({"events": {"path": "x.log", "format": "csv"}})
    assert settings("events", write("day.log", ""), config).events[0].format == "csv"
    assert settings("events", write("day.jsonl.gz", ""), config).events[0].format is None
    database = DataConfig.parse({"events": {"url": "postgresql://x", "query": "select", "kind": "view"}})
    found = settings("events", write("day.csv", ""), database).events[0]
    assert (found.url, found.query, found.kind) == (None, None, "view")


def test_items_become_documents(here: Path) -> None:
    write("i.csv", "item_id,cost,colour\n" + "".join(f"i{n},{n}.4,red\n" for n in range(20)) + ",3,blue\n")
    feed = read("items", Path("i.csv"), DataConfig.parse(SHOP))
    kept = Kept()
    assert feed.put(cast("Store", kept)) == 20
    assert kept.documents["items"]["i7"] == b'{"price_minor":7,"attributes":{"colour":"red"}}'
    assert (feed.account.read, feed.account.imported) == (21, 20)
    assert feed.account.quarantined == {"missing_item_id": 1}
    assert [problem.code for problem in feed.warnings] == ["CHECK-02"]
    grave = feed.bury(here / "quarantine")
    assert grave is not None
    assert pl.read_csv(grave / "items.csv")["reason"].to_list() == ["missing_item_id"]


def test_a_handful_of_events_is_enough(here: Path) -> None:
    write("e.jsonl", '{"user_id":"u","item_id":"i","event":"buy","ts":"2024-05-01T10:00:00Z","price":2.5}\n')
    feed, kept = read("events", Path("e.jsonl")), Kept()
    assert feed.put(cast("Store", kept)) == 0
    assert kept.events[0].select("user_id", "kind", "ts_ms", "price_minor").rows() == [
        ("u", "purchase", 1_714_557_600_000, 250)
    ]
    assert (feed.warnings, feed.left_out, feed.bury(here)) == ((), (), None)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("user_id,item_id,event\nu,i,view\n", "CLI-22"),
        ("user_id,item_id,event,ts\nu,i,wow,2024-01-01\n", "CHECK-01"),
        ("user_id,item_id,event,ts\nu,i,view,1714557600\n", "DATA-08"),
        ("user,item_id,event,ts\nu,i,view,2024-01-01\n", "DATA-09"),
    ],
)
def test_what_cannot_be_used_is_refused(here: Path, text: str, code: str) -> None:
    with pytest.raises(DataError, match=code):
        read("events", write("e.csv", text))


def test_vectors_and_what_is_nested_are_left_out_and_told(here: Path) -> None:
    rows = pl.DataFrame({"item_id": ["a"], "look": [[0.5, 0.25]], "colour": ["red"]})
    rows.write_parquet("i.parquet")
    feed, kept = read("items", Path("i.parquet")), Kept()
    feed.put(cast("Store", kept))
    assert feed.left_out == ("look",)
    assert kept.documents["items"] == {"a": b'{"attributes":{"colour":"red"}}'}
