"""Attribution: hand-computed cases, and every rule against a loop that reads like the page."""

from collections.abc import Sequence
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from paretail.data.attribution import (
    IMPRESSION_COLUMNS,
    SKEW_MS,
    attribute,
    concerned,
    early,
    following,
    impressions,
    in_order,
    outcomes,
)  # fmt: skip
from paretail.data.stores.base import ANSWER_COLUMNS
from paretail.data.types import EVENT_COLUMNS, Events

HOUR = 3_600_000
Row = dict[str, Any]


def lists(*rows: Row) -> pl.DataFrame:
    """Return answers; what a row leaves out is as usual."""
    usual: Row = {"placement": "for-you", "model_version": "v1", "policy": "best"}
    return pl.DataFrame([{**dict.fromkeys(ANSWER_COLUMNS), **usual, **row} for row in rows], ANSWER_COLUMNS)


def log(*rows: Row) -> pl.DataFrame:
    """Return events; what a row leaves out is null."""
    return pl.DataFrame([{**dict.fromkeys(EVENT_COLUMNS), **row} for row in rows], EVENT_COLUMNS)


def event(user: str, item: str, kind: str, ts_ms: int, **more: Any) -> Row:
    return {"user_id": user, "item_id": item, "kind": kind, "ts_ms": ts_ms, **more}


def shown(request: str, user: str | None, ts_ms: int, *items: str, **more: Any) -> Row:
    return {"request_id": request, "user_id": user, "ts_ms": ts_ms, "item_ids": list(items), **more}


def test_answers_that_a_slow_clock_puts_before_their_list_are_told() -> None:
    given = impressions(lists(shown("r", "u", 9 * HOUR, "i", "j")))
    told = log(
        event("u", "i", "click", 8 * HOUR, request_id="r"), event("u", "i", "view", 10 * HOUR, request_id="r"),
        event("u", "j", "click", 9 * HOUR - SKEW_MS - 1, request_id="r"), event("u", "i", "cart", 8 * HOUR),
    )  # fmt: skip
    assert early(given, told).select("item_id", "ts_ms", "shown_ms").rows() == [("i", 8 * HOUR, 9 * HOUR)]
    assert early(given, told.clear()).height == 0


def test_a_log_in_order_has_each_answer_behind_its_list() -> None:
    shown_ms = {"request_id": "r", "position": 1}
    rows = [
        event("u", "i", "click", 8 * HOUR, request_id="r"), event("u", "i", "cart", 8 * HOUR),
        event("u", "i", "impression", 9 * HOUR, **shown_ms), event("v", "i", "view", 9 * HOUR),
        event("u", "i", "purchase", 10 * HOUR, request_id="r"),
    ]  # fmt: skip
    moved = in_order(Events(log(*rows), "clock"))
    assert moved.frame.select("kind", "ts_ms").rows() == [
        ("cart", 8 * HOUR), ("impression", 9 * HOUR), ("view", 9 * HOUR), ("click", 9 * HOUR), ("purchase", 10 * HOUR),
    ]  # fmt: skip
    assert in_order(moved) is moved
    for plain in (Events(log(*rows[1:]), "clock"), Events(log(*rows), "order"), Events(log(rows[0]), "clock")):
        assert in_order(plain) is plain


def test_one_row_an_impression_with_what_followed() -> None:
    answers = lists(shown("r1", "u1", 0, "a", "b"), shown("r2", None, 5, "b", propensities=[0.25]))
    events = log(
        event("u1", "b", "click", 10, request_id="r1"), event("u1", "b", "click", 20, request_id="r1"),
        event("u1", "b", "purchase", 30, request_id="r1", quantity=2.0, price_minor=250),
        event("u9", "b", "cart", 40, request_id="r2"), event("u1", "a", "view", 50),
    )  # fmt: skip
    found = attribute(answers, events, 1.0)
    assert found.schema == pl.Schema(IMPRESSION_COLUMNS)
    assert found.select("request_id", "position", "item_id", "propensity", "clicked", "carted", "purchased",
                        "revenue_minor").rows() == [
        ("r1", 1, "a", 1.0, False, False, False, 0),
        ("r1", 2, "b", 1.0, True, False, True, 500),
        ("r2", 1, "b", 0.25, False, True, False, 0),
    ]  # fmt: skip


def test_a_view_counts_as_click_only_where_the_shop_tells_no_clicks() -> None:
    answers = lists(shown("r1", "u1", 0, "a", "b"))
    viewed = event("u1", "a", "view", 10)
    assert attribute(answers, log(viewed), 1.0)["clicked"].to_list() == [True, False]
    elsewhere = event("u2", "z", "click", 10)
    assert attribute(answers, log(viewed, elsewhere), 1.0)["clicked"].to_list() == [False, False]


def test_the_newest_list_before_the_event_takes_the_credit_once() -> None:
    answers = lists(shown("r1", "u1", 0, "a"), shown("r2", "u1", HOUR, "a"), shown("r3", "u1", 3 * HOUR, "a"))
    bought = event("u1", "a", "purchase", 2 * HOUR, price_minor=100)
    assert attribute(answers, log(bought), 1.0)["revenue_minor"].to_list() == [0, 100, 0]
    assert attribute(answers, log(bought | {"ts_ms": 2 * HOUR + 1}), 1.0)["revenue_minor"].to_list() == [0, 0, 0]
    assert attribute(answers, log(bought | {"request_id": "r1"}), 2.0)["revenue_minor"].to_list() == [100, 0, 0]


def test_a_request_id_that_says_nothing_leaves_it_to_the_window() -> None:
    answers = lists(shown("r1", "u1", 0, "a"), shown("r2", "u1", 10, "b"))
    for said in ("unknown", "r2"):
        click = event("u1", "a", "click", 20, request_id=said)
        assert attribute(answers, log(click), 1.0)["clicked"].to_list() == [True, False]


def test_of_several_lists_of_one_answer_the_last_with_the_item() -> None:
    answers = lists(shown("r1", "u1", 0, "a", "b"), shown("r1", "u1", 0, "a", placement="new"))
    click = event("u1", "a", "click", 20, request_id="r1")
    assert attribute(answers, log(click), 1.0)["clicked"].to_list() == [False, False, True]


def test_a_slow_clock_is_forgiven_where_the_request_is_named() -> None:
    answers = lists(shown("r1", "u1", SKEW_MS, "a"))
    click = event("u1", "a", "click", 0, request_id="r1")
    assert attribute(answers, log(click), 1.0)["clicked"].to_list() == [True]
    assert attribute(answers, log(click | {"ts_ms": -1}), 1.0)["clicked"].to_list() == [False]
    assert attribute(answers, log(click | {"request_id": None}), 1.0)["clicked"].to_list() == [False]


def test_refunds_go_where_the_purchase_went() -> None:
    answers = lists(shown("r1", "u1", 0, "a"), shown("r2", "u1", 100, "a"), shown("r3", "u2", 0, "a"))
    first = event("u1", "a", "purchase", 50, order_id="o1", quantity=3.0, price_minor=200)
    second = event("u1", "a", "purchase", 150, order_id="o2", price_minor=300)
    other = event("u2", "a", "purchase", 60, request_id="r3", price_minor=70)

    def revenue(*refunds: Row) -> list[int]:
        return attribute(answers, log(first, second, other, *refunds), 1.0)["revenue_minor"].to_list()

    assert revenue() == [600, 300, 70]
    assert revenue(event("u1", "a", "refund", 200, order_id="o1")) == [0, 300, 70]  # all of it, at what was paid
    assert revenue(event("u1", "a", "refund", 200, order_id="o1", quantity=1.0)) == [400, 300, 70]
    assert revenue(event("u2", "a", "refund", 200, order_id="other")) == [600, 300, 0]  # whose purchase names none
    assert revenue(event("u2", "a", "refund", 200, request_id="r3")) == [600, 300, 0]
    assert revenue(event("u1", "a", "refund", 200, order_id="o1", quantity=2.0, price_minor=150)) == [300, 300, 70]
    assert revenue(event("u1", "a", "refund", 200)) == [600, 0, 70]
    assert revenue(event("u1", "a", "refund", 200, order_id="other")) == [600, 300, 70]
    assert revenue(event("u2", "a", "refund", 200, request_id="r3", price_minor=70)) == [600, 300, 0]
    assert revenue(event("u1", "a", "refund", HOUR + 1, order_id="o1")) == [600, 300, 70]  # after the window
    assert attribute(answers, log(second, event("u1", "a", "refund", 200, order_id="o2")), 1.0)["purchased"].to_list() \
        == [False, True, False]  # fmt: skip


def test_a_purchase_is_taken_back_once_by_orders_that_nobody_knows_and_by_none_before_it() -> None:
    answers = lists(shown("r1", "u1", 0, "a"))
    bought = event("u1", "a", "purchase", 50, request_id="r1", price_minor=100)
    later = event("u1", "a", "purchase", 90, request_id="r1", price_minor=900)
    strange = [event("u1", "a", "refund", at, order_id=f"o{at}") for at in (60, 70)]
    early = event("u1", "a", "refund", 60, request_id="r1")
    assert attribute(answers, log(bought, *strange), 1.0)["revenue_minor"].to_list() == [0]
    assert attribute(answers, log(bought, early, later), 1.0)["revenue_minor"].to_list() == [900]


def test_nothing_shown_nothing_happened() -> None:
    some = lists(shown("r1", "u1", 0, "a"), shown("r2", "u1", 0))
    assert attribute(lists(), log(event("u1", "a", "click", 1)), 1.0).height == 0
    assert attribute(some, log(), 1.0).rows() == [
        ("r1", "for-you", "v1", "best", None, None, 1, "a", "u1", 0, 1.0, False, False, False, 0)
    ]


def test_parts_of_a_log_are_one_log() -> None:
    seen, clicked = event("u1", "a", "view", 10), event("u1", "b", "click", 20)
    whole = following([log(seen, clicked, seen)])
    assert whole.equals(following([log(seen), log(clicked), log(), log(seen)]))
    assert whole["item_id"].to_list() == ["b"]
    assert following([log(seen), log(seen)])["kind"].to_list() == ["click", "click"]
    assert following([]).height == 0


USERS, ITEMS, REQUESTS = st.sampled_from(["u1", "u2"]), st.sampled_from("abc"), st.sampled_from(["r1", "r2", "r3"])
TIMES = st.integers(0, 6)
ANSWERS = st.lists(
    st.fixed_dictionaries({
        "request_id": REQUESTS, "ts_ms": TIMES.map(lambda n: n * HOUR), "user_id": st.none() | USERS,
        "placement": st.sampled_from(["p", "q"]), "item_ids": st.lists(ITEMS, max_size=3, unique=True),
    }), max_size=6,
)  # fmt: skip
EVENTS = st.lists(
    st.fixed_dictionaries({
        "user_id": USERS, "item_id": ITEMS, "kind": st.sampled_from(["click", "view", "cart", "purchase", "refund"]),
        "ts_ms": TIMES.map(lambda n: n * HOUR), "order_id": st.sampled_from([None, "o1", "o2"]),
        "request_id": st.none() | REQUESTS, "quantity": st.sampled_from([None, 2.0]),
        "price_minor": st.sampled_from([None, 5, 7]),
    }), max_size=8,
)  # fmt: skip


@given(ANSWERS, EVENTS, st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_every_rule_against_a_plain_loop(answers: list[Row], events: list[Row], hours: int) -> None:
    answers = list({(a["request_id"], a["placement"]): a for a in answers}.values())  # a store keeps one of them
    answers, events = (sorted(rows, key=lambda row: row["ts_ms"]) for rows in (answers, events))
    found = attribute(lists(*answers), log(*events), float(hours))
    keys = ["request_id", "placement", "item_id", "clicked", "carted", "purchased", "revenue_minor"]
    assert found.select(keys).rows() == plain(answers, events, hours * HOUR)


@given(ANSWERS, EVENTS, st.integers(0, 3))
@settings(max_examples=50, deadline=None)
def test_impressions_that_no_event_concerns_change_nothing(answers: list[Row], events: list[Row], hours: int) -> None:
    told = following([log(*events)])
    every = impressions(lists(*answers))
    few = concerned(every, told)
    order = ["impression", *(name for name in ("clicked", "carted", "purchased", "revenue_minor"))]
    both = [outcomes(some, told, hours * HOUR).select(order).sort("impression").rows() for some in (every, few)]
    assert both[0] == both[1]


def plain(answers: Sequence[Row], events: Sequence[Row], window: int) -> list[tuple[Any, ...]]:
    """Do the same one event at a time."""
    every = [(a, item) for a in answers for item in a["item_ids"]]
    click = "click" if any(e["kind"] == "click" for e in events) else "view"
    kinds: list[set[str]] = [set() for _ in every]
    revenue = [0] * len(every)
    went = {n: tied(every, e, window) for n, e in enumerate(events) if e["kind"] in (click, "cart", "purchase")}
    for n, row in went.items():
        if row is not None:
            kinds[row].add(events[n]["kind"])
            revenue[row] += worth(events[n], None) if events[n]["kind"] == "purchase" else 0
    taken: set[int] = set()
    for e in events:
        row, paid = taken_back(every, events, went, e, window, taken) if e["kind"] == "refund" else (None, None)
        if row is not None and e["ts_ms"] <= every[row][0]["ts_ms"] + window:
            whole = paid is not None and e["price_minor"] is None and e["quantity"] is None
            told = e | {"quantity": paid["quantity"]} if paid and whole else e
            revenue[row] -= worth(told, paid["price_minor"] if paid else None)
    return [(a["request_id"], a["placement"], item, click in kinds[n], "cart" in kinds[n], "purchase" in kinds[n],
             revenue[n]) for n, (a, item) in enumerate(every)]  # fmt: skip


def worth(e: Row, paid: int | None) -> int:
    price = e["price_minor"] if e["price_minor"] is not None else paid
    return round((e["quantity"] or 1.0) * (price or 0))


def named(every: Sequence[tuple[Row, str]], e: Row, window: int) -> int | None:
    same = [n for n, (a, item) in enumerate(every) if (a["request_id"], item) == (e["request_id"], e["item_id"])]
    if not same or not -SKEW_MS <= e["ts_ms"] - every[same[-1]][0]["ts_ms"] <= window:
        return None
    return same[-1]


def tied(every: Sequence[tuple[Row, str]], e: Row, window: int) -> int | None:
    if (row := named(every, e, window)) is not None:
        return row
    seen = [n for n, (a, item) in enumerate(every) if (a["user_id"], item) == (e["user_id"], e["item_id"])
            and 0 <= e["ts_ms"] - a["ts_ms"] <= window]  # fmt: skip
    return seen[-1] if seen else None


def taken_back(every: Sequence[tuple[Row, str]], events: Sequence[Row], went: dict[int, int | None], e: Row,
               window: int, taken: set[int]) -> tuple[int | None, Row | None]:  # fmt: skip
    """Return the impression that a refund takes from, and its purchase; of those in `taken` one took back already."""
    purchases = [n for n, p in enumerate(events) if p["kind"] == "purchase"]
    if e["order_id"] is None and e["request_id"] is not None:
        row = named(every, e, window)
        there = [n for n in purchases if row is not None and went[n] == row and events[n]["ts_ms"] <= e["ts_ms"]]
        return row, events[there[-1]] if there else None
    bought = [n for n in purchases if events[n]["item_id"] == e["item_id"]]
    of_order = [n for n in bought if e["order_id"] is not None and events[n]["order_id"] == e["order_id"]]
    before = [n for n in bought if events[n]["user_id"] == e["user_id"] and events[n]["ts_ms"] <= e["ts_ms"]
              and (e["order_id"] is None or events[n]["order_id"] is None)]  # fmt: skip
    bought = of_order or before
    if e["order_id"] is not None and bought and not of_order:
        if bought[-1] in taken:
            return None, None
        taken.add(bought[-1])
    return (went[bought[-1]], events[bought[-1]]) if bought else (None, None)
