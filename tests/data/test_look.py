"""What `paretail init` makes of a shop's files."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paretail.core.errors import UsageError
from paretail.core.progress import silent
from paretail.data.config import DataConfig
from paretail.data.guess import NAMES
from paretail.data.ingest import examine
from paretail.data.look import look
from paretail.data.starter import Draft, render, todo

from .conftest import NOW_MS


@pytest.fixture
def drafted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Draft]:
    monkeypatch.chdir(tmp_path)

    def draft(files: dict[str, str], *told: str, preset: Any = None, out: str = "shop.toml") -> Draft:
        places: dict[Any, list[str]] = {"events": [], "items": [], "users": [], "links": []}
        for name, content in files.items():
            Path(name).write_text(content)
            places[Path(name).stem.rstrip("0123456789")].append(name)
        return look(places, told, preset, None, Path(out), silent)

    return draft


def parsed(draft: Draft) -> dict[str, Any]:
    return tomllib.loads(render(draft))


def test_names_units_and_words_are_guessed(drafted: Callable[..., Draft], tmp_path: Path) -> None:
    log = "".join(f"17{n % 9}.0,A{n % 7},{word},{1_700_000_000 + n},{n // 3},2,1.5\n"
                  for n, word in enumerate(["view", "addtocart", "transaction"] * 50))  # fmt: skip
    draft = drafted({
        "events.csv": "visitorid,StockCode,Event Type,timestamp,InvoiceNo,Qty,UnitPrice\n" + log,
        "items.csv": "sku,Product Name,colour\n" + "".join(f"A{n},Thing {n},red\n" for n in range(7)),
        "users.csv": "CustomerID,land\n170,FR\n",
        "links.csv": "follower,followee\n170,171\n",
    })  # fmt: skip
    data = parsed(draft)["data"]
    assert data["columns"]["events"] == {
        "user_id": "visitorid", "item_id": "StockCode", "event": "Event Type", "ts": "timestamp",
        "order_id": "InvoiceNo", "quantity": "Qty", "price": "UnitPrice",
    }  # fmt: skip
    assert data["columns"]["items"] == {"item_id": "sku", "title": "Product Name"}
    assert data["columns"]["users"] == {"user_id": "CustomerID"}
    assert data["columns"]["links"] == {"user_id": "follower", "friend_id": "followee"}
    assert data["kinds"] == {"view": "view", "addtocart": "cart", "transaction": "purchase"}
    assert (data["time"], data["events"]) == ("seconds", "events.csv")
    assert todo(draft) == []
    found = examine(DataConfig.parse(data), tmp_path, now=NOW_MS)
    assert found.report.total("events").imported == 150
    assert found.tables.events["user_id"][0] == "170"
    assert parsed(draft)["goal"] == {"repeat": "auto"}
    assert parsed(draft)["train"] == {"seed": 0, "budget": "10m"}
    assert '# target = "purchase"' in render(draft)


def test_what_is_not_known_is_marked_and_the_file_still_parses(drafted: Callable[..., Draft]) -> None:
    draft = drafted({"events.csv": "who,item_id,event\nu,i,wow\nu,i,view\nu,i,wow\n"})
    assert todo(draft) == ["events: which column is user_id?", 'events: what does the word "wow" mean?']
    text = render(draft)
    assert '# user_id = "..."  # <-- COMPLETE THIS: one of who' in text
    assert '# wow = "..."  # 2 events # <-- COMPLETE THIS' in text
    DataConfig.parse(parsed(draft)["data"])


def test_the_only_word_of_a_log_is_a_kind_of_its_own(drafted: Callable[..., Draft]) -> None:
    draft = drafted({"events.csv": "user_id,item_id,event\nu,i,listen\n"})
    assert parsed(draft)["data"]["kinds"] == {"listen": {"weight": 1.0}}


def test_what_the_user_says_of_words_counts(drafted: Callable[..., Draft]) -> None:
    log = "user_id,item_id,event\n" + "".join(f"u,i,{word}\n" for word in ("a", "b", "c", "d e", "view"))
    draft = drafted({"events.csv": log}, "a=purchase", "b=0.5", "c", "d e=ignore")
    kinds = parsed(draft)["data"]["kinds"]
    assert kinds == {"a": "purchase", "b": {"weight": 0.5}, "c": {"weight": 1.0}, "d e": "ignore", "view": "view"}
    assert todo(draft) == []
    with pytest.raises(UsageError, match=r"did you mean 'purchase'.*CLI-13"):
        drafted({"events.csv": log}, "a=purchse")


def test_logs_without_words_times_or_both(drafted: Callable[..., Draft]) -> None:
    sold = parsed(drafted({"events.csv": "user_id,item_id,price,date\nu,i,5,2024-01-01\n"}))["data"]
    assert (sold["kind"], sold["time"]) == ("purchase", "datetime")
    seen = parsed(drafted({"events.csv": "user_id,item_id\nu,i\n"}))["data"]
    assert (seen["kind"], seen["time"]) == ("view", "none")


def test_oddities_and_currencies_come_with_the_line_that_handles_them(drafted: Callable[..., Draft]) -> None:
    log = "user_id,item_id,quantity,price,currency\nu,i,-1,5,USD\n,i,1,-5,EUR\nu,i,1,5,EUR\n"
    draft = drafted({"events.csv": log})
    text = render(draft)
    assert parsed(draft)["data"]["currency"] == "EUR"
    for line in ("# negative_quantity_is_refund = true  # 1 rows", "# drop_negative_price = true  # 1 rows",
                 '# name = "no user_id"', "# USD = 1.0  # <-- COMPLETE THIS"):  # fmt: skip
        assert line in text
    uncommented = text.replace("# [[data", "[[data").replace("# name", "name").replace("# column", "column")
    tomllib.loads(uncommented.replace("# missing = true", "missing = true").replace("# USD", "USD"))


def test_several_files_and_places_beyond_the_folder(drafted: Callable[..., Draft], tmp_path: Path) -> None:
    files = {"events1.csv": "user_id,item_id\nu,i\n", "events2.csv": "user_id,item_id,price\nu,i,1\n"}
    draft = drafted(files, out="conf/shop.toml")
    assert parsed(draft)["data"]["events"] == ["../events1.csv", "../events2.csv"]
    assert parsed(draft)["data"]["kind"] == "purchase"


def test_a_preset_needs_no_guess(drafted: Callable[..., Draft], tmp_path: Path) -> None:
    rest = '"event_timestamp": 1700000000000000, "user_pseudo_id": "p", "items": [{"item_id": "a"}]'
    line = '{"event_name": "%s", ' + rest + "}\n"
    draft = drafted({"events.jsonl": line % "purchase" + line % "scroll"}, preset="ga4")
    data = parsed(draft)["data"]
    assert data["preset"] == "ga4"
    assert todo(draft) == []
    assert "scroll" not in data["kinds"]
    found = examine(DataConfig.parse(data), tmp_path, now=NOW_MS)
    assert found.tables.events.select("user_id", "item_id", "kind").rows() == [("p", "a", "purchase")]


def test_recbole_files_are_understood(drafted: Callable[..., Draft], tmp_path: Path) -> None:
    inter = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t2\t4\t978300760\n"
    data = parsed(drafted({"events.inter": inter}, preset="recbole"))["data"]
    assert (data["time"], data["kind"]) == ("seconds", "view")
    assert examine(DataConfig.parse(data), tmp_path, now=NOW_MS).tables.events.height == 1


def test_a_database_needs_a_query() -> None:
    with pytest.raises(UsageError, match="CLI-12"):
        look({"events": ["postgresql://x/y"]}, [], None, None, Path("shop.toml"), silent)


def test_every_name_of_ours_can_be_guessed() -> None:
    columns = DataConfig.parse({"events": "x"}).columns
    for table, names in NAMES.items():
        assert set(names) <= set(type(getattr(columns, table)).model_fields)
