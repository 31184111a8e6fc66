"""Answers that come late: what is not bought yet is no example, and what is told of purchases is what comes of all."""

import re
from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch")

from paretail.core.clock import DAY_MS  # noqa: E402  # torch may be missing
from paretail.data.types import Shop  # noqa: E402  # torch may be missing
from paretail.graph.shopgraph import ShopGraph  # noqa: E402  # torch may be missing
from paretail.rank.config import RankConfig  # noqa: E402  # torch may be missing
from paretail.rank.control import revenue_found  # noqa: E402  # torch may be missing
from paretail.rank.examples import Examples, learnable  # noqa: E402  # torch may be missing
from paretail.rank.learned.fitting import Frame  # noqa: E402  # torch may be missing
from paretail.rank.learned.ranker import Ranker  # noqa: E402  # torch may be missing
from paretail.rank.waits import HOUR_MS, Waits  # noqa: E402  # torch may be missing

from .world import START, World, world  # noqa: E402

DAYS = 20


@cache
def planted() -> World:
    return world(users=40, items=30, requests=2_500)


def late_shop(late: float, days: float = DAYS) -> Shop:
    """Return a log of so many days, in which purchases follow within `late` days."""
    shop, rng = planted().shop, np.random.default_rng(3)
    wait = pl.Series(rng.integers(round(late * DAY_MS) + 1, size=shop.events.frame.height))
    frame = shop.events.frame.with_columns(
        ts_ms=pl.col("ts_ms") + pl.when(pl.col("kind") == "purchase").then(wait).otherwise(0)
    ).filter(pl.col("ts_ms") <= START + round(days * DAY_MS))
    return replace(shop, events=replace(shop.events, frame=frame.sort("ts_ms")))


def examples(days: float, late: float) -> Examples:
    shop = late_shop(late, days)
    return Examples.of(shop.events, shop.user_vocabulary(), shop.item_vocabulary())


@cache
def delayed() -> Examples:
    return examples(DAYS, 4.0)


def rate(some: Examples, rows: slice) -> float:
    return float(np.nanmean(some.labels["purchase"][rows]))


def test_what_is_not_bought_yet_is_no_example() -> None:
    """Purchases of the newest tenth are a quarter of what they will be; of those kept apart they are as usual."""
    found, tasks = delayed(), ("click", "cart", "purchase", "value")
    usual = rate(found, slice(len(found) // 2))
    assert rate(found, slice(round(0.9 * len(found)), None)) < 0.5 * usual
    some, _ = learnable(found.settled())
    assert some.tasks == tasks
    assert len(some) == len(found)  # clicks come at once
    places = some.apart(0.1)
    assert rate(some, slice(places["purchase"], None)) == pytest.approx(usual, rel=0.1)
    known = some.waits.known("purchase", some.ts_ms)
    assert some.ts_ms[known - 1] <= START + 16.2 * DAY_MS < some.ts_ms[known + 150]
    assert np.isnan(some.labels["purchase"][known:]).all()
    assert np.isfinite(some.labels["click"]).all()
    assert places == {"click": round(0.9 * len(some)), "cart": round(0.9 * len(some)), "purchase": round(0.9 * known),
                      "value": round(0.9 * known)}  # fmt: skip
    assert found.waits.of["purchase"] == pytest.approx(4 * DAY_MS, rel=0.05)
    told = found.waits.remarks(tasks, found.ts_ms)
    assert [line.split("`")[1] for line in told] == ["purchase", "value"]  # carts come at once
    assert f"{len(found) - known:,} of {len(found):,}" in told[0]


def test_answers_that_come_at_once_are_all_known() -> None:
    found = examples(DAYS, 0.0)
    some = found.settled()
    assert len(some) == len(found)
    np.testing.assert_array_equal(some.labels["purchase"], found.labels["purchase"])
    assert set(some.apart(0.1).values()) == {round(0.9 * len(found))}
    assert found.waits.remarks(found.tasks, found.ts_ms) == ()


def test_a_log_shorter_than_the_window_waits_for_what_it_can_see() -> None:
    found = examples(5.0, 6.0)
    assert found.waits.longest_ms == pytest.approx(2.5 * DAY_MS, rel=0.02)
    assert found.waits.of["purchase"] <= found.waits.longest_ms
    some = found.settled()
    assert some.waits.known("purchase", some.ts_ms) > 0.4 * len(found)
    (said,) = [line for line in found.waits.remarks(("click", "purchase"), found.ts_ms) if "shorter" in line]
    assert re.match(r"answers of `purchase` that come later than (59|60)\.\d hours are not waited for", said)


def test_where_clicks_come_late_the_newest_lists_are_left_out() -> None:
    ts = np.arange(1000, dtype=np.int64) * HOUR_MS
    nothing, plain = np.zeros(1000, np.float32), np.zeros(1000, np.int32)
    waits = Waits({"click": 100 * HOUR_MS}, {}, int(ts[-1]), 168 * HOUR_MS, 168 * HOUR_MS)
    some = Examples(plain, plain, ts, plain, np.ones(1000, np.float32), {"click": nothing}, waits).settled()
    assert len(some) == 900
    assert some.apart(0.1) == {"click": 810}


def test_waits_of_few_answers_and_of_no_time() -> None:
    delays = pl.DataFrame({"task": ["cart"] * 19, "shown_ms": [0] * 19, "delay_ms": [5] * 19})
    assert Waits.found(delays, (0, 100), 10).of == {"cart": 0}
    assert Waits.found(delays.clear(), (0, 0), 10).remarks(("cart",), np.zeros(3, np.int64)) == ()
    many = pl.concat([delays, delays])
    assert Waits.found(many, (0, 100), 10).of == {"cart": 5}
    assert Waits.found(many.with_columns(delay_ms=pl.lit(-7)), (0, 100), 10).of == {"cart": 0}  # a slow clock


def test_the_control_is_judged_on_what_is_known() -> None:
    """Revenue that is not there yet is not missed."""
    found = delayed()
    some, _ = learnable(found.settled())
    ratio = revenue_found(some, int(some.ts_ms[some.apart(0.1)["purchase"]]))
    assert ratio is not None
    assert 0.05 < ratio < 0.8


def test_each_task_is_learned_until_its_own_newest_tenth() -> None:
    """What is calibrated on is no label before; clicks are learned from lists whose purchases are waited for."""
    frame = torch.arange(10.0)
    labels = {"click": frame * 0, "purchase": frame * 0 + 1}
    plain = [frame.long()] * 4
    made = Frame(plain[0], plain[1], plain[2], plain[3], frame, frame[:, None], frame, plain[0], labels, plain[0])
    held = np.isin(np.arange(10), (6, 7, 9))
    part = made.taught({"click": 9, "purchase": 6}, held)
    assert part.place.tolist() == [0, 1, 2, 3, 4, 5, 8]  # clicks of 6 and 7 would be known where purchases are judged
    assert part.labels["click"].isfinite().all()
    assert part.labels["purchase"].isfinite().tolist() == [True] * 6 + [False]


def test_what_some_task_is_calibrated_on_is_held() -> None:
    some, _ = learnable(delayed().settled())
    held, places = some.held(0.1), some.apart(0.1)
    known = some.waits.known("purchase", some.ts_ms)
    assert held[places["purchase"] : known].all()
    assert held[places["click"] :].all()
    assert held.sum() == known - places["purchase"] + len(some) - places["click"]


def test_purchases_that_come_late_are_told_as_often_as_they_come() -> None:
    """Read as negatives, those of the newest tenth make a ranker say a quarter of the truth."""
    shop = late_shop(4.0)
    graph = ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())
    ranker = Ranker.train(graph, shop.events, RankConfig(epochs=2, dim=3, own_dim=1))
    users, items = graph.users, graph.items
    pairs = np.repeat(np.arange(users, dtype=np.int32), items), np.tile(np.arange(items, dtype=np.int32), users)
    now = np.full(len(pairs[0]), int(graph.history.ts_ms.max()) + 1)
    told = ranker.predict(graph.history, np.arange(users, dtype=np.int32), *pairs, now)
    assert told.p_purchase.mean() / planted().p_purchase.mean() == pytest.approx(1, abs=0.3)
    assert ranker.report["waits"]["purchase"] == pytest.approx(94, abs=3)
    assert list(ranker.report["waits"]) == ["cart", "click", "purchase", "value"]  # in order: the same bytes each time
    assert any("are no examples of `purchase`" in line for line in ranker.report["remarks"])


def told(shop: Shop) -> Examples:
    return Examples.of(shop.events, shop.user_vocabulary(), shop.item_vocabulary())


def test_what_was_bought_before_anything_was_shown_says_nothing_of_waits() -> None:
    shop = late_shop(2.0, 6.0)
    frame = shop.events.frame
    old = frame.filter(pl.col("kind") == "purchase").head(1)
    old = old.with_columns(ts_ms=pl.lit(START - 400 * DAY_MS), request_id=pl.lit(None, pl.String))
    older = replace(shop, events=replace(shop.events, frame=pl.concat([old, frame])))
    assert told(older).waits == told(shop).waits
    assert told(shop).waits.of["purchase"] == pytest.approx(2 * DAY_MS, rel=0.1)


def test_orders_that_are_exported_less_far_than_lists_are_not_missing() -> None:
    shop = planted().shop
    frame = shop.events.frame
    short = frame.filter((pl.col("kind") != "purchase") | (pl.col("ts_ms") < START + 18 * DAY_MS))
    found = told(replace(shop, events=replace(shop.events, frame=short)))
    some = found.settled()
    assert rate(some, slice(some.apart(0.1)["purchase"], None)) == pytest.approx(rate(found, slice(5000)), rel=0.25)
    (line, _) = found.waits.remarks(("click", "purchase", "value"), found.ts_ms)
    assert "none came in the last 48 hours of the log: are they all there?" in line


def test_a_task_with_few_answers_waits_as_long_as_the_slowest() -> None:
    shop = late_shop(4.0)
    frame = shop.events.frame
    carts = frame.filter(pl.col("kind") == "purchase").head(5).with_columns(kind=pl.lit("favourite"))
    found = told(replace(shop, events=replace(shop.events, frame=pl.concat([frame, carts]).sort("ts_ms"))))
    assert found.waits.of["favourite"] == found.waits.of["purchase"] > 3 * DAY_MS


def returned(share: float, wait_days: float, days: float = DAYS) -> Shop:
    """Return the log with refunds of whole orders, a share of all purchases, so many days after them."""
    shop, rng = planted().shop, np.random.default_rng(5)
    frame = shop.events.frame
    bought = frame.filter(pl.col("kind") == "purchase")
    back = bought.filter(pl.Series(rng.random(bought.height) < share)).with_columns(
        kind=pl.lit("refund"), ts_ms=pl.col("ts_ms") + round(wait_days * DAY_MS)
    )
    frame = pl.concat([frame, back]).filter(pl.col("ts_ms") <= START + round(days * DAY_MS))
    return replace(shop, events=replace(shop.events, frame=frame.sort("ts_ms")))


def test_what_may_still_come_back_is_no_example_of_values_and_what_came_back_is_worth_nothing() -> None:
    found = told(returned(0.5, 3.0))
    assert found.waits.of["value"] == pytest.approx(3 * DAY_MS, rel=0.01)
    assert found.waits.of["purchase"] < HOUR_MS
    some = found.settled()
    assert np.isfinite(some.labels["purchase"][-50:]).any()  # bought is bought
    assert np.isnan(some.paid[some.paid_until :]).all()
    known = some.paid[np.isfinite(some.paid)]
    assert (known == 0).mean() == pytest.approx(0.5, abs=0.05)
    assert [line.split("`")[1] for line in found.waits.remarks(some.tasks, found.ts_ms)] == ["value"]


def test_money_is_expected_less_what_comes_back() -> None:
    shop = returned(0.5, 3.0)
    graph = ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())
    ranker = Ranker.train(graph, shop.events, RankConfig(epochs=2, dim=3, own_dim=1))
    assert ranker.value_ratio == pytest.approx(0.5, abs=0.12)
    assert ranker.report["positives"]["value"] < 0.6 * ranker.report["positives"]["purchase"]
