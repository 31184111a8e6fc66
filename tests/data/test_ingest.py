"""From the shop's rows to ours: words, units, money, joining, and an account of every row."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretail.core.errors import DataError, UsageError
from paretail.data.config import DataConfig
from paretail.data.ingest import Examined, examine, ingest
from paretail.data.types import EVENT_COLUMNS

from .conftest import NOW_MS

Look = Callable[..., Examined]
TS = 1_700_000_000


def event(user: Any = "u", item: Any = "i", word: str | None = "view", **more: Any) -> dict[str, Any]:
    return {"user_id": user, "item_id": item, "event": word, **more}


def codes(examined: Examined) -> set[str]:
    return {problem.code for problem in examined.problems}


def test_every_column_finds_its_place(looked_at: Look) -> None:
    row = {
        "who": 17850.0, "what": "00123", "did": "addToCart", "when": TS, "bill": 7, "n": "2", "each": 2.55, "id": "e1",
        "ask": "r1", "slot": 3, "chance": 0.25, "stay": 1500,
    }  # fmt: skip
    names = {
        "user_id": "who", "item_id": "what", "event": "did", "ts": "when", "order_id": "bill", "quantity": "n",
        "price": "each", "event_id": "id", "request_id": "ask", "position": "slot", "propensity": "chance",
        "dwell_ms": "stay",
    }  # fmt: skip
    events = looked_at([row], time="seconds", columns={"events": names}).tables.events.select(*EVENT_COLUMNS)
    assert events.row(0, named=True) == {
        "user_id": "17850", "item_id": "00123", "kind": "cart", "ts_ms": TS * 1000, "event_id": "e1", "order_id": "7",
        "quantity": 2.0, "price_minor": 255, "request_id": "r1", "position": 3, "propensity": 0.25, "dwell_ms": 1500,
    }  # fmt: skip
    assert dict(events.schema) == EVENT_COLUMNS


def test_the_first_column_that_is_not_empty_counts(looked_at: Look) -> None:
    rows = [
        {"a": "x", "b": "y", "item_id": "i", "event": "view"},
        {"a": None, "b": "y", "item_id": "i", "event": "view"},
    ]
    events = looked_at(rows, columns={"events": {"user_id": ["a", "b"]}}).tables.events
    assert events["user_id"].to_list() == ["x", "y"]


def test_nested_values_are_reached(looked_at: Look) -> None:
    rows = [{"u": {"id": "x"}, "lines": [{"sku": "a"}, {"sku": "b"}], "event": "view"}]
    events = looked_at(rows, columns={"events": {"user_id": "u.id", "item_id": "lines.sku"}}).tables.events
    assert events.select("user_id", "item_id").rows() == [("x", "a")]


def test_words_are_ours_known_told_or_declared(looked_at: Look) -> None:
    words = ["view", "PV", "buy", "listen", "song", "scroll", "wow"]
    kinds = {"listen": {"weight": 0.5}, "song": "listen", "scroll": "ignore"}
    found = looked_at([event(word=word) for word in words], kinds=kinds)
    assert found.tables.events["kind"].to_list() == ["view", "view", "purchase", "listen", "listen"]
    (account,) = found.report.accounts
    assert (account.quarantined, account.excluded) == ({"unknown_kind": 1}, {"kind = ignore": 1})


def test_a_source_without_words_has_one(looked_at: Look) -> None:
    rows = [{"user_id": "u", "item_id": "i"}]
    assert looked_at(rows, kind="purchase").tables.events["kind"].to_list() == ["purchase"]
    with pytest.raises(DataError, match=r'kind = "purchase".*DATA-09'):
        looked_at(rows)


def test_amounts_are_converted_to_the_reporting_currency(looked_at: Look) -> None:
    rows = [event(price=price, currency=code) for price, code in ((10, "EUR"), (10, "usd"), (1000, "JPY"), (1, None))]
    found = looked_at(rows, rates={"USD": 0.92, "JPY": 0.006})
    assert found.tables.events["price_minor"].to_list() == [1000, 920, 600, 100]
    yen = looked_at([event(price=250, currency="USD")], currency="JPY", rates={"USD": 150.0}, amounts="minor")
    assert yen.tables.events["price_minor"].to_list() == [375]


def test_cents_are_rounded_as_people_do(looked_at: Look) -> None:
    prices = [1.005, 2.675, 0.125, 19.99, 4.35]
    found = looked_at([event(price=price) for price in prices])
    assert found.tables.events["price_minor"].to_list() == [101, 268, 13, 1999, 435]


def test_refunds_reduce_value_and_carry_no_sign(looked_at: Look) -> None:
    rows = [event(word="buy", quantity=5.0, price=10.0), event(word="buy", quantity=-2.0, price=10.0),
            event(word="refund", quantity=1.0, price=-10.0)]  # fmt: skip
    found = looked_at(rows, negative_quantity_is_refund=True)
    assert found.tables.events.select("kind", "quantity", "price_minor").rows() == [
        ("purchase", 5.0, 1000), ("refund", 2.0, 1000), ("refund", 1.0, 1000),
    ]  # fmt: skip
    assert found.report.value == {"purchases_minor": 5000, "refunds_minor": 3000, "net_minor": 2000}


def test_times_say_what_they_are_or_must_be_told(looked_at: Look) -> None:
    assert looked_at([event(ts=TS)], time="seconds").tables.time == "clock"
    assert looked_at([event(ts=5)], time="order").tables.events["ts_ms"].to_list() == [5]
    assert looked_at([event(), event()], time="order").tables.events["ts_ms"].to_list() == [1, 2]
    assert looked_at([event(ts=TS)], time="none").tables.events["ts_ms"].to_list() == [0]
    assert looked_at([event()]).tables.time == "none"
    assert looked_at([event(ts="2023-11-14T22:13:20Z")]).tables.events["ts_ms"].to_list() == [TS * 1000]
    with pytest.raises(DataError, match=r'look like seconds.*time = "seconds".*DATA-08'):
        looked_at([event(ts=TS)])
    with pytest.raises(DataError, match="DATA-08"):
        looked_at([event()], time="seconds")
    with pytest.raises(DataError) as caught:
        looked_at([event()], columns={"events": {"ts": "when"}})
    assert [problem.code for problem in caught.value.problems] == ["DATA-08"]


@pytest.mark.parametrize("text", [False, True])
def test_columns_of_our_own_say_their_unit(looked_at: Look, text: bool) -> None:
    as_told = str if text else int
    row = {"user_id": "u", "item_id": "i", "kind": "view", "ts_ms": as_told(TS * 1000 + 7), "price_minor": as_told(255)}
    item = {"item_id": "i", "price_minor": as_told(99), "created_ts_ms": as_told(5)}
    found = looked_at([row], items=[item]).tables
    assert found.events.select("kind", "ts_ms", "price_minor").rows() == [("view", TS * 1000 + 7, 255)]
    assert found.items.select("price_minor", "created_ts_ms").rows() == [(99, 5)]
    assert looked_at([row | {"currency": "JPY"}], rates={"JPY": 0.01}).tables.events["price_minor"].to_list() == [255]


def test_a_table_may_be_looked_at_without_events(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item_id,price\na,1\nb,2\n")
    found = examine(DataConfig.parse({"events": [], "items": "items.csv"}), tmp_path)
    assert found.tables.items["price_minor"].to_list() == [100, 200]
    assert [problem.code for problem in found.problems] == ["CHECK-13"]


def test_named_rules_take_rows_in_their_order(looked_at: Look) -> None:
    rows = [
        event(status="cancelled", price=1.0), event(user=None, status="ok", price=1.0), event("u", "FEE9", price=1.0),
        event(price=0.0), event(price=5000.0), event(price=-1.0), event(quantity=-1.0, price=1.0), event(price=2.0),
        event(n=3, price=2.0), event(price=2.0, test=True),
    ]  # fmt: skip
    rules = [
        {"name": "cancelled", "column": "status", "equals": "cancelled"},
        {"name": "nobody", "column": "user_id", "missing": True},
        {"name": "fees", "column": "item_id", "matches": "^FEE"},
        {"name": "three", "column": "n", "equals": 3},
        {"name": "test", "column": "test", "equals": True},
        {"name": "dear", "column": "price", "above": 4000.0},
        {"name": "free", "column": "price", "equals": 0},
    ]
    found = looked_at(rows, exclude=rules, drop_negative_price=True, drop_negative_quantity=True)
    (account,) = found.report.accounts
    names = [
        "cancelled",
        "nobody",
        "fees",
        "three",
        "test",
        "dear",
        "free",
        "drop_negative_price",
        "drop_negative_quantity",
    ]
    assert account.excluded == dict.fromkeys(names, 1)
    assert (account.read, account.imported, account.quarantined) == (10, 1, {})


def test_a_rule_on_a_column_that_is_not_there_is_refused(looked_at: Look) -> None:
    with pytest.raises(DataError, match=r"did you mean 'event'.*DATA-12"):
        looked_at([event()], exclude=[{"name": "x", "column": "evnt", "equals": "y"}])


def test_all_problems_are_told_at_once(looked_at: Look) -> None:
    with pytest.raises(DataError) as caught:
        looked_at([{"a": 1}], columns={"events": {"user_id": "b"}}, items=[{"sku": 1}])
    assert [problem.code for problem in caught.value.problems] == ["DATA-09", "DATA-09", "DATA-07", "DATA-09"]


def test_items_keep_what_the_shop_knows_of_them(looked_at: Look) -> None:
    rows = [
        {"sku": "a", "name": " Knife ", "path": "Home > Kitchen", "maker": "X", "eur": "2.5", "stock": "yes", "new": TS,
         "colour": "red", "size": "10", "tags": ["t1", "t2"], "emb": [0.5, 1.0], "code": "007", "row": 5},
        {"sku": "b", "name": None, "path": None, "maker": None, "eur": None, "stock": "no", "new": None,
         "colour": "blue", "size": "12", "tags": [], "emb": [1.0, 2.0], "code": "8", "row": 6},
    ]  # fmt: skip
    names = {"item_id": "sku", "title": "name", "category": "path", "brand": "maker", "price": "eur",
             "in_stock": "stock", "created": "new"}  # fmt: skip
    events = [event(f"u{n % 5}", "ab"[n % 2]) for n in range(30)]
    frame = looked_at(events, items=rows, columns={"items": names}).shop().catalogue.frame
    assert frame.row(0, named=True) == {
        "item_id": "a", "title": "Knife", "category": ["Home", "Kitchen"], "brand": "X", "price_minor": 250,
        "in_stock": True, "created_ts_ms": TS * 1000, "colour": "red", "size": 10.0, "tags": ["t1", "t2"],
        "emb": [0.5, 1.0], "code": "007", "row": 5,
    }  # fmt: skip
    assert frame.schema["emb"] == pl.Array(pl.Float32, 2)
    assert frame.schema["tags"] == pl.List(pl.String)


def test_an_attribute_with_a_name_that_is_taken_is_kept(looked_at: Look) -> None:
    items = [{"item_id": "i", "name": "Knife", "title": "Mr"}]
    frame = looked_at([event()], items=items, columns={"items": {"title": "name"}}).tables.items
    assert frame.select("title", "own_title").rows() == [("Knife", "Mr")]


def test_files_with_ids_of_several_types_are_one_source(tmp_path: Path) -> None:
    for n, ids in enumerate(([7, 8], [7.0, None], ["7", "x"])):
        frame = pl.DataFrame({"user_id": ids, "item_id": "i", "event": "view"})
        frame.write_parquet(tmp_path / f"{n}.parquet")
    found = examine(DataConfig.parse({"events": ["0.parquet", "1.parquet", "2.parquet"]}), tmp_path)
    assert found.tables.events["user_id"].to_list() == ["7", "8", "7", "7", "x"]
    pl.DataFrame({"user_id": [[1]], "item_id": "i", "event": "view"}).write_parquet(tmp_path / "3.parquet")
    with pytest.raises(DataError, match="DATA-02"):
        examine(DataConfig.parse({"events": "*.parquet"}), tmp_path)


def test_a_folder_of_another_is_never_replaced_by_a_quarantine(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("user_id,item_id,event\n" + "".join(f"u{n % 3},i{n % 5},view\n" for n in range(30)))
    with pytest.raises(UsageError, match="CLI-11"):
        ingest(DataConfig.parse({"events": "e.csv"}), tmp_path, quarantine=tmp_path)


def test_sources_join_with_id_maps_and_precedence(tmp_path: Path) -> None:
    (tmp_path / "web.csv").write_text(f"user_id,item_id,event,ts\nc1,i1,view,{TS}\nc2,i1,buy,{TS}\nc9,i2,view,{TS}\n")
    (tmp_path / "till.csv").write_text(f"user_id,item_id,ts,price\n901,p1,{TS},5\n902,p2,{TS},7\n902,p2,{TS},7\n")
    (tmp_path / "people.csv").write_text("from,to\n901,c2\n902,c9\n")
    (tmp_path / "products.csv").write_text("from,to\np1,i1\np2,i2\n")
    till = {
        "path": "till.csv",
        "kind": "purchase",
        "user_ids": "people.csv",
        "item_ids": "products.csv",
        "precedence": 1,
    }
    config = DataConfig.parse({"events": ["web.csv", till], "time": "seconds"})
    found = examine(config, tmp_path, now=NOW_MS)
    assert found.tables.events.select("user_id", "item_id", "kind", "price_minor").rows() == [
        ("c2", "i1", "purchase", 500), ("c9", "i2", "purchase", 700), ("c9", "i2", "purchase", 700),
        ("c1", "i1", "view", None), ("c9", "i2", "view", None),
    ]  # fmt: skip
    web = next(account for account in found.report.accounts if account.file == "web.csv")
    assert web.excluded == {"duplicate of another source": 1}


def test_of_two_catalogues_the_first_counts_where_both_know_an_item(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("user_id,item_id,event\nu,a,view\n")
    (tmp_path / "1.csv").write_text("item_id,title\na,first\n")
    (tmp_path / "2.csv").write_text("item_id,title,colour\na,second,red\nb,other,blue\n")
    config = DataConfig.parse({"events": "e.csv", "items": ["1.csv", "2.csv"]})
    items = examine(config, tmp_path).tables.items
    assert items.select("item_id", "title", "colour").rows() == [("a", "first", None), ("b", "other", "blue")]


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "from,to\n1,2\n1,3\n"])
def test_an_id_map_must_be_a_map(content: str, tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("user_id,item_id,event\n1,a,view\n")
    (tmp_path / "m.csv").write_text(content)
    config = DataConfig.parse({"events": {"path": "e.csv", "user_ids": "m.csv"}})
    with pytest.raises(DataError, match="DATA-11"):
        examine(config, tmp_path)


def test_sources_with_different_kinds_of_time_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user_id,item_id,event,ts\nu,i,view,1\n")
    config = DataConfig.parse({"events": [{"path": "a.csv", "time": "order"}, {"path": "a.csv", "time": "seconds"}]})
    with pytest.raises(DataError, match="DATA-10"):
        examine(config, tmp_path)


def test_a_column_for_all_sources_must_be_in_one_of_them(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user_id,item_id,event,bill\nu,i,view,1\n")
    (tmp_path / "b.csv").write_text("user_id,item_id,event\nu,i,view\n")
    values = {"events": ["a.csv", "b.csv"]}
    fine = examine(DataConfig.parse({**values, "columns": {"events": {"order_id": "bill"}}}), tmp_path)
    assert fine.tables.events["order_id"].to_list() == ["1", None]
    with pytest.raises(DataError, match=r"'bil'.*DATA-07"):
        examine(DataConfig.parse({**values, "columns": {"events": {"order_id": "bil"}}}), tmp_path)


def test_links_have_no_direction(looked_at: Look) -> None:
    links = [{"user_id": a, "friend_id": b} for a, b in (("a", "b"), ("b", "a"), ("a", "c"), ("d", "d"), (None, "a"))]
    found = looked_at([event()], links=links)
    account = found.report.total("links")
    assert found.tables.links.select("user_id", "friend_id").rows() == [("a", "b"), ("a", "c")]
    assert account.excluded == {"pair given twice": 1}
    assert account.quarantined == {"missing_user_id": 1, "self_link": 1}


def test_equal_events_can_be_left_out(looked_at: Look) -> None:
    rows = [event(ts=TS), event(ts=TS), event(ts=TS + 1)]
    assert looked_at(rows, time="seconds").tables.events.height == 3
    found = looked_at(rows, time="seconds", drop_duplicates=True)
    assert found.report.accounts[0].excluded == {"drop_duplicates": 1}


def test_ga4_events_become_one_row_an_item(tmp_path: Path) -> None:
    lines = [
        {"event_name": "view_item_list", "event_timestamp": TS * 10**6, "user_pseudo_id": "p1", "user_id": None,
         "items": [{"item_id": "a", "price": 5.0, "quantity": None}, {"item_id": "b", "price": 6.0, "quantity": None}]},
        {"event_name": "purchase", "event_timestamp": TS * 10**6, "user_pseudo_id": "p1", "user_id": "u1",
         "ecommerce": {"transaction_id": "T1"}, "items": [{"item_id": "a", "price": 5.0, "quantity": 2}]},
        {"event_name": "page_view", "event_timestamp": TS * 10**6, "user_pseudo_id": "p2", "items": []},
        {"event_name": "refund", "event_timestamp": TS * 10**6, "user_pseudo_id": "p1", "user_id": "u1",
         "items": [{"item_id": "a", "price": 5.0, "quantity": 1}]},
    ]  # fmt: skip
    (tmp_path / "ga.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = examine(DataConfig.parse({"events": "ga.jsonl", "preset": "ga4"}), tmp_path, now=NOW_MS)
    columns = ("user_id", "item_id", "kind", "ts_ms", "order_id", "quantity", "price_minor")
    assert found.tables.events.select(columns).rows() == [
        ("p1", "a", "impression", TS * 1000, None, None, 500), ("p1", "b", "impression", TS * 1000, None, None, 600),
        ("u1", "a", "purchase", TS * 1000, "T1", 2.0, 500), ("u1", "a", "refund", TS * 1000, None, 1.0, 500),
    ]  # fmt: skip
    assert found.report.accounts[0].excluded == {"kind = ignore": 1}


def test_schema_org_products_become_items(tmp_path: Path) -> None:
    products = [
        {"@type": "Product", "sku": "a", "name": "Knife", "brand": {"@type": "Brand", "name": "X"}, "color": "red",
         "category": "Home > Kitchen",
         "offers": {"price": "12.50", "priceCurrency": "EUR", "availability": "https://schema.org/InStock"}},
        {"@type": "ProductGroup", "productGroupID": "g", "name": "Shirt", "brand": "Y", "hasVariant": [
            {"sku": "s", "size": "S", "offers": [{"price": 20, "availability": "OutOfStock"}]},
            {"sku": "m", "size": "M"}]},
    ]  # fmt: skip
    (tmp_path / "products.json").write_text(json.dumps({"@context": "https://schema.org", "@graph": products}))
    (tmp_path / "e.csv").write_text("user_id,item_id,event\nu,a,view\n")
    config = DataConfig.parse({"events": "e.csv", "items": "products.json", "preset": "schema_org"})
    items = examine(config, tmp_path).tables.items
    columns = ("item_id", "parent_id", "title", "category", "brand", "price_minor", "in_stock")
    assert items.select(columns).rows() == [
        ("a", None, "Knife", ["Home", "Kitchen"], "X", 1250, True),
        ("s", "g", "Shirt", None, "Y", 2000, False), ("m", "g", "Shirt", None, "Y", None, None),
    ]  # fmt: skip
    assert items["size"].to_list() == [None, "S", "M"]


def test_recbole_ratings_become_events(tmp_path: Path) -> None:
    (tmp_path / "x.inter").write_text(
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t2\t4\t978300760\n"
    )
    config = DataConfig.parse({"events": "x.inter", "kind": "view", "time": "seconds"})
    assert examine(config, tmp_path).tables.events.select("user_id", "item_id", "ts_ms").rows() == [
        ("1", "2", 978_300_760_000)
    ]


def test_bad_rows_go_to_the_quarantine_with_reason_file_line_and_row(tmp_path: Path) -> None:
    good = "".join(f"u{n % 9},i{n % 7},view,{TS + n * 1000},1\n" for n in range(200))
    bad = f",i1,view,{TS},1\nu1,i1,view,soon,1\nu1,i1,view,{TS},-4\nu1,i1,view,{TS},1,2,3\n"
    packed = gzip.compress(("user_id,item_id,event,ts,price\n" + good + bad).encode())
    (tmp_path / "e.csv.gz").write_bytes(packed)
    config = DataConfig.parse({"events": "e.csv.gz", "time": "seconds"})
    imported = ingest(config, tmp_path, quarantine=tmp_path / "bad")
    assert imported.shop.events.frame.height == 200
    rows = pl.read_csv(tmp_path / "bad" / "events.csv")
    assert rows.select("reason", "file", "line").rows() == [
        ("missing_user_id", "e.csv.gz", 201), ("unreadable", "e.csv.gz", 202), ("negative_price", "e.csv.gz", 203),
        ("too_many_cells", "e.csv.gz", 204),
    ]  # fmt: skip
    assert json.loads(rows["row"][2]) == {
        "user_id": "u1",
        "item_id": "i1",
        "event": "view",
        "ts": str(TS),
        "price": "-4",
    }
    summary = json.loads((tmp_path / "bad" / "summary.json").read_text())
    assert summary["events"] == dict.fromkeys(rows["reason"].to_list(), 1)
    again = ingest(config, tmp_path, quarantine=tmp_path / "bad")
    assert again.report.total("events").read == 204
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "e.csv.gz"]


def test_nothing_is_written_where_a_check_fails(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("user_id,item_id,event\n" + "u,i,wow\n" * 50)
    with pytest.raises(DataError, match=r'"wow" = "..."'):
        ingest(DataConfig.parse({"events": "e.csv"}), tmp_path, quarantine=tmp_path / "bad")
    assert [path.name for path in tmp_path.iterdir()] == ["e.csv"]


CELLS = st.sampled_from([None, "", "a", "b"])
ROW = st.fixed_dictionaries(
    {
        "user_id": CELLS, "item_id": CELLS, "event": st.sampled_from([None, "view", "buy", "scroll", "wow"]),
        "ts": st.sampled_from([None, "x", str(TS), "99999999999"]), "price": st.sampled_from([None, "1", "-1", "?"]),
        "quantity": st.sampled_from([None, "1", "-1", "inf"]), "event_id": st.sampled_from([None, "e1", "e2"]),
    }
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=12), st.booleans(), st.booleans())
def test_every_row_is_accounted_for_and_every_good_row_is_good(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], drop: bool, twice: bool
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    pl.DataFrame(rows, schema=dict.fromkeys(rows[0], pl.String)).write_csv(folder / "e.csv")
    source = {"path": "e.csv"}
    config = DataConfig.parse({
        "events": [source, source] if twice else source, "time": "seconds", "kinds": {"scroll": "ignore"},
        "drop_negative_price": drop, "drop_duplicates": drop,
        "exclude": [{"name": "b", "column": "user_id", "equals": "b"}],
    })  # fmt: skip
    found = examine(config, folder, now=NOW_MS)
    account = found.report.total("events")
    assert account.adds_up
    assert account.read == len(rows) * (1 + twice)
    assert account.imported == found.tables.events.height
    for row in found.tables.events.iter_rows(named=True):
        assert row["user_id"] == row["item_id"] == "a" or {row["user_id"], row["item_id"]} <= {"a", "b"}
        assert row["user_id"] != "b"
        assert row["kind"] in ("view", "purchase")
        assert row["ts_ms"] == TS * 1000
        assert (row["price_minor"] or 0) >= 0
        assert 0 <= (row["quantity"] or 0) < float("inf")
