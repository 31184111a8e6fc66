"""Bad input of a ranker: each has its message, and either a smaller set of tasks, by name, or a refusal."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy import sparse

pytest.importorskip("torch")

from paretail.core.clock import DAY_MS  # torch may be missing
from paretail.core.errors import ConfigError
from paretail.data.types import Catalogue, Shop, Users
from paretail.graph.shopgraph import ShopGraph
from paretail.rank import RankError
from paretail.rank.config import RankConfig
from paretail.rank.examples import Examples, learnable
from paretail.rank.leaks import Outcomes, exact, in_line, leaking
from paretail.rank.learned.ranker import Ranker

from .test_ranker import QUICK, planted
from .world import START

SHOP = planted().shop
FIRST = SHOP.events.frame.filter(pl.col("ts_ms") < START + 5 * DAY_MS)


def remarks_of(frame: pl.DataFrame) -> dict[str, str]:
    """Return what is said of each task that is left out."""
    examples = Examples.of(replace(SHOP.events, frame=frame), SHOP.user_vocabulary(), SHOP.item_vocabulary())
    left, told = learnable(examples, frame)
    found = {line.split("`")[1]: line.split(": ", 1)[1] for line in told}
    assert set(left.tasks) == {"click", "cart", "purchase", "value"} - set(found)
    assert found.pop("favourite") == "0 positive examples, 20 are needed; no event of that kind"
    assert found.pop("long_view").endswith("; no click or view tells how long somebody stayed")
    return found


def trained(shop: Shop, **settings: Any) -> Ranker:
    graph = ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())
    return Ranker.train(graph, shop.events, RankConfig(**(QUICK | {"epochs": 1} | settings)))


def test_a_kind_that_never_occurs() -> None:
    told = remarks_of(FIRST.filter(pl.col("kind") != "cart"))
    assert told == {"cart": "0 positive examples, 20 are needed; no event of that kind"}
    told = remarks_of(FIRST.filter(~pl.col("kind").is_in(["cart", "purchase"])))
    assert told["purchase"] == told["cart"] == "0 positive examples, 20 are needed; no event of that kind"
    assert told["value"].startswith("0 of 0 purchases")


def test_a_task_without_positives() -> None:
    """Purchases that follow from nothing shown: of other users, or long after."""
    strange = pl.when(pl.col("kind") == "purchase").then(pl.lit("somebody else")).otherwise(pl.col("user_id"))
    lost = pl.when(pl.col("kind") == "purchase").then(None).otherwise(pl.col("request_id"))
    told = remarks_of(FIRST.with_columns(user_id=strange, request_id=lost))
    bought = FIRST.filter(pl.col("kind") == "purchase").height
    assert told["purchase"] == (
        f"0 positive examples, 20 are needed; {bought:,} events of that kind follow from nothing shown"
    )
    some = pl.col("kind") != "purchase"
    few = pl.concat([FIRST.filter(some), FIRST.filter(~some).head(7)])
    assert remarks_of(few)["purchase"] == "7 positive examples, 20 are needed"


def test_no_clicks_are_refused() -> None:
    with pytest.raises(RankError, match=r"no event of that kind.*RANK-04"):
        remarks_of(FIRST.filter(pl.col("kind") == "impression"))


def test_purchases_without_prices() -> None:
    told = remarks_of(FIRST.with_columns(price_minor=pl.lit(None, pl.Int64)))
    bought = FIRST.filter(pl.col("kind") == "purchase").height
    assert told == {"value": f"0 of {bought:,} purchases that followed from what was shown have a price, 20 are needed"}


def test_constant_features_are_named() -> None:
    """Items of one category without prices or dates: what is the same for all counts nothing, and is told."""
    items = SHOP.catalogue.frame.with_columns(category=pl.lit(["all"]), price_minor=pl.lit(None, pl.Int64))
    ranker = trained(replace(SHOP, events=replace(SHOP.events, frame=FIRST), catalogue=Catalogue(items)))
    (line,) = [line for line in ranker.report["remarks"] if line.startswith("the same for every impression")]
    assert {"price_ratio", "price_level", "new", "brand_lift", "category_lift"} <= set(line.split(": ")[1].split(", "))
    assert np.isfinite(ranker.features.scale).all()


def leaky(leak: str) -> Shop:
    """Return a shop whose users tell who bought, or whose items how often they were."""
    frame = FIRST.filter((pl.col("kind") != "purchase") | (pl.col("user_id") < "u075"))  # half of the users buy nothing
    bought = frame.filter(pl.col("kind") == "purchase")
    users, items = SHOP.users.frame, SHOP.catalogue.frame
    if leak == "users":
        users = users.with_columns(
            customer=pl.when(pl.col("user_id").is_in(bought["user_id"].implode()))
            .then(pl.lit("yes"))
            .otherwise(pl.lit("no"))
        )
    else:
        count = items.select("item_id").join(
            bought.group_by("item_id").len(), on="item_id", how="left", maintain_order="left"
        )
        vectors = np.stack([count["len"].fill_null(0).to_numpy(), np.arange(items.height) % 7], 1).astype(np.float32)
        items = items.with_columns(facts=pl.Series(vectors, dtype=pl.Array(pl.Float32, 2)))
    return Shop(replace(SHOP.events, frame=frame), Catalogue(items), Users(users))


@pytest.mark.parametrize(("leak", "told"), [
    ("users", "the users' customer 'no' and `purchase`"), ("vectors", "number 0 of the items' facts rises with"),
])  # fmt: skip
def test_attributes_made_of_the_outcome_are_refused(leak: str, told: str) -> None:
    shop = leaky(leak)
    with pytest.raises(RankError, match=told) as caught:
        trained(shop)
    assert {problem.code for problem in caught.value.problems} == {"RANK-15"}
    assert trained(shop, leaks="ignore").tasks == ("click", "cart", "purchase", "value")


def test_honest_attributes_are_not() -> None:
    shop = replace(SHOP, events=replace(SHOP.events, frame=FIRST))
    graph = ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())
    examples = Examples.of(shop.events, graph.nodes["user"], graph.nodes["item"])
    assert [*leaking(graph, examples)] == []
    assert [*leaking(graph, Outcomes.of(graph.history, "purchase"))] == []


def test_what_is_exact() -> None:
    rng = np.random.default_rng(0)
    happened = rng.random(400) < 0.1

    def labels(*columns: NDArray[Any]) -> sparse.csr_array:
        return sparse.csr_array(np.stack(columns, 1).astype(np.float32))

    nearly, half = happened.copy(), happened.copy()
    half[np.flatnonzero(happened)[::2]] = False  # half of them: telling, and not exact
    nearly[np.flatnonzero(~happened)[0]] = True
    rare = np.arange(400) < 10
    found = exact(labels(happened, ~happened, half, rare, np.ones(400), nearly), happened)
    assert found.tolist() == [0, 1]  # of 400 with 40 positives one wrong is more than 2 %
    assert exact(labels(happened), happened & (np.arange(400) < 60)).tolist() == []
    assert exact(labels(happened), np.zeros(400, bool)).tolist() == []


def test_what_is_in_line() -> None:
    counts = np.random.default_rng(0).poisson(5, 100).astype(np.float64)
    noise = np.random.default_rng(1).normal(size=100)
    matrix = np.stack([3 - counts, np.log1p(counts), counts + 2 * noise, np.ones(100)], 1).astype(np.float32)
    assert in_line(matrix, counts).tolist() == [0, 1]
    assert in_line(matrix[:10], counts[:10]).tolist() == []
    assert in_line(matrix, np.ones(100)).tolist() == []


def test_weights_of_tasks_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ConfigError, match="cort"):
        RankConfig.parse({"task_weights": {"cort": 1.0}}, "[rank]")
