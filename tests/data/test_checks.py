"""Every check finds what it looks for, leaves a healthy shop alone, and is documented."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from paretail.core.errors import Severity
from paretail.data.checks import CHECKS
from paretail.data.checks.unreadable_cells import WORDS
from paretail.data.ingest import Examined
from paretail.data.report import CheckResult
from paretail.data.schemas import FAULTS

Look = Callable[..., Examined]
Rows = list[dict[str, Any]]
Healthy = Callable[..., Rows]
ROOT = Path(__file__).parents[2]
TS, DAY = 1_714_557_600, 86_400
ITEMS: Rows = [{"item_id": f"i{n}", "title": f"Thing {n}", "price": 5.0, "margin": 0.3} for n in range(20)]
USERS: Rows = [{"user_id": f"u{n}", "country": "FR"} for n in range(200)]


@dataclass(frozen=True)
class Case:
    """A flaw: how it changes the events, which tables come with them, and what is said of it."""

    check: str
    says: str
    severity: Severity = "warn"
    change: Callable[[Rows], Rows] = lambda rows: rows
    tables: dict[str, Any] = field(default_factory=dict)


def first(n: int, **values: Any) -> Callable[[Rows], Rows]:
    """Change the first `n` rows."""
    return lambda rows: [{**row, **(values if at < n else {})} for at, row in enumerate(rows)]


def also(*more: dict[str, Any]) -> Callable[[Rows], Rows]:
    """Add rows."""
    return lambda rows: [*rows, *more]


def event(**values: Any) -> dict[str, Any]:
    return {"user_id": "u1", "item_id": "i1", "event": "view", "ts": TS, **values}


def scaled(factor: float) -> Callable[[Rows], Rows]:
    return lambda rows: [{**row, "ts": int(row["ts"] * factor)} for row in rows]


def priced(rows: Rows) -> Rows:
    return [{**row, "order_id": f"o{n}", "price": 2.0, "quantity": 1.0} for n, row in enumerate(rows)]


def without_weekday(rows: Rows) -> Rows:
    """2024-05-05 is a Sunday: the shop is shut on Sundays."""
    return [row for row in rows if (row["ts"] // DAY - 19848) % 7 != 0]


CASES = [
    Case("unknown_kinds", "'wow' (3)", "fail", first(3, event="wow")),
    Case("unknown_kinds", "say nothing", "fail", first(3, event=None)),
    Case("missing_ids", "3 of 2,400 (0.1 %) rows have no user_id (first: events.parquet row 1)", "warn",
         first(3, user_id=None)),
    Case("missing_ids", "rows have no item_id", "fail", first(300, item_id=" ")),
    Case("missing_ids", "items: 1 of 21", "warn", tables={"items": [*ITEMS, {"item_id": None}]}),
    Case("missing_ids", "users: 1 of 201", "warn", tables={"users": [*USERS, {"user_id": None}]}),
    Case("missing_ids", "friend_id", "fail", tables={"links": [{"user_id": "u1", "friend_id": None}]}),
    Case("missing_times", "2 of 2,400", "warn", first(2, ts=None)),
    Case("unreadable_cells", "cells of price", "warn", first(2, price="much"), {"price": "1"}),
    Case("unreadable_cells", "cells of quantity", "warn", first(2, quantity=float("inf")), {"quantity": 1.0}),
    Case("unreadable_cells", "items: 21", "fail",
         tables={"items": [{"item_id": str(n), "price": "?"} for n in range(21)]}),
    Case("duplicate_ids", "items: 1 of 21", "warn", tables={"items": [*ITEMS, ITEMS[0]]}),
    Case("duplicate_ids", "users: 1 of 201", "warn", tables={"users": [*USERS, USERS[0]]}),
    Case("duplicate_ids", "event_id of an earlier row", "warn", also(event(event_id="e"), event(event_id="e"))),
    Case("duplicate_events", "100 of 2,500", "warn", lambda rows: rows + rows[:100]),
    Case("time_unit", 'Set [data] time = "milliseconds"', "fail", scaled(1000)),
    Case("time_unit", 'Set [data] time = "microseconds"', "fail", scaled(1_000_000)),
    Case("time_unit", 'Set [data] time = "order"', "fail", scaled(1e-6)),
    Case("future_times", "as far as 2024-07-", "warn", first(5, ts=TS + 80 * DAY)),
    Case("coarse_times", "same hour", "warn", lambda rows: [{**row, "ts": row["ts"] // DAY * DAY} for row in rows]),
    Case("missing_days", "1 of 30 days have no event: 2024-05-11", "warn",
         lambda rows: [r for r in rows if r["ts"] // DAY != 19854]),
    Case("negative_amounts", "price < 0 (first: events.parquet row 1, -400)", "warn", first(2, price=-4.0)),
    Case("negative_amounts", "quantity < 0", "fail", first(300, quantity=-4.0)),
    Case("negative_amounts", "dwell_ms < 0", "warn", first(2, dwell_ms=-4)),
    Case("negative_amounts", "items: 1 of 21", "warn", tables={"items": [*ITEMS, {"item_id": "x", "price": -1.0}]}),
    Case("refunds", "5 of 5", "warn", also(*(event(event="refund", user_id=f"x{n}") for n in range(5)))),
    Case("refunds", "900 minor units more", "warn", also(event(event="refund", price=9.0))),
    Case("mixed_currencies", "CHF (2), USD (1)", "fail",
         also(*(event(price=1.0, currency=c) for c in ("CHF", "CHF", "USD")))),
    Case("mixed_currencies", "items: 1 prices", "fail",
         tables={"items": [{"item_id": "i1", "price": 1.0, "currency": "USD"}]}),
    Case("margins", "margin above 1", "warn", tables={"items": [*ITEMS, {"item_id": "x", "margin": 30.0}]}),
    Case("orphaned_orders", "1 of 2,401 (0.0 %) orders have several users", "warn",
         lambda rows: [*priced([{**row, "event": "buy"} for row in rows]),
         *(event(event="buy", user_id=u, order_id="o") for u in "ab")]),
    Case("orphaned_orders", "orders have several users", "fail",
         lambda rows: [{**row, "event": "buy", "order_id": f"o{n // 3}"}
         for n, row in enumerate(sorted(rows, key=lambda r: r["ts"]))]),
    Case("orphaned_orders", "purchases have no order", "warn", lambda rows: [*priced(rows), event(event="buy")]),
    Case("items_not_in_catalogue", "1 of 20", "warn", tables={"items": ITEMS[1:]}),
    Case("items_not_in_catalogue", "100.0 % of the events", "fail", tables={"items": [{"item_id": "A"}]}),
    Case("items_without_events", "30 of 50", "warn",
         tables={"items": ITEMS + [{"item_id": f"x{n}"} for n in range(30)]}),
    Case("users_not_in_file", "100 of 200", "warn", tables={"users": USERS[:100]}),
    Case("users_not_in_file", "200 of 200", "fail", tables={"users": [{"user_id": "A"}]}),
    Case("links_to_unknown_users", "1 of 2", "warn", tables={"links": [{"user_id": "u1", "friend_id": "zoe"}]}),
    Case("links_to_unknown_users", "1 of 21 (4.8 %) users", "warn",
         tables={"links": [{"user_id": f"u{n}", "friend_id": f"u{n + 1}" if n else "zoe"} for n in range(19)]}),
    Case("links_to_unknown_users", "2 of 2", "fail", tables={"links": [{"user_id": "yan", "friend_id": "zoe"}]}),
    Case("self_links", "1 of 1", "fail", tables={"links": [{"user_id": "u1", "friend_id": "u1"}]}),
    Case("too_few_events", "only 2 events of 1 users on 1 items", "fail", lambda rows: rows[:2]),
    Case("too_few_events", "only 50 of the kind to predict, 'purchase'", "warn", lambda rows: rows[:100]),
    Case("too_few_events", "users have events on two items", "warn",
         lambda rows: [{**row, "user_id": f"s{n // 2}"} for n, row in enumerate(rows)]),
    Case("bots", "u1 (", "warn", also(*(event(ts=TS + n) for n in range(100)))),
    Case("target_without_lead", "none of 1,200 'view'", "warn",
         lambda rows: [{**row, "user_id": row["user_id"] + row["event"]} for row in rows]),
    Case("propensities", "propensity outside (0, 1] (first: events.parquet row 1, 1.5)", "warn",
         first(2, propensity=1.5)),
    Case("propensities", "propensity outside", "warn", first(2, propensity=0.0)),
    Case("positions", "position below 1", "warn", first(2, position=-1)),
    Case("positions", "counted from 0", "fail", first(2, position=0)),
    Case("vectors", "1 of 20 (5.0 %) vectors in emb", "warn",
         tables={"items": [{**row, "emb": [0.1, 0.2] if n else [0.1]} for n, row in enumerate(ITEMS)]}),
    Case("vectors", "4 of 20 (20.0 %) vectors in emb", "fail",
         tables={"items": [{**row, "emb": [0.1, 0.2] if n > 3 else [0.1, float("nan")]}
         for n, row in enumerate(ITEMS)]}),
    Case("encoding", "cells of title are damaged (first: items.parquet row 21, 'CafÃ©')", "warn",
         tables={"items": [*ITEMS, {"item_id": "x", "title": "CafÃ©"}]}),
    Case("encoding", "cells of item_id", "warn", first(2, item_id="caf\ufffd")),
]  # fmt: skip


def results(found: Examined) -> dict[str, CheckResult]:
    return {result.name: result for result in found.report.checks}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.check}: {case.says[:40]}")
def test_it_finds_what_it_looks_for(case: Case, looked_at: Look, healthy: Healthy) -> None:
    tables = {name: rows for name, rows in case.tables.items() if name in ("items", "users", "links")}
    cells = {name: value for name, value in case.tables.items() if name not in tables}
    result = results(looked_at(case.change(healthy(**cells)), **tables, time="seconds"))[case.check]
    assert result.status == case.severity
    assert case.says in "\n".join(str(problem) for problem in result.problems)


@pytest.mark.parametrize("time", ["seconds", "order", "none"])
def test_a_healthy_shop_passes_every_check(time: str, looked_at: Look, healthy: Healthy) -> None:
    vectors = [{**row, "emb": [0.5, 1.0], "currency": "EUR", "title": "Café à la crème – ’n’"} for row in ITEMS]
    links = [{"user_id": "u1", "friend_id": "u2"}]
    more = {"propensity": 1.0, "position": 1, "dwell_ms": 0, "currency": "EUR"}
    events = [{**row, **more} for row in priced(healthy())]
    found = looked_at(events, items=vectors, users=USERS, links=links, time=time)
    assert {name: str(result.problems) for name, result in results(found).items() if result.problems} == {}
    assert found.report.status == "pass"


def test_a_shop_that_is_shut_on_sundays_misses_no_day(looked_at: Look, healthy: Healthy) -> None:
    assert results(looked_at(without_weekday(healthy()), time="seconds"))["missing_days"].status == "pass"


def test_without_a_clock_only_extreme_totals_are_bots(looked_at: Look, healthy: Healthy) -> None:
    scraper = [event(user_id="scraper", item_id=f"i{n % 20}") for n in range(1500)]
    assert "scraper (1,500)" in str(results(looked_at([*healthy(), *scraper], time="none"))["bots"].problems)


def test_the_lines_of_an_order_are_no_bot(looked_at: Look, healthy: Healthy) -> None:
    order = [event(event="buy", item_id=f"i{n}", ts=TS + n // 10) for n in range(500)]
    assert results(looked_at([*healthy(), *order], time="seconds"))["bots"].status == "pass"


def test_an_empty_log_is_too_little(looked_at: Look) -> None:
    found = looked_at([event()], exclude=[{"name": "all", "column": "user_id", "equals": "u1"}], time="seconds")
    assert {name for name, result in results(found).items() if result.status == "fail"} == {"too_few_events"}


def test_every_check_has_a_case_and_every_fault_a_check() -> None:
    assert {case.check for case in CASES} == set(CHECKS)
    source = "\n".join(file.read_text() for file in (ROOT / "src/paretail/data/checks").glob("*.py"))
    for fault in set(FAULTS.values()):
        assert f'"{fault}"' in source or (fault.startswith("missing_") and 'f"missing_{column}"' in source)


def test_every_check_is_documented() -> None:
    page = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## `(\w+)`.*?\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE))
    assert set(sections) == set(CHECKS)
    for name, text in sections.items():
        assert "**Consequence.**" in text, name
        assert "**Do.**" in text, name
        assert len(text.split()) > 30, name
        code = re.findall(r'"(CHECK-\d\d)"', (ROOT / f"src/paretail/data/checks/{name}.py").read_text())[0]
        assert code in re.search(rf"^## `{name}`(.*)$", page, re.MULTILINE)[1], name  # type: ignore[index]


def test_every_reason_of_the_quarantine_is_documented() -> None:
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    assert not [reason for reason in {*FAULTS.values(), *WORDS} if f"`{reason}`" not in page]


def test_each_check_has_a_code_of_its_own() -> None:
    codes = {name: set(re.findall(r'"(CHECK-\d\d)"', (ROOT / f"src/paretail/data/checks/{name}.py").read_text()))
             for name in CHECKS}  # fmt: skip
    assert all(len(found) == 1 for found in codes.values())
    assert len(set.union(*codes.values())) == len(CHECKS)
