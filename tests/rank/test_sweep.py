"""The bench of a sweep on small planted shops: what is judged on what, and refused; the whole: `cli/test_sweep.py`."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch")

from paretail.core.rng import rng_for  # noqa: E402  # torch may be missing
from paretail.data.features import windows  # noqa: E402
from paretail.data.features.pairs import NAMES, PairFeatures, standard_of, standardised  # noqa: E402
from paretail.data.types import History  # noqa: E402
from paretail.graph.shopgraph import ShopGraph  # noqa: E402
from paretail.rank import RankError  # noqa: E402
from paretail.rank.balance import BALANCERS  # noqa: E402
from paretail.rank.config import RankConfig  # noqa: E402
from paretail.rank.examples import Examples  # noqa: E402
from paretail.rank.learned.sweep import Bench, _drawn, _ways, single_of  # noqa: E402
from paretail.rank.sides import UserSides  # noqa: E402
from paretail.rank.spaces import SPACES  # noqa: E402

from .test_ranker import graph, planted  # noqa: E402
from .world import world  # noqa: E402

QUICK = {"dim": 4, "own_dim": 1, "sweep": {"points": 3, "epochs": 1, "impressions": 5_000}}


def bench(**settings: object) -> Bench:
    return Bench.of(graph(), planted().shop.events, RankConfig.parse(QUICK | settings), 0)


def drawn(made: Bench) -> tuple[Examples, History, History]:
    """Return the examples of a bench, the events of its users, and those before the cut."""
    every = Examples.of(planted().shop.events, graph().nodes["user"], graph().nodes["item"])
    sample, users = _drawn(every, 5_000, rng_for("rank/sweep", 0))
    history = graph().history.of_users(users)
    return sample, history, history.where(history.ts_ms < made.about["cut_ms"])


def test_a_sweep_tries_the_whole_sum_every_method_and_every_space() -> None:
    ways = _ways(RankConfig(), ("click", "purchase", "value"))
    kinds = {
        kind: [name for name, (of, _, _) in ways.items() if of == kind] for kind in ("weighted", "method", "space")
    }
    assert len(kinds["weighted"]) == 21
    assert set(kinds["method"]) == set(BALANCERS) - {"weighted"}
    assert set(kinds["space"]) == set(SPACES) - {"conditional"}
    even = ways["weighted 0.50"][2].balance_settings["weights"]
    assert even == {"click": 1.0, "purchase": 1.0, "value": 1.0}
    assert ways["weighted 0.00"][2].balance_settings["weights"]["click"] == 0


def test_newer_examples_are_judged_and_nobody_is_in_both() -> None:
    made = bench()
    assert made.about["learned"] + made.about["judged"] == made.about["impressions"]
    assert 5_000 <= made.about["impressions"] < 6_500
    assert made.about["judged"] / made.about["impressions"] == pytest.approx(0.25, abs=0.01)
    assert 0 < made.about["control"] < 0.8
    assert made.users == made.about["users"] > made.early.user.max()


def test_users_are_learned_and_judged_as_their_windows_find_them() -> None:
    """The oldest examples know nothing of what was shown, the newer ones what was until the cut, none its answer."""
    made = bench()
    _, history, before = drawn(made)
    sides = UserSides.of(before, PairFeatures.of(graph().tables["item"], before).facts)
    nothing = sides.matrix(history.where(np.zeros(len(history.ts_ms), bool)))
    oldest = slice(0, made.about["learned"] // 16 - 5)
    for frame, rows, known in ((made.early, oldest, nothing), (made.late, slice(None), sides.matrix(before))):
        np.testing.assert_array_equal(made.user_columns[frame.standing[rows]], known[frame.user[rows]])
        np.testing.assert_array_equal(made.user_of[frame.standing], frame.user)
    assert len(made.user_of) > 3 * made.users
    net = made.network(made.config)
    assert len(net.get_buffer("user_counts")) == made.users
    is_late = torch.zeros(len(made.user_of), dtype=torch.bool).index_fill(0, made.late.standing, True)
    blind = replace(made, user_columns=made.user_columns.masked_fill(~is_late[:, None], torch.nan))
    assert blind._beliefs(net).mean["click"].isfinite().all()


def test_what_came_of_items_is_counted_of_all_users_until_each_moment() -> None:
    made = bench()
    sample, _, before = drawn(made)
    counts = PairFeatures.of(graph().tables["item"], graph().history).demand.before(sample.item_idx, sample.ts_ms)
    rates = PairFeatures.of(graph().tables["item"], before).rates
    found = windows.lifts(counts, rates)
    raw = np.stack([*found.values()], 1).astype(np.float32)
    learned = made.about["learned"]
    want = standardised(raw, *standard_of(raw[:learned]))
    places = [NAMES.index(name) for name in found]
    for frame, rows in ((made.early, slice(0, learned)), (made.late, slice(learned, None))):
        np.testing.assert_allclose(frame.features[:, places], want[rows], atol=1e-4)
    assert (made.late.features[:, places].std(0) > 0.1).all()


@pytest.mark.parametrize("settings", [{}, {"space": "esmm", "relation": 1.0}])
def test_single_task_models_share_no_number(settings: dict[str, object]) -> None:
    made = bench(**settings)
    single = single_of(made.config, made.tasks)
    assert single.relation == 0
    net = made.network(single)
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


def test_purchases_that_are_the_same_for_all_correlate_with_nothing() -> None:
    """Where the log tells of no clicks but those that were bought, each of them was a purchase."""
    shop = world(80, 40, 1200, buying=1.0).shop
    kinds = ["impression", "purchase"]
    events = replace(shop.events, frame=shop.events.frame.filter(pl.col("kind").is_in(kinds)))
    bought = ShopGraph.build(replace(shop, events=events), shop.user_vocabulary(), shop.item_vocabulary())
    made = Bench.of(bought, events, RankConfig.parse(QUICK), 0)
    found = made.tried("x", "weighted", None, made.config)
    assert made.tasks == ("click", "purchase", "value")
    assert found.failed is None
    assert found.correlation is None
    assert np.isfinite([*found.losses().values()]).all()


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


def test_too_little_that_is_later_is_told() -> None:
    with pytest.raises(RankError, match=r"RANK-04"):
        bench(sweep={"points": 3, "epochs": 1, "impressions": 1_000, "later": 0.0001})
