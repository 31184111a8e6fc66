"""The ranker against a world whose probabilities are known, and what each of its parts promises."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from paretail.core.clock import DAY_MS  # noqa: E402  # torch may be missing
from paretail.data.features.past import NOTHING, SHOWN, TURNED  # noqa: E402
from paretail.data.types import Predictions  # noqa: E402  # torch may be missing
from paretail.graph.shopgraph import ShopGraph  # noqa: E402
from paretail.learn import device  # noqa: E402
from paretail.rank import RankError  # noqa: E402
from paretail.rank.config import RankConfig  # noqa: E402
from paretail.rank.examples import Examples, learnable  # noqa: E402
from paretail.rank.learned.fitting import HEAVIEST, weighed  # noqa: E402
from paretail.rank.learned.foldin import Evidence, Usual, folded  # noqa: E402
from paretail.rank.learned.gaussian import Gaussian, expected  # noqa: E402
from paretail.rank.learned.network import RankNet, Sizes  # noqa: E402
from paretail.rank.learned.preparing import LATER  # noqa: E402
from paretail.rank.learned.ranker import Ranker  # noqa: E402
from paretail.rank.sharing import SHARING  # noqa: E402
from paretail.rank.standings import Standings, cuts_of  # noqa: E402

from .world import World, world  # noqa: E402

QUICK = {"epochs": 10, "dim": 6, "own_dim": 2}
DRAWS = 200_000


@cache
def planted() -> World:
    return world()


@cache
def graph() -> ShopGraph:
    shop = planted().shop
    return ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())


@cache
def trained(**settings: Any) -> Ranker:
    return Ranker.train(graph(), planted().shop.events, RankConfig(**(QUICK | settings)))


def everyone(ranker: Ranker, known: bool = True) -> Predictions:
    """Predict all pairs at the end of the log, of the log's users or of people who only look like them."""
    users, items = graph().users, graph().items
    rows = np.arange(users, dtype=np.int32) if known else np.full(users, -1, np.int32)
    user, item = np.repeat(np.arange(users, dtype=np.int32), items), np.tile(np.arange(items, dtype=np.int32), users)
    return ranker.predict(
        graph().history, rows, user, item, np.full(users * items, int(graph().history.ts_ms.max()) + 1)
    )


def alike(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_probabilities_are_those_of_the_world() -> None:
    told, truth = everyone(trained()), planted()
    assert alike(told.p_click, truth.p_click) > 0.91
    assert alike(told.p_purchase, truth.p_purchase) > 0.8
    for predicted, true in ((told.p_click, truth.p_click), (told.p_purchase, truth.p_purchase)):
        assert predicted.mean() / true.mean() == pytest.approx(1, abs=0.1)
        bins = np.array_split(np.argsort(predicted), 10)
        assert np.mean([abs(predicted[part].mean() - true.ravel()[part].mean()) for part in bins]) < 0.035
    true_value = truth.p_click * truth.p_purchase * truth.value
    assert told.value.mean() / true_value.mean() == pytest.approx(1, abs=0.12)
    assert ((told.p_cart > 0) & (told.p_cart < 1)).all()


def test_it_learns_on_the_cpu_whatever_else_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    here, asked = device.place("cpu"), list[str]()
    monkeypatch.setattr(device, "place", lambda where, precision: asked.append(where) or here)
    Ranker.train(graph(), planted().shop.events, RankConfig(epochs=1, dim=2, own_dim=1))
    assert set(asked) == {"cpu"}


def test_positions_are_learned_and_taken_out() -> None:
    seen = trained().net.seen(torch.arange(1, 6)).exp().detach().numpy()
    np.testing.assert_allclose(seen, 1 / (1 + 0.5 * np.arange(5)), atol=0.06)


def test_positions_that_nobody_logged_are_seen_like_the_last_one_and_all_where_none_was() -> None:
    net, every = RankNet(RankConfig(**QUICK), ("click",), Sizes(7, 7, 9, 3, 2, 5)), torch.arange(1, 20)
    with torch.no_grad():
        net.unseen[1:4] = torch.tensor([-0.5, 0.1, 0.6])
    net.see_beyond(4)
    seen = net.seen(every).exp()
    assert (seen[:4].diff() < 0).all()
    assert (seen[4:] == seen[3]).all()
    net.see_everything()
    net.see_beyond(0)
    assert net.seen(torch.arange(20)).exp().tolist() == pytest.approx([1.0] * 20)


def test_tasks_that_follow_one_taste_are_related() -> None:
    relations = trained().net.relations().numpy()
    np.testing.assert_allclose(np.diag(relations)[:3], 1, atol=1e-4)
    np.testing.assert_allclose(relations, relations.T, atol=1e-5)
    assert relations[0, 2] > 0.8


def test_somebody_new_is_predicted_from_what_is_known() -> None:
    told, truth = everyone(trained(), known=False), planted()
    assert np.isfinite(told.p_click).all()
    assert 0.3 < alike(told.p_click, truth.p_click) < alike(everyone(trained()).p_click, truth.p_click)


def test_events_after_the_log_change_the_very_next_prediction() -> None:
    """Somebody new who turned to items is believed to like items like them, and an old user's new click counts."""
    ranker, truth = trained(), planted()
    every = np.arange(graph().items, dtype=np.int32)
    at = np.full(len(every), int(graph().history.ts_ms.max()) + DAY_MS)
    nobody = graph().history.of_users(np.array([0])).where(np.zeros(int(graph().history.indptr[1]), bool))
    for liked_by in (3, 40):
        liked = np.argsort(-truth.p_click[liked_by])[:4].astype(np.int32)
        told = replace(
            nobody, indptr=np.array([0, 4]), item_idx=liked, kind=np.full(4, nobody.kinds.index("click"), np.uint8),
            ts_ms=at[:4] - 1000, quantity=np.ones(4, np.float32),
        )  # fmt: skip
        new = np.array([-1], np.int32)
        before = ranker.predict(nobody, new, np.zeros(len(every), np.int32), every, at).p_click
        after = ranker.predict(told, new, np.zeros(len(every), np.int32), every, at).p_click
        others = np.setdiff1d(every, liked)
        assert (
            alike(after[others], truth.p_click[liked_by][others])
            > alike(before[others], truth.p_click[liked_by][others]) + 0.2
        )
        assert after.mean() / before.mean() == pytest.approx(1, abs=0.6)  # a few clicks on the best are no click rate


def test_users_are_learned_as_their_windows_find_them() -> None:
    """The network is trained and calibrated with columns of what lay before each window of examples."""
    ranker, history = trained(), graph().history
    some = Examples.of(planted().shop.events, graph().nodes["user"], graph().nodes["item"])
    want = Standings.of(
        ranker.sides, history, some.user_idx, some.ts_ms, cuts_of(some.ts_ms, some.apart(LATER)["click"])
    )
    np.testing.assert_array_equal(ranker.net.get_buffer("user_columns").numpy(), want.columns)
    np.testing.assert_array_equal(ranker.net.get_buffer("user_of").numpy(), want.user)
    assert len(want.user) > 3 * history.users


def test_fold_in_by_hand() -> None:
    """One column: the maximum has no slope, and what average events tell changes nothing."""
    x, clicked, left = (
        np.array([[1.0, 1.0], [0.2, 1.0], [-0.4, 1.0]]),
        np.array([1.0, 0.0, 0.0]),
        np.array([0, 1.5, 1.5]),
    )
    evidence = Evidence(np.arange(3), clicked, left)
    theta, spread = folded(np.zeros(2), np.ones(2), x, np.full(3, -1.0), evidence)
    p = 1 / (1 + np.exp(1 - x @ theta))
    np.testing.assert_allclose(x.T @ (clicked * (1 - p) - left * p) - theta, 0, atol=1e-6)
    assert (spread < 1).all()
    rate = 1 / (1 + np.exp(1.0))
    average = Evidence(np.arange(2), np.array([rate, 0.0]), np.array([0.0, 1 - rate]))
    same, _ = folded(np.zeros(2), np.ones(2), np.array([[0.0, 1.0]] * 2), np.full(2, -1.0), average)
    np.testing.assert_allclose(same, 0, atol=1e-6)


def test_fold_in_ends_at_the_most_likely_even_where_newton_goes_back_and_forth() -> None:
    rng = np.random.default_rng(0)
    for size in (1.0, 3.0, 10.0):
        x, mean, variance = size * rng.normal(size=(60, 4)), rng.normal(size=4), np.full(4, 4.0)
        evidence = Evidence(np.arange(60), rng.integers(0, 3, size=60).astype(float), np.full(60, 2.0))
        c = np.full(60, -3.0)
        theta, _ = folded(mean, variance, x, c, evidence)
        p = 1 / (1 + np.exp(-c - x @ theta))
        slope = x.T @ (evidence.clicked - (evidence.clicked + 2) * p) - (theta - mean) / variance
        assert np.abs(slope).max() < 0.05 * size


def test_evidence_is_what_was_clicked_and_what_was_left() -> None:
    usual, says = Usual(np.array([0, 1, 2, 3]), 8.0, 0.5), np.array([SHOWN, TURNED, TURNED, NOTHING], np.uint8)
    item, kind = np.array([7, 7, 7, 7, 9], np.int32), np.array([1, 1, 2, 3, 1], np.uint8)
    told = usual.evidence(
        item, kind, says[kind]
    )  # clicks alone: the usual items were left, 8 times for each of 3 clicks
    assert told.item_idx.tolist() == [7, 9, 0, 1, 2, 3]
    assert told.clicked.tolist() == [2, 1, 0, 0, 0, 0]
    assert told.left.tolist() == [0, 0, 6, 6, 6, 6]
    shown = np.array([5, 7, 7, 9, 5, 7], np.int32)
    kind = np.append(kind, np.zeros(6, np.uint8))
    told = usual.evidence(np.append(item, shown), kind, says[kind])
    assert told.item_idx.tolist() == [5, 7, 9]
    assert told.clicked.tolist() == [0, 2, 1]
    assert told.left.tolist() == [1.0, 0.5, 0.0]  # half of the two, and of the third, that were not clicked


def test_a_bundle_keeps_it_to_the_last_bit() -> None:
    ranker = trained()
    again = Ranker.from_arrays(ranker.arrays(), ranker.facts, graph().tables["item"], graph().history)
    before, after = (vars(everyone(one)) for one in (ranker, again))
    more = before.pop("more"), after.pop("more")
    for name, values in (before | more[0]).items():
        np.testing.assert_array_equal((after | more[1])[name], values)


def test_columns_that_another_version_divided_otherwise_are_not_read() -> None:
    ranker = trained()
    facts = {**ranker.facts, "config": {**ranker.facts["config"], "shared_vectors": False}}
    del facts["readers"]  # which a bundle of before has not
    with pytest.raises(KeyError, match="readers"):
        Ranker.from_arrays(ranker.arrays(), facts, graph().tables["item"], graph().history)


def test_same_seed_same_bytes() -> None:
    one, other = (Ranker.train(graph(), planted().shop.events, RankConfig(**QUICK | {"epochs": 1})) for _ in range(2))
    assert all(other.arrays()[name].tobytes() == array.tobytes() for name, array in one.arrays().items())


@pytest.mark.parametrize("settings", [
    *({"sharing": name} for name in SHARING if name != "bottom"), {"balance": "nash"}, {"balance": "uncertainty"},
    {"shared_vectors": False}, {"propensity_power": 0.0, "click_power": 0.0}, {"own_dim": 0},
], ids=str)  # fmt: skip
def test_every_way_of_sharing_and_weighing_learns(settings: dict[str, Any]) -> None:
    some = planted().shop.events
    some = replace(
        some,
        frame=some.frame.filter(
            pl.col("request_id").is_in(some.frame["request_id"].unique(maintain_order=True)[:2500].implode())
        ),
    )
    ranker = Ranker.train(graph(), some, RankConfig(**(QUICK | {"epochs": 4} | settings)))
    assert alike(everyone(ranker).p_click, planted().p_click) > 0.5
    losses = [epoch["loss"] for epoch in ranker.report["curves"]["epochs"]]
    assert losses[-1] < losses[0]


def test_examples_by_hand() -> None:
    shop = planted().shop
    first = shop.events.frame.filter(pl.col("request_id") == "r0")
    examples = Examples.of(replace(shop.events, frame=first), shop.user_vocabulary(), shop.item_vocabulary())
    clicked = set(first.filter(pl.col("kind") == "click")["item_id"])
    names = shop.item_vocabulary().names(examples.item_idx).to_list()
    assert sorted(examples.position.tolist()) == [1, 2, 3, 4, 5]
    assert {name for name, label in zip(names, examples.labels["click"], strict=True) if label} == clicked
    assert all(np.isnan(label) == (name not in clicked)
               for name, label in zip(names, examples.labels["purchase"], strict=True))  # fmt: skip


def test_impressions_weigh_by_their_propensity_where_it_is_told() -> None:
    shop = planted().shop
    some = shop.events.frame.head(2000).with_columns(
        propensity=pl.when(pl.col("position") == 1).then(0.02).when(pl.col("position") == 2).then(0.5)
    )
    examples = Examples.of(replace(shop.events, frame=some), shop.user_vocabulary(), shop.item_vocabulary())
    first, second = (examples.position == place for place in (1, 2))
    assert examples.propensity[first] == pytest.approx(0.02)
    silent = ~first & ~second
    assert np.isnan(examples.propensity[silent]).all()  # nobody told it
    weight = weighed(examples.propensity, 0.3)
    assert (weight[silent] == 1).all()
    assert weight[~silent].mean() == pytest.approx(1)
    assert weight[first].mean() / weight[second].mean() == pytest.approx((0.02 / 0.5) ** -0.3)
    rare = weighed(np.append(np.full(10, 0.02), np.full(90, np.nan)), 1.0)
    assert rare[:10].sum() / rare.sum() == pytest.approx(0.1)
    assert (weighed(np.full(3, np.nan), 1.0) == 1).all()
    (told,) = examples.unweighed
    assert told.startswith(f"{silent.sum():,} of {len(silent):,} impressions (60 %) have no propensity")
    assert examples.where(silent).unweighed == examples.where(first).unweighed == ()
    assert (weighed(examples.propensity, 0.0) == 1).all()
    assert weighed(np.append(np.full(99, 1.0), 1e-6), 1.0).max() == HEAVIEST


def test_tasks_without_positives_are_left_out_by_name() -> None:
    shop = planted().shop
    users, items = shop.user_vocabulary(), shop.item_vocabulary()
    frame = shop.events.frame
    unsold = Examples.of(replace(shop.events, frame=frame.filter(pl.col("kind") != "purchase")), users, items)
    examples, told = learnable(unsold)
    assert examples.tasks == ("click", "cart")
    assert [line.split("`")[1] for line in told] == ["long_view", "favourite", "purchase", "value"]
    unpriced = Examples.of(
        replace(shop.events, frame=frame.with_columns(price_minor=pl.lit(None, pl.Int64))), users, items
    )
    assert learnable(unpriced)[0].tasks == ("click", "cart", "purchase")
    with pytest.raises(RankError, match="RANK-04"):
        learnable(Examples.of(replace(shop.events, frame=frame.filter(pl.col("kind") == "impression")), users, items))


@pytest.mark.parametrize("sharing", SHARING)
def test_served_is_what_was_trained(sharing: str) -> None:
    """The tables as arrays, in one pass, say what the network says."""
    rng, tasks, draw = np.random.default_rng(0), ("click", "purchase", "value"), torch.Generator().manual_seed(0)
    net = RankNet(RankConfig(sharing=sharing, **QUICK), tasks, Sizes(7, 7, 9, 3, 2, 5))
    for param in net.parameters():
        param.data += 0.3 * torch.randn(param.shape, generator=draw)
    net.eval()
    pairs, served = 50, net.tables()
    user, item = rng.integers(7, size=pairs), rng.integers(9, size=pairs)
    features, price = (rng.normal(size=size).astype(np.float32) for size in ((pairs, 5), pairs))
    with torch.inference_mode():
        columns, some = torch.randn(7, 3, generator=draw), torch.tensor([3, -1, 0, 6, -1, 2, 2])
        people, others = net.users(torch.arange(7), columns), net.users(some, columns)
        for theirs, ours in zip(others, served.users.ends(some.numpy(), columns.numpy()), strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-5, atol=1e-6)
        ends = [tuple(part[torch.from_numpy(rows)] for part in end)
                for end, rows in ((people, user), (net.items(), item))]  # fmt: skip
        told = net.beliefs(ends[0], ends[1], torch.from_numpy(features), torch.from_numpy(price))
    mean, variance, together = served.beliefs((people[0].numpy(), people[1].numpy()), user, item, features, price)
    for place, task in enumerate(tasks):
        np.testing.assert_allclose(mean[place], told.mean[task].numpy(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(variance[place], told.variance[task].numpy(), rtol=1e-4)
        np.testing.assert_allclose(together[place], told.together[task].numpy(), rtol=1e-4, atol=1e-6)
    weights = net.weights().detach()
    p, q = (torch.normal(means.expand(DRAWS, -1), spreads.sqrt(), generator=draw)
            for means, spreads in ((end[0][0, : net.columns], end[1][0, : net.columns]) for end in ends))  # fmt: skip
    logits = (p * q) @ weights.T
    np.testing.assert_allclose(together[:, 0], torch.cov(logits.T)[0].numpy(), atol=0.02 * float(logits.var(0).max()))


def test_gaussians() -> None:
    table = Gaussian(4, 3, 0.5)
    prior = torch.distributions.Normal(0.0, table.log_prior.exp().expand(4, 3))
    by_torch = torch.distributions.kl_divergence(torch.distributions.Normal(table.mean, table.log_spread.exp()), prior)
    torch.testing.assert_close(table.divergence(), by_torch.sum())
    table.forget(torch.tensor([1]))
    torch.testing.assert_close(table.of(torch.tensor([1]))[1][0], prior.variance[1])
    mean, variance = torch.tensor([0.3, -1.0]), torch.tensor([0.5, 2.0])
    torch.testing.assert_close(expected(lambda x: x**3, mean, variance), mean**3 + 3 * mean * variance)


@pytest.mark.parametrize("space", ["esmm", "escm2_ips", "escm2_dr"])
def test_what_follows_a_click_can_be_learned_over_all_impressions(space: str) -> None:
    told, truth = everyone(trained(space=space, epochs=4)), planted()
    assert alike(told.p_purchase, truth.p_purchase) > (0.35 if space == "esmm" else 0.6)
    assert np.isfinite(told.value).all()
