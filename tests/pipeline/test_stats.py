"""Statistics of what was shown: hand-computed, and adding up however the time is cut."""

from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretail.core.errors import UsageError
from paretail.data.stores.base import ANSWER_COLUMNS, Shown, Store, StoredEvent
from paretail.data.stores.embedded import EmbeddedStore
from paretail.data.types import EVENT_COLUMNS
from paretail.evaluate.rates import amount, share
from paretail.pipeline import stats as module
from paretail.pipeline.live.bodies import PlacementStats
from paretail.pipeline.stats import stats

DAY = 86_400_000
Row = dict[str, Any]


class Kept:
    """A store that only answers what statistics ask."""

    def __init__(self, answers: list[Row], events: list[Row]) -> None:
        usual: Row = {"placement": "for-you", "model_version": "v1", "policy": "best"}
        shown = [{**dict.fromkeys(ANSWER_COLUMNS), **usual, **row} for row in answers]
        told = [{**dict.fromkeys(EVENT_COLUMNS), **row} for row in events]
        self._answers = pl.DataFrame(shown, ANSWER_COLUMNS).sort("ts_ms", maintain_order=True)
        self._events = pl.DataFrame(told, EVENT_COLUMNS).sort("ts_ms", maintain_order=True)

    def answers(self, since_ms: int, until_ms: int) -> pl.DataFrame:
        return self._answers.filter(pl.col("ts_ms").is_between(since_ms, until_ms, closed="left"))

    def events(self, since_ms: int, until_ms: int) -> pl.DataFrame:
        return self._events.filter(pl.col("ts_ms").is_between(since_ms, until_ms, closed="left"))


def rows(
    store: Kept | EmbeddedStore, since_ms: int, until_ms: int, hours: float = 24.0, **more: Any
) -> list[PlacementStats]:
    return stats(cast("Store", store), since_ms, until_ms, hours, "EUR", **more).rows


def shown(request: str, user: str | None, ts_ms: int, items: str, **more: Any) -> Row:
    return {"request_id": request, "user_id": user, "ts_ms": ts_ms, "item_ids": list(items), **more}


def did(user: str, item: str, kind: str, ts_ms: int, **more: Any) -> Row:
    return {"user_id": user, "item_id": item, "kind": kind, "ts_ms": ts_ms, **more}


SHOP = Kept(
    [
        shown("r1", "u1", 10 * DAY, "abcd"), shown("r2", "u2", 10 * DAY, "abcd"), shown("r3", "u1", 11 * DAY, "ab"),
        shown("r4", None, 11 * DAY, "xy", session_id="s1"), shown("r5", "u3", 11 * DAY, "xy", placement="new"),
        shown("r6", "u1", 20 * DAY, "a"), shown("r7", "u1", 11 * DAY, "ab", model_version="v2"),
    ],
    [
        did("u1", "a", "click", 10 * DAY + 5, request_id="r1"), did("u1", "a", "click", 10 * DAY + 9, request_id="r1"),
        did("u1", "a", "purchase", 12 * DAY - 1, request_id="r3", price_minor=1250, quantity=2.0),  # no click there
        did("u2", "b", "click", 10 * DAY + 1), did("u2", "b", "cart", 10 * DAY + 2),
        did("u2", "b", "purchase", 10 * DAY + 3, price_minor=999, order_id="o1"),
        did("u2", "b", "refund", 10 * DAY + 4, price_minor=99, order_id="o1"),
        did("s1", "x", "click", 11 * DAY + 1, request_id="r4"), did("u2", "c", "view", 10 * DAY + 1),
        did("u3", "x", "click", 13 * DAY), did("u9", "a", "purchase", 10 * DAY + 5, price_minor=77),
    ],
)  # fmt: skip


def test_every_figure_by_hand() -> None:
    found = {(row.placement, row.model_version): row for row in rows(SHOP, 10 * DAY, 12 * DAY)}
    assert sorted(found) == [("for-you", "v1"), ("for-you", "v2"), ("new", "v1")]
    row = found["for-you", "v1"]
    assert (row.lists, row.impressions, row.clicks, row.carts, row.purchases, row.revenue) == (4, 12, 3, 1, 2, 34.0)
    assert row.ctr is not None
    assert row.cvr is not None
    assert row.revenue_per_mille is not None
    assert row.ctr.value == 3 / 12
    assert row.cvr.value == 1 / 3  # of three impressions that were clicked, one was bought as well
    assert row.revenue_per_mille.value == pytest.approx(34_000 / 12)
    silent = found["new", "v1"]
    assert (silent.impressions, silent.clicks, silent.revenue, silent.cvr, silent.revenue_per_mille) == (
        2, 0, 0, None, None,
    )  # fmt: skip
    assert silent.ctr is not None
    assert (silent.ctr.low, silent.ctr.value) == (0, 0)
    assert found["for-you", "v2"].purchases == 0


def test_intervals_are_over_users() -> None:
    (row,) = (row for row in rows(SHOP, 10 * DAY, 12 * DAY) if (row.placement, row.model_version) == ("for-you", "v1"))
    users = pl.DataFrame({"clicks": [1, 1, 1], "impressions": [6, 4, 2], "minor": [2500, 900, 0]})  # u1, u2, s1
    ctr, per_mille = (
        share(users["clicks"].to_numpy(), users["impressions"].to_numpy()),
        amount(users["minor"].to_numpy(), users["impressions"].to_numpy()),
    )
    assert ctr is not None
    assert per_mille is not None
    assert row.ctr is not None
    assert row.revenue_per_mille is not None
    assert (row.ctr.low, row.ctr.high) == pytest.approx(ctr[1:])
    assert (row.revenue_per_mille.low, row.revenue_per_mille.high) == pytest.approx([10 * end for end in per_mille[1:]])


def test_one_placement_alone() -> None:
    every = [row for row in rows(SHOP, 10 * DAY, 12 * DAY) if row.placement == "new"]
    assert rows(SHOP, 10 * DAY, 12 * DAY, placement="new") == every
    assert rows(SHOP, 10 * DAY, 12 * DAY, placement="none") == []


def test_the_answer_says_what_it_is_of() -> None:
    told = stats(cast("Store", SHOP), 10 * DAY, 12 * DAY, 24.0, "JPY")
    assert (told.since, told.until, told.window_hours, told.currency) == (864_000, 1_036_800, 24.0, "JPY")
    assert told.rows[0].revenue == 3400.0  # yen have no smaller unit
    assert rows(SHOP, 30 * DAY, 40 * DAY) == []
    assert rows(Kept([], []), 0, DAY) == []


def test_what_a_visitor_saw_counts_for_the_user_who_logged_in(tmp_path: Path) -> None:
    with closing(EmbeddedStore.open(tmp_path / "store")) as store:
        store.shown([
            Shown("r1", 10 * DAY, "visitor", "s1", "for-you", "v1", "best", ["a", "b"]),
            Shown("r2", 10 * DAY, "other", None, "for-you", "v1", "best", ["a"]),
        ])  # fmt: skip
        store.append([
            StoredEvent("visitor", "a", "click", 10 * DAY + 1, "e1", request_id="r1"),
            StoredEvent("user", "b", "purchase", 10 * DAY + 2, "e2", price_minor=500),
        ])  # fmt: skip
        before = rows(store, 10 * DAY, 11 * DAY)
        store.merge("visitor", "user")
        after = rows(store, 10 * DAY, 11 * DAY)
    assert [(row.impressions, row.clicks, row.purchases, row.revenue) for row in before + after] == [
        (3, 1, 0, 0.0), (3, 1, 1, 5.0),
    ]  # fmt: skip


@pytest.mark.parametrize(("since", "until"), [(5, 5), (9, 5), (0, 401 * DAY)])
def test_a_period_that_is_none_or_too_long_is_refused(since: int, until: int) -> None:
    with pytest.raises(UsageError, match="EVAL-05"):
        rows(SHOP, since, until)


ITEMS = st.lists(st.sampled_from("abc"), max_size=3, unique=True).map("".join)
LISTS = st.lists(st.tuples(st.sampled_from(["u1", "u2"]), st.integers(1, 30), ITEMS), max_size=12)
DONE = st.lists(
    st.tuples(st.sampled_from(["u1", "u2"]), st.sampled_from("abc"), st.sampled_from(["cart", "purchase", "refund"]),
              st.integers(0, 34), st.sampled_from([None, "r0", "r1", "r2"])), max_size=10,
)  # fmt: skip


@given(LISTS, DONE, st.integers(1, 5), st.integers(2, 29))
@settings(max_examples=30, deadline=None)
def test_adjacent_periods_add_up(lists: list[Any], done: list[Any], window_days: int, cut: int) -> None:
    store = Kept(
        [shown(f"r{n}", user, day * DAY, items) for n, (user, day, items) in enumerate(lists)],
        [
            did(user, item, kind, day * DAY, request_id=request, price_minor=7)
            for user, item, kind, day, request in done
        ],
    )

    def total(since: int, until: int) -> list[float]:
        found = rows(store, since * DAY, until * DAY, 24.0 * window_days)
        names = ("lists", "impressions", "clicks", "carts", "purchases", "revenue")
        return [sum(getattr(row, name) for row in found) for name in names]

    whole, parts = total(1, 31), [total(*ends) for ends in pairwise([1, cut, 31]) if ends[0] < ends[1]]
    assert [sum(column) for column in zip(*parts, strict=True)] == pytest.approx(whole)


def test_how_the_store_is_sliced_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = rows(SHOP, 10 * DAY, 21 * DAY)
    for most in (1, 2, 5):
        monkeypatch.setattr(module, "LISTS", most)
        monkeypatch.setattr(module, "EVENTS", most + 1)
        assert rows(SHOP, 10 * DAY, 21 * DAY) == usual
