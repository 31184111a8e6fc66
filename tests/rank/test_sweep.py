"""The bench of a sweep on small planted shops: what is judged on what, and refused; the whole: `cli/test_sweep.py`."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from paretail.graph.shopgraph import ShopGraph  # noqa: E402  # torch may be missing
from paretail.rank import RankError  # noqa: E402
from paretail.rank.config import RankConfig  # noqa: E402
from paretail.rank.learned.sweep import Bench, single_of  # noqa: E402

from .test_ranker import graph, planted  # noqa: E402
from .world import world  # noqa: E402

QUICK = {"dim": 4, "own_dim": 1, "sweep": {"points": 3, "epochs": 1, "impressions": 5_000}}


def bench(**settings: object) -> Bench:
    return Bench.of(graph(), planted().shop.events, RankConfig.parse(QUICK | settings), 0)


def test_newer_examples_are_judged_and_nobody_is_in_both() -> None:
    made = bench()
    assert made.about["learned"] + made.about["judged"] == made.about["impressions"]
    assert 5_000 <= made.about["impressions"] < 6_500
    assert made.about["judged"] / made.about["impressions"] == pytest.approx(0.25, abs=0.01)
    assert 0 < made.about["control"] < 0.8
    assert len(made.user_columns) == made.about["users"] > made.early.user.max()


def test_single_task_models_share_no_number() -> None:
    made = bench()
    net = made.network(single_of(made.config, len(made.tasks)))
    batch = made.early.batch(slice(0, 500))
    losses = net.loss(batch).tasks
    tasks = list(losses)
    touched = []
    for task in tasks:
        found = torch.autograd.grad(losses[task], list(net.parameters()), retain_graph=True, materialize_grads=True)
        touched.append([part.abs() > 0 for part in found])
    names = [name for name, _ in net.named_parameters()]
    for one in range(len(tasks)):
        for other in range(one):
            both = [name for name, a, b in zip(names, touched[one], touched[other], strict=True) if (a & b).any()]
            assert both == []


def test_the_same_seed_gives_the_same_losses() -> None:
    made = bench(sweep={"points": 3, "epochs": 1, "impressions": 2_000})
    a, b = (made.tried("x", "weighted", None, made.config).losses() for _ in range(2))
    assert a == b


def test_controls_miss_where_people_buy_what_they_do_not_click() -> None:
    """ESMM's purchases make up for what its clicks do not know; least squares of logarithms loses the money."""
    shop = world(80, 40, 1200, seed=4, rho=-0.9, buying=1.0).shop
    planted = ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())
    config = RankConfig.parse({"dim": 4, "own_dim": 2, "sweep": {"epochs": 6, "impressions": 1_000_000}})
    made = Bench.of(planted, shop.events, config, 0)
    assert made.about["control"] < 0.8
    spaces = ("conditional", "esmm")
    ours, esmm = (made.tried(name, "space", None, made.config.model_copy(update={"space": name})) for name in spaces)
    assert ours.correlation is not None
    assert esmm.correlation is not None
    assert esmm.correlation < ours.correlation - 0.04
    assert esmm.losses()["purchase"] > ours.losses()["purchase"] + 0.005


def test_one_group_alone_is_refused() -> None:
    with pytest.raises(RankError, match=r"RANK-09") as error:
        bench(sweep={"group": ["click", "cart", "purchase", "value"]})
    assert "are no two groups" in str(error.value)


def test_a_method_that_fails_is_told() -> None:
    made = bench(sweep={"points": 3, "epochs": 1, "impressions": 2_000})
    found = made.tried("x", "method", None, made.config.model_copy(update={"lr": 1e30}))
    assert found.failed is not None
    assert "nan" in found.failed or "inf" in found.failed


def test_relations_of_tasks_are_held_where_that_is_asked_for() -> None:
    made = bench()
    batch = made.early.batch(slice(0, 300))
    held = []
    for strength in (0.0, 10.0):
        net = made.network(made.config.model_copy(update={"relation": strength}))
        net.examples = 50
        held.append(net.loss(batch).penalty.item())
        covariance = net.covariance()
    assert float(covariance.trace()) == pytest.approx(1)
    assert covariance.shape == (4, 4)
    own = torch.cat([net.weights().T, torch.stack([net.net.last[task].weight[0] for task in net.tasks], 1)])
    singular = torch.linalg.svdvals(own.detach()).sum().item()
    quick = bench(relation=10.0, sweep={"points": 3, "epochs": 1, "impressions": 2_000})
    omega = quick.tried("x", "weighted", None, quick.config).covariance
    assert omega is not None
    assert np.trace(omega) == pytest.approx(1)
    assert made.tried("x", "weighted", None, made.config.model_copy(update={"lr": 1e30})).covariance is None
    assert held[1] - held[0] == pytest.approx(0.5 * 10 * singular**2 / 50, rel=0.02)
