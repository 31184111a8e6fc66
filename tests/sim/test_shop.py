"""The demo shop: plausible rates, exact truth, the same bytes for the same seed."""

from datetime import timedelta
from functools import lru_cache

import numpy as np
import polars as pl
import pytest

from paretail.data.kinds import STANDARD
from paretail.data.types import EVENT_COLUMNS, ITEM_COLUMNS, History
from paretail.sim.shop import World, simulate
from paretail.sim.truth import SimConfig

SMALL = SimConfig(users=600, items=300, events=60_000)


@lru_cache
def world() -> World:
    return simulate(SMALL, seed=7)


def of_kind(*kinds: str) -> pl.DataFrame:
    frame = world().shop.events.frame
    rows = frame.with_columns(user=number("user_id"), item=number("item_id"))
    return rows.filter(pl.col("kind").is_in(list(kinds)))


def number(column: str) -> pl.Expr:
    return pl.col(column).str.slice(1).cast(pl.Int32)


def rows(frame: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return frame["user"].to_numpy(), frame["item"].to_numpy()


def within_four_sigma(chance: np.ndarray, happened: np.ndarray) -> None:
    """Compare counts in ten bins of the chance: a constant or shuffled truth would fail."""
    for part in np.array_split(np.argsort(chance), 10):
        sigma = np.sqrt((chance[part] * (1 - chance[part])).sum())
        assert abs(happened[part].sum() - chance[part].sum()) <= 4 * sigma


def test_tables_are_what_the_contracts_say() -> None:
    shop = world().shop
    assert dict(shop.events.frame.schema) == EVENT_COLUMNS
    known = {name: dtype for name, dtype in shop.catalogue.frame.schema.items() if name in ITEM_COLUMNS}
    assert known == {name: ITEM_COLUMNS[name] for name in known}
    assert set(shop.events.kinds) == set(STANDARD) - {"favourite"}
    assert shop.events.frame["event_id"].is_unique().all()
    assert shop.catalogue.frame["title"].is_unique().all()
    assert shop.events.frame["ts_ms"].is_sorted()
    assert shop.user_vocabulary().row("u00000017") == 17
    assert (len(shop.user_vocabulary()), len(shop.item_vocabulary())) == (600, 300)


@pytest.mark.parametrize("seed", range(3))
def test_rates_are_plausible(seed: int) -> None:
    frame = simulate(SMALL, seed).shop.events.frame
    n = dict(frame["kind"].value_counts().iter_rows())
    looks = n["click"] + n["view"]
    assert frame.height == pytest.approx(SMALL.events, rel=0.1)
    assert 0.04 < n["click"] / n["impression"] < 0.15
    assert 0.03 < n["purchase"] / looks < 0.15
    assert 1.2 < n["cart"] / n["purchase"] < 3
    assert 0.01 < n["refund"] / n["purchase"] < 0.05
    items = frame.filter(pl.col("kind") == "view")["item_id"].value_counts(sort=True)["count"]
    assert 0.1 < items.head(15).sum() / items.sum() < 0.4  # the top 5 % of the items


def test_the_day_and_the_week_have_a_rhythm() -> None:
    when = of_kind("impression").unique("request_id").select(pl.from_epoch("ts_ms", time_unit="ms"))["ts_ms"]
    hours = when.dt.hour().value_counts().sort("ts_ms")["count"].to_numpy()
    assert hours[18:22].mean() > 5 * hours[1:5].mean()
    days = when.filter(when < when.min() + timedelta(weeks=8)).dt.weekday()  # type: ignore[operator]
    assert days.is_in([6, 7]).sum() > 1.08 * days.is_in([2, 3]).sum()


def test_clicks_follow_the_truth() -> None:
    truth, shown = world().truth, of_kind("impression")
    clicked = of_kind("click").select("request_id", "item", clicked=True)
    frame = shown.join(clicked, on=["request_id", "item"], how="left", maintain_order="left")
    chance = truth.p_click(*rows(frame)) * truth.bias[frame["position"].to_numpy() - 1]
    # A click on what already lies in the basket leaves no event: too rare (under one in a hundred) to matter here.
    within_four_sigma(chance, frame["clicked"].fill_null(False).to_numpy())


def test_purchases_follow_the_truth() -> None:
    """Every look at a pair before its first purchase is a chance; a purchase is the success of the last of them."""
    looks = of_kind("click", "view").select("user", "item", "ts_ms")
    first = of_kind("purchase").group_by("user", "item").agg(pl.col("ts_ms").min().alias("bought_ms"))
    tried = looks.join(first, on=["user", "item"], how="left")
    tried = tried.filter(pl.col("bought_ms").is_null() | (pl.col("ts_ms") < pl.col("bought_ms")))
    last = pl.col("ts_ms") == pl.col("ts_ms").max().over("user", "item")
    tried = tried.with_columns(success=pl.col("bought_ms").is_not_null() & last)
    assert tried["success"].sum() == first.height
    within_four_sigma(world().truth.p_purchase(*rows(tried)), tried["success"].to_numpy())


def test_order_values_follow_the_truth() -> None:
    bought = of_kind("purchase")
    spent = bought["quantity"].to_numpy() * bought["price_minor"].to_numpy()
    expected = world().truth.value(*rows(bought))
    error = (spent - expected).std() / np.sqrt(len(spent))
    assert abs((spent - expected).mean()) < 4 * error
    price = world().shop.catalogue.frame["price_minor"].to_numpy()
    assert (bought["price_minor"].to_numpy() == price[bought["item"].to_numpy()]).all()


def test_pages_opened_unasked_follow_the_truth() -> None:
    """Over items always on sale, looks are spread as p_look says (repeat purchases bring a look of their own)."""
    truth = world().truth
    views = of_kind("view")
    always = (truth.goods.created_ms <= SMALL.start_ms) & truth.on_sale() & np.isnan(truth.goods.cycle_days)
    views = views.filter(pl.Series(always).gather(views["item"]))
    chance = truth.p_look(np.arange(SMALL.users)) * always
    chance /= chance.sum(axis=1, keepdims=True)
    mean = (np.bincount(views["user"], minlength=SMALL.users)[:, None] * chance).sum(axis=0)
    seen = np.bincount(views["item"], minlength=SMALL.items)
    # a pair that lies in the basket already is not looked at again in that session: up to 3 % fewer
    assert (np.abs(seen - mean) <= 4.5 * np.sqrt(mean) + 0.03 * mean).all()


def test_propensities_are_those_of_the_draws() -> None:
    """Counts by audience, item and position spread about requests x propensity as counts do (mean χ² of 1)."""
    shown, truth = of_kind("impression"), world().truth
    user, item = rows(shown)
    audience = truth.people.audience[user]
    assert np.array_equal(shown["propensity"].to_numpy(), truth.shown[audience, item])
    assert truth.shown.sum(axis=1) == pytest.approx(1)
    assert shown.select("request_id", "item").is_unique().all()
    always = (truth.goods.created_ms <= SMALL.start_ms) & truth.on_sale()
    requests = shown.unique("request_id")["user"].to_numpy()
    expected = np.bincount(truth.people.audience[requests])[:, None] * truth.shown
    for position in (1, SMALL.slots):
        count = np.zeros(expected.shape)
        here = shown["position"].to_numpy() == position
        np.add.at(count, (audience[here], item[here]), 1)
        enough = always & (expected > 1)
        surprise = (count - expected)[enough] ** 2 / expected[enough]
        assert surprise.mean() == pytest.approx(1, abs=4 * np.sqrt(3 / enough.sum()))


def test_nothing_happens_to_what_is_not_on_sale_or_outside_the_log() -> None:
    goods, looks = world().truth.goods, of_kind("impression", "view")
    item, ts = looks["item"].to_numpy(), looks["ts_ms"].to_numpy()
    wait = 3 * 60_000  # the look that comes before a repeat purchase
    assert (goods.created_ms[item] <= ts + wait).all()
    assert (ts < goods.gone_ms[item]).all()
    times = world().shop.events.frame["ts_ms"]
    assert SMALL.start_ms <= times.min() <= times.max() < SMALL.end_ms  # type: ignore[operator]


def test_only_what_is_used_up_is_bought_again() -> None:
    bought = of_kind("purchase").group_by("user", "item").len("times")
    used_up = ~np.isnan(world().truth.goods.cycle_days)
    again = bought.filter(pl.col("times") > 1)
    assert used_up[again["item"].to_numpy()].all()
    first = bought.filter(pl.Series(used_up).gather(bought["item"]))
    assert 0.2 < (first["times"] > 1).mean() < 0.6


def test_carts_orders_and_refunds_hang_together() -> None:
    bought, carted = of_kind("purchase"), of_kind("cart")
    assert bought.join(carted, on=["user", "item"], how="anti").height == 0
    assert bought.group_by("order_id").agg(pl.col("user").n_unique(), pl.col("ts_ms").n_unique()).select(
        pl.max("user", "ts_ms")
    ).row(0) == (1, 1)
    assert bought.group_by("order_id").len()["len"].max() > 1  # type: ignore[operator]
    back = of_kind("refund").join(bought, on=["order_id", "item"], how="left")
    assert (back["ts_ms"] > back["ts_ms_right"]).all()
    assert (back["quantity"] == back["quantity_right"]).all()


def test_the_oracle_foretells_new_purchases() -> None:
    """Fresh purchases of another history of the same people: the oracle ranks them far above popularity."""
    truth, users = world().truth, np.arange(SMALL.users, dtype=np.int32)
    oracle = truth.oracle(users)
    assert oracle.shape == (600, 300)
    assert (oracle[:, ~truth.on_sale()] == 0).all()
    shop = world().shop
    history = History.of(shop.events, shop.user_vocabulary(), shop.item_vocabulary(), kinds=["purchase"])
    count = np.zeros(oracle.shape)
    np.add.at(count, (history.user_idx, history.item_idx), 1.0)
    popular = np.broadcast_to(count.sum(axis=0), count.shape)

    def found(scores: np.ndarray) -> float:
        top = np.argsort(-scores, axis=1)[:, :10]
        return float(np.take_along_axis(count, top, axis=1).sum())

    assert found(oracle) > 1.5 * found(popular)


def test_expected_purchases_are_the_real_ones() -> None:
    """Sessions times the oracle's rate, summed over pairs, is about the number of purchases (first ones only)."""
    truth = world().truth
    sessions = np.bincount(of_kind("impression").unique("request_id")["user"], minlength=SMALL.users)
    users, moments = np.arange(SMALL.users, dtype=np.int32), np.linspace(SMALL.start_ms, SMALL.end_ms, 13)
    rate = np.mean([truth.oracle(users, int(ts)) for ts in moments], axis=0)
    expected = (1 - np.exp(-sessions[:, None] * rate)).sum()
    first = of_kind("purchase").unique(["user", "item"]).height
    assert abs(first - expected) < 4 * np.sqrt(expected)


def test_the_same_seed_gives_the_same_bytes() -> None:
    config = SimConfig(users=50, items=60, events=3_000)
    one, two, other = (simulate(config, seed).shop for seed in (1, 1, 2))
    assert one.events.frame.equals(two.events.frame)
    assert one.catalogue.frame.equals(two.catalogue.frame)
    assert one.users.frame.equals(two.users.frame)
    assert not one.events.frame.equals(other.events.frame)


def test_tiny_shops_work() -> None:
    config = SimConfig(users=1, items=40, events=1, days=1, slots=1, looks=0.0)
    assert simulate(config, 0).shop.events.frame.height >= 0
