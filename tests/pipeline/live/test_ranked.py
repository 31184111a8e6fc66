"""A caller's candidates in the order of what the ranker expects of them, as of the shop's very last event."""

from dataclasses import replace
from itertools import pairwise
from math import log
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from paretail.core.clock import DAY_MS
from paretail.core.errors import UsageError
from paretail.data.features.pairs import NAMES
from paretail.data.types import Predictions
from paretail.pipeline.live import ranked as ranked_now
from paretail.pipeline.live.asked import Asked
from paretail.pipeline.live.bodies import Event, ItemChange, NewEvent, RankAnswer, RankRequest, RecommendRequest, Rules
from paretail.pipeline.live.shop import LiveShop
from paretail.rank.boosted.questions import NEAR
from paretail.rank.boosted.ranker import KIND

from ...trained import DemoShop, paretail
from .conftest import Open

pytest.importorskip("torch")

CANDIDATES = [f"i{number:08d}" for number in range(30)]


def ranked(live: LiveShop, user_id: str | None = "u00000007", **question: object) -> RankAnswer:
    return live.rank(RankRequest(user_id=user_id, **({"candidates": CANDIDATES} | question)))  # type: ignore[arg-type]


def test_each_candidate_once_best_first(live: LiveShop) -> None:
    for by in ("value", "purchase", "click"):
        items = ranked(live, by=by, candidates=[*CANDIDATES, CANDIDATES[0], "not learned"]).items
        assert [item.rank for item in items] == list(range(1, 32))
        assert sorted(item.item_id for item in items[:-1]) == CANDIDATES
        assert (items[-1].item_id, items[-1].known, items[-1].p_click) == ("not learned", False, None)
        worth = {
            "value": [item.value or 0 for item in items[:-1]],
            "purchase": [(item.p_click or 0) * (item.p_purchase or 0) for item in items[:-1]],
            "click": [item.p_click or 0 for item in items[:-1]],
        }[by]
        slack = 2.0 if by == "purchase" else 1.0  # click and purchase together are a little more than the product
        assert all(after <= slack * before for before, after in pairwise(worth))
        assert all(
            0 < p < 1 for item in items[:-1] for p in (item.p_click, item.p_cart, item.p_purchase) if p is not None
        )


def test_it_says_what_predict_says(live: LiveShop, shop: DemoShop, tmp_path: Path) -> None:
    pl.DataFrame({"user_id": ["u00000007"] * 30, "item_id": CANDIDATES}).write_csv(tmp_path / "pairs.csv")
    out = tmp_path / "told.parquet"
    assert paretail("predict", "--bundle", shop.bundle, "--pairs", tmp_path / "pairs.csv", "--out", out).code == 0
    told = {row["item_id"]: row for row in pl.read_parquet(out).iter_rows(named=True)}
    for item in ranked(live).items:
        assert item.p_click == pytest.approx(told[item.item_id]["p_click"], rel=1e-5)
        assert item.value == pytest.approx(told[item.item_id]["expected_value"], rel=1e-4, abs=1e-7)


def test_predictions_are_explained_where_asked(live: LiveShop) -> None:
    """Contributions sum to the difference of log-odds from the usual pair, in lists as in ranked candidates."""
    answer = ranked(live, candidates=[*CANDIDATES[:5], "not learned"], explain=True)
    assert [line.why for line in answer.items[-1:]] == [[]]
    listed = live.recommend(RecommendRequest(user_id="u00000007", k=4, order="click", explain=True)).items
    for line in [*answer.items[:-1], *listed]:
        assert {"click", "purchase"} <= {why.task for why in line.why}
        for why in line.why:
            assert why.predicted > 0
            level = log if why.task == "value" else lambda p: log(p / (1 - p))
            assert sum(why.adds.values()) == pytest.approx(level(why.predicted) - level(why.usual), abs=1e-3)
            assert "times the usual" in why.text
        assert {why.task: why.predicted for why in line.why}["click"] == pytest.approx(line.p_click, rel=1e-4)
    assert not any(line.why for line in ranked(live).items)
    assert not any(line.why for line in live.recommend(RecommendRequest(order="click")).items)


def test_further_tasks_where_asked(live: LiveShop) -> None:
    """A ranker that learned favourites tells of them on request; where there were none, the line has nothing."""
    learned, asked = live._engine.recommender.ranker, CANDIDATES[:2]
    assert ranked(live, candidates=asked, tasks=["favourite"]).items[0].p_favourite is None
    predict = learned.predict

    def with_favourites(*question: Any) -> Predictions:
        told = predict(*question)
        return replace(told, more={"favourite": 0.5 * told.p_click})

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(learned), "predict", lambda self, *question: with_favourites(*question))
        found = ranked(live, candidates=asked, tasks=["favourite", "long_view"]).items
        assert ranked(live, candidates=asked).items[0].p_favourite is None
    assert [line.p_favourite for line in found] == [pytest.approx(0.5 * (line.p_click or 0)) for line in found]
    assert found[0].p_long_view is None


def test_quantiles_of_an_order_where_asked(live: LiveShop) -> None:
    items = ranked(live, candidates=[*CANDIDATES[:5], "not learned"], quantiles=[0.9, 0.1]).items
    assert all(line.order_quantiles[0] > line.order_quantiles[1] > 0 for line in items[:-1])
    assert items[-1].order_quantiles == []
    assert ranked(live, candidates=CANDIDATES[:2]).items[0].order_quantiles == []


def test_prices_of_now_reach_all_that_tells_money(live: LiveShop) -> None:
    """The value, quantiles of an order, and what is explained of it, whose parts still sum to the whole."""
    (before,) = ranked(live, candidates=CANDIDATES[:1], quantiles=[0.5], explain=True).items
    price = live.item(CANDIDATES[0]).item.price
    assert price is not None
    live.change_items([ItemChange(CANDIDATES[0], price=2 * price)])
    (after,) = ranked(live, candidates=CANDIDATES[:1], quantiles=[0.5], explain=True).items
    assert after.value == pytest.approx(2 * (before.value or 0), rel=1e-4)
    assert after.order_quantiles == pytest.approx([2 * before.order_quantiles[0]], rel=1e-4)
    then, now = ({why.task: why for why in line.why} for line in (before, after))
    assert now["value"].predicted == pytest.approx(2 * then["value"].predicted, rel=1e-4)
    assert sum(now["value"].adds.values()) == pytest.approx(log(now["value"].predicted / now["value"].usual), abs=1e-3)
    assert now["click"] == then["click"]


def test_an_event_changes_the_very_next_answer(live: LiveShop) -> None:
    for user_id in ("u00000007", "somebody new"):
        before = {item.item_id: item.p_click for item in ranked(live, user_id).items}
        live.add_events([NewEvent(user_id, "i00000012", "click")])
        after = {item.item_id: item.p_click for item in ranked(live, user_id).items}
        assert before != after
    told = [Event("i00000012", "click"), Event("i00000014", "click")]
    assert ranked(live, None).items != ranked(live, None, events=told).items


def test_the_moment_is_the_shops_latest_event(live: LiveShop) -> None:
    """Who was here two days ago does not read as if they were here now, once others have come."""
    end_ms = live._engine.recommender.moment_ms

    def read() -> tuple[int, dict[str, float]]:
        asked = Asked.of(live._engine, Rules(user_id="u00000007"), live._shown, 0)
        question = ranked_now.pairs_of([asked], [np.arange(3, dtype=np.int32)])
        features = live._engine.recommender.ranker.features
        told = features.raw(question[0], *question[2:])[0].tolist()
        return int(question[4][0]), dict(zip(NAMES, told, strict=True))

    assert read()[0] == end_ms
    live.add_events([NewEvent("u00000007", "i00000012", "click", ts=end_ms / 1000 + 3600)])
    moment, then = read()
    assert (moment, then["active"]) == (end_ms + 3_600_001, pytest.approx(1.0))
    live.add_events([NewEvent("somebody else", "i00000012", "click", ts=end_ms / 1000 + 3600 + 2 * 86400)])
    moment, later = read()
    assert (moment, later["active"]) == (end_ms + 3_600_001 + 2 * DAY_MS, pytest.approx(1 / 3))
    assert later["wished_day"] == 0 < then["wished_day"]
    assert (later["trend"], later["wished_week_lift"]) == (then["trend"], then["wished_week_lift"])


def test_lists_are_ranked_where_asked(live: LiveShop, shop: DemoShop, tmp_path: Path) -> None:
    """The retriever's best in the ranker's order: over HTTP as by the command line, with the predictions of each."""
    asked = RecommendRequest(user_id="u00000007", k=8, order="purchase", exclude=["none"])
    every = ranked(live, by="purchase", candidates=[f"i{number:08d}" for number in range(100)]).items
    answer = live.recommend(asked)  # which the next answers know of
    assert [line.item_id for line in answer.items] == [item.item_id for item in every[:8]]
    assert [line.p_click for line in answer.items] == [item.p_click for item in every[:8]]
    assert {line.source for line in answer.items} == {"ranker"}
    plain = live.recommend(RecommendRequest(user_id="u00000007", k=8, exclude=["none"]))
    assert [line.p_click for line in plain.items] == [None] * 8
    out = tmp_path / "lists.parquet"
    asked_for = ["--users", "u00000007", "--order", "purchase", "--exclude", "none", "-k", 8, "--out", out]
    done = paretail("recommend", "--bundle", shop.bundle, *asked_for)
    assert done.code == 0, done.err
    assert pl.read_parquet(out)["item_id"].to_list() == [line.item_id for line in answer.items]


def test_a_ranker_that_fails_leaves_the_retrievers_list(live: LiveShop, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = live.recommend(RecommendRequest(user_id="u00000007", k=8))
    monkeypatch.setattr("paretail.rank.learned.ranker.Ranker.predict", lambda *_: 1 / 0)
    answer = live.recommend(RecommendRequest(user_id="u00000007", k=8, order="value"))
    assert [line.item_id for line in answer.items] == [line.item_id for line in plain.items]
    assert (answer.degraded, {line.source for line in answer.items}) == (["ranker"], {plain.items[0].source})


def test_without_a_ranker_it_says_so(open_shop: Open, shop: DemoShop, tmp_path: Path) -> None:
    config = shop.config_with(tmp_path / "shop.toml")
    assert paretail("train", "--config", config, "--out", tmp_path / "plain").code == 0
    with pytest.raises(UsageError, match="RANK-05"):
        ranked(open_shop(tmp_path / "plain"))
    with pytest.raises(UsageError, match="RANK-05"):
        open_shop(tmp_path / "plain").recommend(RecommendRequest(order="value"))


@pytest.mark.parametrize(("kind", "deep"), [(KIND, NEAR), ("learned", 500)])
def test_lists_are_ranked_as_deep_as_the_ranker_learned(kind: str, deep: int) -> None:
    """What a gain was measured on is what is served; slates are composed from all candidates whatever the ranker."""
    facts = {"ranker": {"kind": kind}}
    engine: Any = SimpleNamespace(recommender=SimpleNamespace(manifest=SimpleNamespace(facts=facts)))
    assert ranked_now.drawn(engine, asking(order="value")) == deep
    assert ranked_now.drawn(engine, asking(order="value", k=700)) == 700
    assert ranked_now.drawn(engine, asking()) == 10
    assert ranked_now.drawn(engine, asking(goals={"dial": {"clicks": 0.5}})) == 500


def asking(**fields: Any) -> RecommendRequest:
    return msgspec.convert({"user_id": "u", "k": 10, **fields}, RecommendRequest)
