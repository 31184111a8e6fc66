"""What an order is worth: quantiles that hold what they promise, a mean that is theirs, guards against wild orders."""

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch")

from paretail.data.types import Events  # noqa: E402  # torch may be missing
from paretail.rank.config import RankConfig  # noqa: E402  # torch may be missing
from paretail.rank.learned.network import FARTHEST, SIGMA, gaussian_loss  # noqa: E402
from paretail.rank.learned.ranker import Ranker  # noqa: E402

from .test_ranker import QUICK, graph, planted, trained  # noqa: E402
from .world import START  # noqa: E402

NOISE = 0.5
WILD = 1e7


@cache
def noisy(wild: bool = False) -> tuple[Ranker, pl.DataFrame]:
    """Train on orders that are worth the price times a lognormal number, a few of them `wild`; return them too."""
    rng = np.random.default_rng(5)
    frame = planted().shop.events.frame
    times = np.exp(NOISE * rng.normal(size=frame.height)) * np.where(wild & (rng.random(frame.height) < 1e-3), WILD, 1)
    paid = frame.with_columns(price_minor=(pl.col("price_minor") * pl.Series(times)).round().cast(pl.Int64).clip(1))
    events = replace(planted().shop.events, frame=paid)
    assert isinstance(events, Events)
    return Ranker.train(graph(), events, RankConfig(**QUICK | {"epochs": 6})), paid.filter(pl.col("kind") == "purchase")


def spread(ranker: Ranker, orders: pl.DataFrame, levels: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return quantiles of orders, and their expected values."""
    users, items = graph().nodes["user"], graph().nodes["item"]
    asked = (
        graph().history, np.arange(graph().users, dtype=np.int32), users.rows(orders["user_id"]),
        items.rows(orders["item_id"]), orders["ts_ms"].to_numpy(),
    )  # fmt: skip
    return ranker.order_quantiles(*asked, levels), ranker.predict(*asked).order_value


def test_one_order_in_ten_lies_below_and_one_above() -> None:
    ranker, orders = noisy()
    quantiles, _ = spread(ranker, orders, [0.1, 0.5, 0.9])
    below = (orders["price_minor"].to_numpy()[:, None] < quantiles).mean(axis=0)
    np.testing.assert_allclose(below, [0.1, 0.5, 0.9], atol=0.04)


def test_the_mean_is_that_of_the_quantiles() -> None:
    ranker, orders = noisy()
    levels = ((np.arange(2000) + 0.5) / 2000).tolist()
    quantiles, mean = spread(ranker, orders.head(50), levels)
    np.testing.assert_allclose(quantiles.mean(axis=1), mean, rtol=0.01)
    paid = orders["price_minor"].to_numpy()
    assert spread(ranker, orders, [])[1].sum() / paid.sum() == pytest.approx(1, abs=0.05)


def test_wild_orders_move_little() -> None:
    """One order in a thousand at ten million times the price: the median stays, and the mean stays finite and near."""
    quantiles, mean = spread(*noisy(), [0.5])
    ranker, _ = noisy(wild=True)
    wild, wild_mean = spread(ranker, noisy()[1], [0.5])
    assert 0.8 < float(np.median(wild / ranker.value_ratio / quantiles)) < 1.25
    assert np.isfinite(wild_mean).all()
    assert float(np.median(wild_mean / ranker.value_ratio / mean)) < 2


def test_guards() -> None:
    """Labels count as at most FARTHEST from the price; sigma is kept within SIGMA, and the loss never below 0."""
    zero = torch.zeros(3)
    far = gaussian_loss(torch.tensor([FARTHEST, 50.0, 1e9]), zero, zero, torch.tensor(0.0))
    torch.testing.assert_close(far, far[:1].expand(3))
    for log_sigma, sigma in ((-30.0, SIGMA[0]), (30.0, SIGMA[1])):
        told = gaussian_loss(zero, zero + 0.1, zero, torch.tensor(log_sigma))
        torch.testing.assert_close(told, torch.full((3,), float(np.log(sigma / SIGMA[0]) + 0.5 * 0.01 / sigma**2)))
        assert (told >= 0).all()


def test_without_values_nothing_is_told_of_them() -> None:
    frame = planted().shop.events.frame.with_columns(price_minor=pl.lit(None, pl.Int64))
    some = frame.filter(pl.col("ts_ms") < START + 4 * 86_400_000)
    ranker = Ranker.train(graph(), replace(planted().shop.events, frame=some), RankConfig(**QUICK | {"epochs": 1}))
    assert "value" not in ranker.tasks
    quantiles, mean = spread(ranker, frame.filter(pl.col("kind") == "purchase").head(5), [0.5])
    assert np.isnan(quantiles).all()
    assert np.isnan(mean).all()
    assert "values" not in ranker.report


def test_revenue_is_told_by_segment() -> None:
    report = trained().report["values"]
    assert {row["by"] for row in report["segments"]} == {"category", "price band (minor units)", "user", "item"}
    for by in ("category", "price band (minor units)"):
        rows = [row for row in report["segments"] if row["by"] == by]
        assert sum(row["paid"] for row in rows) == pytest.approx(report["paid"])
        assert sum(row["predicted"] for row in rows) == pytest.approx(report["predicted"])
    assert abs(report["predicted"] - report["paid"]) < 4 * report["se"]
