"""A log without impressions teaches a ranker over the model's own lists; its order is used where that is better."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from shutil import copytree
from typing import Any, Literal

import msgspec
import numpy as np
import polars as pl
import pytest

from paretail.core.clock import DAY_MS
from paretail.core.errors import BundleError, UsageError
from paretail.data.stores.embedded import EmbeddedStore
from paretail.data.types import Catalogue, Events, Shop
from paretail.pipeline.config import ServeConfig, ShopConfig
from paretail.pipeline.experiments.config import ExperimentConfig
from paretail.pipeline.live.bodies import ListRequest, PageRequest, RecommendRequest
from paretail.pipeline.live.shop import LiveShop
from paretail.pipeline.predict import predict_to_file
from paretail.pipeline.ranking import GROUP, _unheeded, order_of, reordered
from paretail.pipeline.recommend import recommend_to_file
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.train import Trained, train_shop
from paretail.pipeline.update import NO_RANKER, update_shop
from paretail.policy import PolicyError
from paretail.rank.boosted.ranker import BoostedRanker
from paretail.rank.config import RankConfig

USERS, ITEMS, DAYS = 320, 40, 150
CONFIG = ShopConfig.parse({"data": {"events": "events.csv"}}, "shop.toml")


def shop(users: int = USERS) -> Shop:
    """People view what they like and buy a part of it, but hardly again before three weeks have passed."""
    rng = np.random.default_rng(0)
    taste = 0.7 * (rng.normal(size=(users, 2)) @ rng.normal(size=(2, ITEMS))) + rng.normal(size=ITEMS)
    rows: list[tuple[Any, ...]] = []
    for user in range(users):
        last = np.full(ITEMS, -99)
        for day in np.sort(rng.choice(DAYS, rng.integers(6, 14), replace=False)).tolist():
            odds = np.exp(taste[user] + np.where(last < 0, 0, np.where(day - last > 21, 2.5, -2.5)))
            for item in rng.choice(ITEMS, 5, replace=False, p=odds / odds.sum()).tolist():
                ts = 1_700_000_000_000 + day * DAY_MS + int(rng.integers(DAY_MS // 2))
                rows.append((f"u{user}", f"i{item}", "view", ts))
                if rng.random() < 1 / (1 + np.exp(-0.6 * taste[user, item])):
                    rows.append((f"u{user}", f"i{item}", "purchase", ts + 1000))
                    last[item] = day
    names = ["user_id", "item_id", "kind", "ts_ms"]
    frame = pl.DataFrame(rows, schema=names, orient="row").sort("ts_ms").with_columns(
        order_id=pl.lit(None, pl.String), quantity=pl.lit(1.0),
        price_minor=100 + 50 * pl.col("item_id").str.slice(1).cast(pl.Int64),
    )  # fmt: skip
    return Shop(Events(frame, "clock"), Catalogue(pl.DataFrame({"item_id": [f"i{k}" for k in range(ITEMS)]})))


@cache
def trained(folder: Path) -> Trained:
    return train_shop(shop(), CONFIG, folder / "bundle")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("funnel")
    trained(folder)
    return folder / "bundle"


def lists(bundle: Path, order: Any, out: Path) -> pl.DataFrame:
    recommend_to_file(bundle, "all", out, k=10, order=order)
    return pl.read_parquet(out)


def test_training_says_what_lists_gain_and_which_tasks_there_are(bundle: Path) -> None:
    said = trained(bundle.parent).account
    assert any(line.startswith("Ranker: Lists that may repeat what a user had: NDCG@20") for line in said)
    assert (
        "Ranker: the task `cart` is left out: fewer than 50 of the pairs asked reached it alone; no event of that kind"
        in said
    )
    facts = Recommender.load(bundle).manifest.facts[GROUP]
    assert facts["tasks"] == ["click", "purchase", "value"]
    assert facts["report"]["modes"]["none"]["days"] == pytest.approx(30, abs=1)


def test_lists_are_in_the_rankers_order_where_training_was_sure(bundle: Path, tmp_path: Path) -> None:
    facts = Recommender.load(bundle).manifest.facts
    assert order_of(facts, "none") == "measured"  # the wait before buying again is nothing that a blend can see
    auto, model, bought = (
        lists(bundle, order, tmp_path / f"{order}.parquet") for order in ("auto", "model", "purchase")
    )
    assert not auto["item_id"].equals(model["item_id"])
    share = facts[GROUP]["report"]["modes"]["none"]["gain"]["share"]
    assert auto["item_id"].equals(bought["item_id"]) == (share == 1)
    assert auto["score"].is_between(0, 1).all()
    unsure: dict[str, Any] = {**facts, GROUP: {"report": {"modes": {"none": {"gain": {
        "ndcg": 0.5, "gain": 0.01, "error": 0.006, "questions": 500}}}}}}  # fmt: skip
    assert order_of(unsure, "none") == "model"
    assert order_of({"target": "purchase"}, "none") == "model"


def test_probabilities_are_of_the_next_month_and_levels_follow_each_other(bundle: Path, tmp_path: Path) -> None:
    recommender = Recommender.load(bundle)
    user, item = (part.ravel().astype(np.int32) for part in np.meshgrid(np.arange(USERS), np.arange(ITEMS)))
    at = np.full(len(user), recommender.moment_ms, np.int64)
    told = recommender.ranker.predict(recommender.history, np.arange(USERS, dtype=np.int32), user, item, at)
    last = shop().events.frame.filter(pl.col("ts_ms") >= recommender.moment_ms - 30 * DAY_MS)
    for p, kind in ((told.p_click, "view"), (told.p_click * told.p_purchase, "purchase")):
        pairs = last.filter(pl.col("kind") == kind).select("user_id", "item_id").unique().height
        assert p.sum() == pytest.approx(pairs, rel=0.2)
    assert ((told.p_purchase > 0) & (told.p_purchase <= 1)).all()
    assert np.isnan(told.p_cart).all()
    assert told.order_value[item == 30].mean() == pytest.approx(1600, rel=0.25)


def test_a_pair_is_predicted_the_same_alone_and_among_others(bundle: Path) -> None:
    recommender = Recommender.load(bundle)
    at = np.full(ITEMS, recommender.moment_ms, np.int64)
    known, every = np.array([3], np.int32), np.arange(ITEMS, dtype=np.int32)
    history = recommender.history_of(pl.Series(["u3"]))
    whole = recommender.ranker.predict(history, known, np.zeros(ITEMS, np.int32), every, at)
    alone = recommender.ranker.predict(history, known, np.zeros(1, np.int32), every[7:8], at[:1])
    assert alone.p_click[0] == whole.p_click[7]


def test_users_who_ask_at_other_moments_are_each_told_of_their_own(bundle: Path) -> None:
    recommender = Recommender.load(bundle)
    history, known = recommender.history_of(pl.Series(["u3", "u4", "u5"])), np.array([3, 4, 5], np.int32)
    user, item = np.repeat(np.arange(3, dtype=np.int32), ITEMS), np.tile(np.arange(ITEMS, dtype=np.int32), 3)
    when = recommender.moment_ms + np.array([0, 35, 0]) * DAY_MS
    whole = recommender.ranker.predict(history, known, user, item, when[user])
    for place in range(3):
        mine = user == place
        alone = recommender.ranker.predict(
            history.of_users(np.array([place])), known[[place]], np.zeros(ITEMS, np.int32), item[mine], when[user][mine]
        )
        np.testing.assert_allclose(whole.p_click[mine], alone.p_click, rtol=1e-5)  # products of other shapes round
    same = recommender.ranker.predict(history, known, user, item, np.full(len(user), when[0]))
    assert not np.array_equal(whole.p_click[user == 1], same.p_click[user == 1])


def test_somebody_new_keeps_the_models_list_and_can_be_predicted(bundle: Path, tmp_path: Path) -> None:
    for order in ("auto", "model"):
        (tmp_path / "who").write_text("stranger\n")
        recommend_to_file(bundle, str(tmp_path / "who"), tmp_path / f"{order}.parquet", order=order)
    assert pl.read_parquet(tmp_path / "auto.parquet").equals(pl.read_parquet(tmp_path / "model.parquet"))
    pl.DataFrame({"user_id": ["stranger"], "item_id": ["i1"]}).write_csv(tmp_path / "pairs.csv")
    told = predict_to_file(bundle, tmp_path / "pairs.csv", tmp_path / "p.parquet", quantiles=[0.1, 0.9])
    assert told["new_users"] == 1
    assert pl.read_parquet(tmp_path / "p.parquet")["order_value_p90"][0] > 0


def test_predictions_are_explained_without_a_rest(bundle: Path, tmp_path: Path) -> None:
    """Groups sum to the difference from the usual pair; over all pairs asked, the score and the trees say what p is."""
    recommender = Recommender.load(bundle)
    ranker, at = recommender.ranker, np.full(2 * ITEMS, recommender.moment_ms, np.int64)
    user, item = np.repeat(np.arange(2, dtype=np.int32), ITEMS), np.tile(np.arange(ITEMS, dtype=np.int32), 2)
    asked = recommender.history_of(pl.Series(["u3", "u8"])), np.array([3, 8], np.int32), user, item, at
    why, told = ranker.explain(*asked), ranker.predict(*asked)
    assert why.tasks == ("click", "purchase", "value")
    assert not why.given
    bought = told.p_click * told.p_purchase
    np.testing.assert_allclose(why.predicted[:, 1], bought, rtol=1e-4, atol=2e-6)
    np.testing.assert_allclose(why.predicted[:, 2], told.order_value)
    odds = [np.log(p / (1 - p)) for p in (why.predicted[:, :2], why.usual[:2])]
    np.testing.assert_allclose(why.contributions[:, :2].sum(2), odds[0] - odds[1], atol=1e-5)
    np.testing.assert_allclose(why.contributions[:, 2].sum(1), np.log(why.predicted[:, 2] / why.usual[2]), atol=1e-9)
    past = why.contributions[:, 1, why.groups.index("past with the item")]
    assert past.std() > 0.1  # the wait before buying again
    pairs = pl.DataFrame({"user_id": ["u3", "stranger"], "item_id": ["i1", "i2"]})
    pairs.write_csv(tmp_path / "pairs.csv")
    predict_to_file(bundle, tmp_path / "pairs.csv", tmp_path / "p.parquet", explain=tmp_path / "why.parquet")
    frame = pl.read_parquet(tmp_path / "why.parquet")
    assert frame.height == 6
    assert frame["text"][1].startswith("A purchase has ")


def test_trees_of_an_earlier_version_are_not_taken_apart(bundle: Path) -> None:
    ranker = Recommender.load(bundle).ranker
    assert isinstance(ranker, BoostedRanker)
    level = ranker.modes[ranker.mode]["purchase"]
    old = replace(level, trees=replace(level.trees, cover=np.zeros_like(level.trees.cover)))
    nobody = np.zeros(0, np.int32)
    with pytest.raises(UsageError, match="RANK-17"):
        replace(ranker, modes={ranker.mode: {"purchase": old}}).explain(
            ranker.log, nobody, nobody, nobody, np.zeros(0, np.int64)
        )


def test_goals_work_on_such_a_bundle(bundle: Path) -> None:
    recommender = Recommender.load(bundle)
    assert {"clicks", "purchases", "revenue"} <= set(recommender.steering.available)


@pytest.mark.parametrize("how", ["thompson", "ucb"])
def test_beliefs_in_new_items_that_trees_cannot_tell_are_refused(bundle: Path, tmp_path: Path, how: str) -> None:
    config = CONFIG.model_copy(update={"policy": CONFIG.policy.model_copy(update={"new_items": how})})
    with pytest.raises(PolicyError, match=r"(?s)ranker tells no deviation.*new_items = \"mean\".*POL-12"):
        train_shop(shop(users=60), config, tmp_path / "none")
    assert not (tmp_path / "none").exists()
    recommender = Recommender.load(bundle)
    recommender.manifest.config["policy"]["new_items"] = how
    with pytest.raises(BundleError, match="POL-12"):
        _ = recommender.steering


def test_other_modes_have_levels_of_their_own(bundle: Path) -> None:
    ranker = Recommender.load(bundle).ranker_in("all")
    assert isinstance(ranker, BoostedRanker)
    assert ranker.mode == ("all" if "all" in ranker.modes else "none")
    assert ranker.under("target").mode == ranker.mode


def test_few_users_teach_no_ranker_and_it_is_said(tmp_path: Path) -> None:
    done = train_shop(shop(users=60), CONFIG, tmp_path / "small")
    assert any(line.startswith("No ranker: fewer than 200 users could be asked") for line in done.account)
    with pytest.raises(BundleError, match="RANK-05"):
        lists(tmp_path / "small", "purchase", tmp_path / "x.parquet")
    off = replace_rank(enabled=False)
    assert not any("anker" in line for line in train_shop(shop(users=60), off, tmp_path / "off").account)


def replace_rank(**values: Any) -> ShopConfig:
    return CONFIG.model_copy(update={"rank": CONFIG.rank.model_copy(update=values)})


def test_equal_seeds_give_equal_rankers(bundle: Path, tmp_path: Path) -> None:
    train_shop(shop(), CONFIG, tmp_path / "again")
    first, again = (Recommender.load(root).ranker for root in (bundle, tmp_path / "again"))
    assert first.facts == again.facts
    assert all(np.array_equal(array, again.arrays()[name]) for name, array in first.arrays().items())


def test_an_update_keeps_the_trees_and_tells_values_anew(bundle: Path, tmp_path: Path) -> None:
    copytree(bundle, tmp_path / "b")
    before, now = Recommender.load(bundle), shop()
    end = now.events.frame["ts_ms"].max()
    frame = now.events.frame.with_columns(price_minor=pl.col("price_minor") * 2)
    more = frame.tail(1).with_columns(ts_ms=pl.lit(end, pl.Int64) + 1000, user_id=pl.lit("new"))
    done = update_shop(replace(now, events=Events(pl.concat([frame, more]), "clock")), CONFIG, before, tmp_path / "b")
    after = Recommender.load(tmp_path / "b")
    assert f"Ranker: as {before.version} learned it" in done.account
    assert after.ranker.facts == before.ranker.facts
    old, new = before.ranker.arrays(), after.ranker.arrays()
    assert all(np.array_equal(array, new[name]) for name, array in old.items() if not name.startswith("money/"))
    assert np.exp(new["money/item"] - old["money/item"]) == pytest.approx(2, rel=0.01)
    assert len(new["money/user"]) == len(after.users) == len(before.users) + 1
    assert len(lists(tmp_path / "b", "purchase", tmp_path / "x.parquet")) == 10 * len(after.users)


def test_another_kind_of_event_teaches_the_ranker_anew(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paretail.pipeline.update.add_ranker", lambda *_: ("anew",))
    copytree(bundle, tmp_path / "b")
    now = shop().events.frame
    carts = now.filter(pl.col("kind") == "purchase").with_columns(kind=pl.lit("cart"))
    both = Events(pl.concat([now, carts]).sort("ts_ms"), "clock")
    done = update_shop(replace(shop(), events=both), CONFIG, Recommender.load(bundle), tmp_path / "b")
    assert done.account == ("anew",)


def test_lists_are_ordered_by_a_share_of_what_trees_add(bundle: Path) -> None:
    recommender = Recommender.load(bundle)
    ranker, history = recommender.ranker, recommender.history_of(pl.Series(["u1"]))
    assert isinstance(ranker, BoostedRanker)
    drawn, known = recommender.recommend(history, 20), np.array([1], np.int32)

    def ordered(share: float) -> list[int]:
        report = {"modes": {"none": {"gain": {**ranker.report["modes"]["none"]["gain"], "share": share}}}}
        return list(reordered(replace(ranker, report=report), history, known, drawn, 20, "measured").item_idx[0])

    assert ordered(0.0) == list(drawn.item_idx[0])
    whole = reordered(ranker, history, known, drawn, 20, "purchase").item_idx[0]
    assert ordered(1.0) == list(whole)
    assert ordered(0.5) not in (ordered(0.0), ordered(1.0))


def test_candidates_of_one_user_are_put_in_order(bundle: Path) -> None:
    recommender = Recommender.load(bundle)
    history = recommender.history_of(pl.Series(["u1"]))
    drawn = recommender.recommend(history, 20)
    found = reordered(recommender.ranker, history, np.array([1], np.int32), drawn, 5, "purchase")
    assert (np.diff(found.scores[0]) <= 0).all()
    assert set(found.item_idx[0]) <= set(drawn.item_idx[0])
    assert replace(found, scores=found.scores).item_idx.shape == (1, 5)


def test_an_order_whose_task_was_not_learned_says_what_it_comes_out_at(bundle: Path, tmp_path: Path) -> None:
    told = recommend_to_file(bundle, "u3", tmp_path / "cart.csv", k=5, order="cart")
    assert told["remark"] == "The ranker learned nothing of `cart`: lists are in the order of `click`"
    assert "remark" not in recommend_to_file(bundle, "u3", tmp_path / "value.csv", k=5, order="value")
    with serving(bundle, tmp_path / "store") as live:
        orders: tuple[Literal["cart", "value"], ...] = ("cart", "value")
        degraded = {order: live.recommend(RecommendRequest(user_id="u3", order=order)).degraded for order in orders}
    assert degraded == {"cart": ["order"], "value": []}


def test_settings_that_trees_do_not_read_are_named() -> None:
    assert _unheeded(RankConfig(epochs=3, balance="nash", seed=5, ensembles=2)) == (
        "without impressions [rank] balance, epochs count nothing",
    )
    assert _unheeded(RankConfig(leaks="ignore")) == ()


def test_an_update_says_that_it_learns_no_first_ranker(bundle: Path, tmp_path: Path) -> None:
    copytree(bundle, tmp_path / "b")
    parent, now = Recommender.load(bundle), shop()
    del parent.manifest.facts[GROUP]
    more = now.events.frame.tail(1).with_columns(ts_ms=pl.col("ts_ms") + 1000)
    later = replace(now, events=Events(pl.concat([now.events.frame, more]), "clock"))
    assert update_shop(later, CONFIG, parent, tmp_path / "b").account == (NO_RANKER,)
    assert GROUP not in Recommender.load(tmp_path / "b").manifest.facts


@contextmanager
def serving(bundle: Path, store: Path, config: ServeConfig | None = None,
            experiments: Sequence[ExperimentConfig] = ()) -> Iterator[LiveShop]:  # fmt: skip
    kept = EmbeddedStore.open(store)
    with LiveShop.open(bundle, kept, config, experiments) as live:
        yield live
    kept.close()


def test_a_service_serves_the_order_that_training_measured(bundle: Path, tmp_path: Path) -> None:
    """By default, where asked for, and in an arm, as `recommend` writes it; the model's for who has no events."""
    auto, model = (
        dict(lists(bundle, order, tmp_path / f"{order}.parquet").group_by("user_id").agg("item_id").iter_rows())
        for order in ("auto", "model")
    )
    asked = [RecommendRequest(user_id=f"u{user}", k=10) for user in range(12)]
    with serving(bundle, tmp_path / "store") as live:
        for order in (None, "auto", "model"):
            answers = live.recommend_many([msgspec.structs.replace(one, order=order) for one in asked])
            for one, answer in zip(asked, answers, strict=True):
                want = (model if order == "model" else auto)[one.user_id]
                assert not isinstance(answer, Exception)
                assert ([line.item_id for line in answer.items], answer.degraded) == (want, [])
        page = live.page(PageRequest(user_id="u3", lists=[ListRequest("for-you", 10), ListRequest("trending", 10)]))
        assert [line.item_id for line in page.lists[0].items] == auto["u3"]
        assert {line.source for line in page.lists[1].items} == {"trending"}
        assert {line.source for line in live.recommend(RecommendRequest(user_id="stranger")).items} == {"popular"}
        assert all(line.reason for line in live.recommend(RecommendRequest(user_id="u3", explain=True)).items)
    arms = [{"name": "as it is", "share": 0.5}, {"name": "model", "share": 0.5, "order": "model"}]
    experiment = ExperimentConfig.parse({"name": "order", "arms": arms})
    with serving(bundle, tmp_path / "arms", None, [experiment]) as live:
        for one in asked:
            answer = live.recommend(one)
            assert [line.item_id for line in answer.items] == (model if answer.arm == "model" else auto)[one.user_id]
    with serving(bundle, tmp_path / "model", ServeConfig(order="model")) as live:
        assert [line.item_id for line in live.recommend(asked[3]).items] == model["u3"]
