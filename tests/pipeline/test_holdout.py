"""Events that a bundle has not seen are read in the shop's columns and words."""

from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from paretail.core.errors import DataError
from paretail.data.stores.base import Shown, StoredEvent
from paretail.data.stores.embedded import EmbeddedStore
from paretail.pipeline.config import ShopConfig
from paretail.pipeline.holdout import read_events
from paretail.pipeline.outflow import export_events

CONFIG = {
    "data": {
        "events": "log.csv",
        "items": "items.csv",
        "time": "seconds",
        "kinds": {"sold": "purchase", "seen": "view"},
        "columns": {"events": {"user_id": "who", "item_id": "what", "event": "did", "ts": "at", "price": "paid",
                               "order_id": ["receipt", "bill.no"]}},
    }
}  # fmt: skip


def read(path: Path, **data: Any) -> Any:
    config = ShopConfig.parse({"data": CONFIG["data"] | data})
    return read_events(path, config.model_dump(mode="json"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new.csv"


def test_the_shops_columns_and_words(path: Path) -> None:
    path.write_text("who,what,did,at,paid,receipt\nu1,a,sold,1700000000,2.50,r1\nu1,b,seen,1700000001,,\n")
    events = read(path)
    assert events.time == "clock"
    assert events.frame["kind"].to_list() == ["purchase", "view"]
    assert events.frame["ts_ms"].to_list() == [1_700_000_000_000, 1_700_000_001_000]
    assert events.frame["price_minor"].to_list() == [250, None]
    assert events.frame["order_id"].to_list() == ["r1", None]


def test_what_a_store_wrote_is_read_in_our_columns_and_words(path: Path) -> None:
    with closing(EmbeddedStore.open(path.parent / "store")) as store:
        store.append([StoredEvent("u1", "a", "purchase", 1_700_000_000_500, "e1", quantity=2.0, price_minor=250)])
        store.shown([Shown("r1", 1_700_000_000_000, "u1", None, "p", "v", "p", ["b", "a"], [0.5, 0.25])])
    for ending in (".csv", ".parquet"):
        file = path.with_suffix(ending)
        export_events(path.parent / "store", file, impressions=True)
        events = read(file)
        assert events.time == "clock"
        told = events.frame.select("item_id", "kind", "ts_ms", "price_minor", "request_id", "position", "propensity")
        assert told.rows() == [
            ("b", "impression", 1_700_000_000_000, None, "r1", 1, 0.5),
            ("a", "impression", 1_700_000_000_000, None, "r1", 2, 0.25),
            ("a", "purchase", 1_700_000_000_500, 250, None, None, None),
        ]  # fmt: skip


def test_columns_that_do_not_matter_may_be_absent(path: Path) -> None:
    path.write_text("who,what,did,at\nu1,a,sold,1700000000\n")
    assert read(path).frame.select("user_id", "item_id", "kind", "price_minor").row(0) == ("u1", "a", "purchase", None)


def test_without_time(path: Path) -> None:
    path.write_text("who,what,did\nu1,a,sold\nu1,b,seen\n")
    assert read(path).time == "none"
    assert read(path, time="none", columns=CONFIG["data"]["columns"]).frame["item_id"].to_list() == ["a", "b"]


def test_without_time_under_our_own_name(path: Path) -> None:
    path.write_text("user_id,item_id,event\nu1,a,sold\n")
    assert read(path, columns={}).time == "none"


def test_parquet_though_training_was_csv(path: Path) -> None:
    table = pl.DataFrame({"who": ["u1"], "what": [7], "did": ["sold"], "at": [1_700_000_000]})
    table.write_parquet(path.with_suffix(".parquet"))
    assert read(path.with_suffix(".parquet")).frame["item_id"].to_list() == ["7"]


@pytest.mark.parametrize("column", ["who", "what", "did"])
def test_columns_that_matter_must_be_there(path: Path, column: str) -> None:
    pl.DataFrame({"who": ["u1"], "what": ["a"], "did": ["sold"], "at": ["1700000000"]}).drop(column).write_csv(path)
    with pytest.raises(DataError, match=rf"no column '{column}'.*DATA-07"):
        read(path)


def test_an_unknown_word_fails_and_is_named(path: Path) -> None:
    path.write_text("who,what,did,at\n" + "u1,a,sold,1700000000\n" * 3 + "u1,a,seeen,1700000000\n" * 3)
    with pytest.raises(DataError, match=r"'seeen' \(3\).*CHECK-01"):
        read(path)


def test_times_that_cannot_be_read_fail(path: Path) -> None:
    path.write_text("who,what,did,at\n" + "u1,a,sold,yesterday\n" * 9)
    with pytest.raises(DataError, match=r"9 of 9 .* cells of ts_ms cannot be read"):
        read(path)


def test_a_single_event_is_enough_and_bad_rows_are_left_out(path: Path) -> None:
    path.write_text("who,what,did,at\n" + "u1,a,sold,1700000000\n" * 50 + ",a,sold,1700000000\n")
    assert read(path).frame["user_id"].unique().to_list() == ["u1"]


def test_a_file_that_is_not_there(path: Path) -> None:
    with pytest.raises(DataError, match="DATA-01"):
        read(path)
