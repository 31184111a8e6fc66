"""Transfer: a small shop starts from a large one's beliefs, by names, and leaves behind what does not hold."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from paretail.core.ids import Vocabulary  # noqa: E402  # torch may be missing
from paretail.data.types import Shop, Users  # noqa: E402
from paretail.graph.shopgraph import ShopGraph  # noqa: E402
from paretail.rank import RankError  # noqa: E402
from paretail.rank.config import RankConfig  # noqa: E402
from paretail.rank.learned.gaussian import DRIFT, Gaussian  # noqa: E402
from paretail.rank.learned.ranker import Ranker  # noqa: E402
from paretail.rank.learned.transfer import Origin  # noqa: E402

from .test_ranker import QUICK, alike, planted  # noqa: E402

ODD = pl.col("user_id").str.slice(1).cast(pl.Int64) % 2 == 1


def country(users: pl.Expr, share: float) -> tuple[Shop, ShopGraph]:
    """Return the shop of some users with a share of the requests."""
    frame = planted().shop.events.frame.filter(users)
    requests = frame["request_id"].unique(maintain_order=True)
    keep = requests[np.sort(np.random.default_rng(0).permutation(len(requests))[: int(share * len(requests))])]
    frame = frame.filter(pl.col("request_id").is_in(keep.implode()))
    shop = replace(planted().shop, events=replace(planted().shop.events, frame=frame),
                   users=Users(planted().shop.users.frame.filter(users)))  # fmt: skip
    return shop, ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())


@cache
def large() -> tuple[Ranker, Vocabulary]:
    shop, graph = country(~ODD, 1.0)
    return Ranker.train(graph, shop.events, RankConfig(**QUICK)), graph.nodes["item"]


def small(share: float, origin: Origin | None, **settings: Any) -> Ranker:
    shop, graph = country(ODD, share)
    return Ranker.train(graph, shop.events, RankConfig(**QUICK | settings), origin=origin)


def clicks(ranker: Ranker, share: float) -> float:
    """Return how alike predicted and true clicks of the small country are."""
    _, graph = country(ODD, share)
    users, items = graph.users, graph.items
    user, item = np.repeat(np.arange(users, dtype=np.int32), items), np.tile(np.arange(items, dtype=np.int32), users)
    ends = np.full(users * items, int(graph.history.ts_ms.max()) + 1)
    told = ranker.predict(graph.history, np.arange(users, dtype=np.int32), user, item, ends).p_click
    rows = [int(name[1:]) for name in graph.nodes["user"].ids]
    columns = [int(name[1:]) for name in graph.nodes["item"].ids]
    truth: NDArray[np.float64] = planted().p_click[np.ix_(rows, columns)]
    return alike(told, truth)


def test_a_small_shop_is_better_for_it() -> None:
    """2,000 impressions: .49 alone, .61 with items, .60 by columns (.64 alone with twice as many)."""
    ranker, items = large()
    alone = clicks(small(0.1, None, epochs=40), 0.1)
    assert clicks(small(0.1, ranker.origin(items), epochs=40), 0.1) > alone + 0.05
    by_columns = small(0.1, ranker.origin(None), epochs=40)
    assert clicks(by_columns, 0.1) > alone + 0.05
    (line,) = [line for line in by_columns.report["remarks"] if line.startswith("starts from another bundle")]
    assert ", 0 of " in line


def test_a_bundle_of_it_is_like_any_other() -> None:
    ranker, items = large()
    told = small(0.1, ranker.origin(items))
    _, graph = country(ODD, 0.1)
    again = Ranker.from_arrays(told.arrays(), told.facts, graph.tables["item"], graph.history)
    assert again.names == told.names
    assert set(again.arrays()) == set(told.arrays())
    assert not any("drift" in name for name in told.arrays())
    some = np.zeros(5, np.int32), np.arange(5, dtype=np.int32), np.full(5, told.end_ms + 1)
    every = np.arange(graph.users, dtype=np.int32)
    np.testing.assert_array_equal(again.predict(graph.history, every, *some).p_click,
                                  told.predict(graph.history, every, *some).p_click)  # fmt: skip


def test_columns_are_found_by_their_names() -> None:
    ranker, _ = large()
    assert {"category=c0", "price"} <= set(ranker.names["items"])
    assert {"country=DE", "shown c0"} <= set(ranker.names["users"])
    sizes = ranker.net.user_side.mean.shape[0], ranker.net.item_side.mean.shape[0]
    assert (len(ranker.names["users"]), len(ranker.names["items"])) == sizes


@pytest.mark.parametrize("settings", [{"dim": 5}, {"sharing": "mmoe"}])
def test_another_network_is_refused(settings: dict[str, Any]) -> None:
    ranker, items = large()
    with pytest.raises(RankError, match=r"RANK-16"):
        small(0.1, ranker.origin(items), **settings)


def test_the_posterior_of_one_is_the_prior_of_the_next() -> None:
    table, known = Gaussian(3, 2), torch.tensor([1.0, 0.0, 1.0])
    mean, variance = torch.randn(3, 2), torch.rand(3, 2) + 0.1
    table.follow(mean, variance, known)
    centre, log_prior = table.prior()
    torch.testing.assert_close(table.mean[0], mean[0])
    torch.testing.assert_close(centre[1], torch.zeros(2))
    torch.testing.assert_close(log_prior[1], table.log_prior)
    torch.testing.assert_close((2 * log_prior[2]).exp(), variance[2] + DRIFT**2)
    q = torch.distributions.Normal(table.mean, table.log_spread.exp())
    by_torch = torch.distributions.kl_divergence(q, torch.distributions.Normal(centre, log_prior.exp())).sum()
    torch.testing.assert_close(table.divergence(), by_torch)
    table.forget(torch.tensor([0, 1]))
    torch.testing.assert_close(table.mean[:2], centre[:2])
