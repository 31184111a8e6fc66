"""What is told to a live shop is in the very next answer, and survives it."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from paretail.core.clock import DAY_MS, now_ms
from paretail.core.errors import ParetailError, Problem, UsageError
from paretail.data.stores.base import StoredEvent
from paretail.pipeline.bundle import point, versions
from paretail.pipeline.live.bodies import (
    Event,
    Item,
    ItemChange,
    NewEvent,
    RecommendRequest,
    SimilarRequest,
    TrendingRequest,
)
from paretail.pipeline.live.shop import LiveShop

from ...trained import DemoShop, paretail
from .conftest import Open

USER = "u00000007"


def ids(live: LiveShop, user_id: str | None = USER, k: int = 10, **question: object) -> list[str]:
    answer = live.recommend(RecommendRequest(user_id=user_id, k=k, **question))  # type: ignore[arg-type]
    return [item.item_id for item in answer.items]


def scores(live: LiveShop) -> dict[str, float]:
    return {item.item_id: item.score for item in live.recommend(RecommendRequest(user_id=USER, k=100)).items}


def unseen(live: LiveShop, user_id: str = USER) -> list[str]:
    """Return the list of all that the user did nothing with, as the shop of these tests lets purchases come back."""
    return ids(live, user_id, k=100, exclude=["all"])


def until(true: Callable[[], bool], seconds: float = 15.0) -> bool:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if true():
            return True
        time.sleep(0.02)
    return False


def test_lists_equal_those_of_the_command_line(live: LiveShop, shop: DemoShop, tmp_path: Path) -> None:
    users = [*shop.users[:40], "nobody"]
    (tmp_path / "users.txt").write_text("\n".join(users))
    assert paretail("recommend", "--bundle", shop.bundle, "--users", tmp_path / "users.txt", "--out",
                    tmp_path / "r.parquet", "-k", 15).code == 0  # fmt: skip
    wanted = pl.read_parquet(tmp_path / "r.parquet").partition_by("user_id", as_dict=True)
    answers = live.recommend_many(
        [RecommendRequest(user_id=user, k=15, out_of_stock=True, variants=True) for user in users]
    )
    for user, answer in zip(users, answers, strict=True):
        assert not isinstance(answer, ParetailError)
        assert [item.item_id for item in answer.items] == wanted[(user,)]["item_id"].to_list()
        assert [item.score for item in answer.items] == pytest.approx(wanted[(user,)]["score"].to_list(), rel=1e-4)


def test_an_event_changes_the_very_next_answer(live: LiveShop) -> None:
    for _ in range(20):
        before, first = scores(live), unseen(live)[0]
        verdict = live.add_events([NewEvent(USER, first, "buy")])
        assert (verdict.accepted, verdict.rows[0].status) == (1, "accepted")
        assert first not in unseen(live)
        assert scores(live) != before


def test_somebody_new_is_known_by_their_first_event(live: LiveShop) -> None:
    before = ids(live, "stranger")
    live.add_events([NewEvent("stranger", before[5], "cart")])
    answer = live.recommend(RecommendRequest(user_id="stranger", k=10))
    assert [item.item_id for item in answer.items] != before
    assert {item.source for item in answer.items} == {"blend"}


def test_a_stored_event_counts_as_one_told_with_the_question(live: LiveShop) -> None:
    events = [("i00000003", "pv"), ("i00000009", "cart"), ("i00000030", "buy")]
    told = [Event(item_id=item, kind=kind, ts=1_790_000_000.0 + n) for n, (item, kind) in enumerate(events)]
    wanted = ids(live, None, events=told)
    live.add_events([NewEvent("v", event.item_id, event.kind, event.ts) for event in told])
    assert ids(live, "v") == wanted


def test_events_survive_a_restart(open_shop: Open) -> None:
    live = open_shop()
    live.add_events([NewEvent("v", "i00000003", "buy"), NewEvent("v", "i00000004", "pv")])
    wanted = ids(live, "v")
    assert ids(open_shop(), "v") == wanted


def test_an_event_that_the_bundle_was_trained_on_counts_once(live: LiveShop, shop: DemoShop) -> None:
    before = ids(live, k=30)
    mine = shop.events().filter(pl.col("visitor_id") == USER, pl.col("kind") != "impression").with_columns(
        ts=pl.col("timestamp").str.to_datetime(time_zone="UTC").dt.epoch("s")
    )  # fmt: skip
    rows = [NewEvent(USER, row["sku"], row["action"], float(row["ts"])) for row in mine.iter_rows(named=True)]
    assert live.add_events(rows).accepted == len(rows) > 3
    assert ids(live, k=30) == before


def test_the_same_event_id_counts_once(live: LiveShop) -> None:
    row = NewEvent("v", "i00000003", "buy", event_id="e1")
    assert [verdict.status for verdict in live.add_events([row, row]).rows] == ["accepted", "duplicate"]
    answer = live.add_events([row])
    assert (answer.accepted, answer.duplicates, answer.rejected) == (0, 1, 0)


def test_each_row_is_judged_for_itself(live: LiveShop) -> None:
    ahead = now_ms() / 1000 + 2 * 86400
    rows = [
        NewEvent("v", "i00000003", "buy"), NewEvent("v", "i00000003", "dance"), NewEvent("v", "i00000003"),
        NewEvent("v", "i00000003", "pv", ts=ahead), Problem("SERV-10", "row 4: no", "yes", "do"),
        NewEvent("v", "an item of tomorrow", "pv"),
    ]  # fmt: skip
    answer = live.add_events(rows)
    assert [verdict.status for verdict in answer.rows] == ["accepted", *["rejected"] * 4, "accepted"]
    assert [verdict.error.code for verdict in answer.rows if verdict.error] == [
        "SERV-04",
        "SERV-04",
        "LIVE-01",
        "SERV-10",
    ]
    assert (answer.accepted, answer.rejected) == (2, 4)
    assert len(live.store.events()) == 2


def test_price_quantity_and_order_are_kept_in_minor_units(live: LiveShop) -> None:
    live.add_events([NewEvent("v", "i00000003", "buy", 1_700_000_000.5, "e", "o", 2.0, 19.99, "r", 3, 1.5)])
    row = live.store.events().row(0, named=True)
    assert (row["kind"], row["ts_ms"], row["order_id"], row["quantity"]) == ("purchase", 1_700_000_000_500, "o", 2.0)
    assert (row["price_minor"], row["request_id"], row["position"], row["dwell_ms"]) == (1999, "r", 3, 1500)


def test_stock_hiding_deleting_and_setting_are_obeyed_at_once(live: LiveShop) -> None:
    first, second, third = ids(live)[:3]
    live.change_items([ItemChange(first, in_stock=False), ItemChange(second, hidden=True)])
    assert live.delete_items([third]).accepted == 1
    assert not {first, second, third} & set(ids(live, k=100))
    assert first in ids(live, k=100, out_of_stock=True)
    assert not {second, third} & set(ids(live, k=100, out_of_stock=True))
    with pytest.raises(UsageError, match="LIVE-02"):
        live.item(third)
    live.change_items([ItemChange(first, in_stock=True), ItemChange(second, hidden=False)])
    live.put_items([Item(third, title="Back again")])
    assert ids(live)[:3] == [first, second, third]
    assert live.item(third).item == Item(third, title="Back again")


def test_a_price_is_obeyed_by_the_next_filter_and_survives(open_shop: Open) -> None:
    live = open_shop()
    item = ids(live)[0]
    before = live.item(item).item
    assert item in ids(live, filter=f"price between {before.price} and {before.price}")
    verdict = live.change_items([ItemChange(item, price=0.01), ItemChange(item, attributes={"season": "winter"})])
    assert verdict.accepted == 2
    assert ids(live, filter="price <= 0.01") == ids(live, filter='season = "winter"') == [item]
    live = open_shop()
    assert ids(live, filter='price <= 0.01 and season = "winter"') == [item]
    after = live.item(item).item
    assert (after.price, after.title, after.category, after.brand) == (
        0.01,
        before.title,
        before.category,
        before.brand,
    )


def test_documents_that_cannot_be_are_refused_row_by_row(live: LiveShop) -> None:
    answer = live.change_items(
        [ItemChange("no such item", price=1.0), ItemChange("i00000003", attributes={"size": 4.0})]
    )
    assert [verdict.status for verdict in answer.rows] == ["rejected", "accepted"]
    answer = live.put_items(
        [Item("i00000004", attributes={"size": "large"}), Item("i00000005", attributes={"size": 5.0})]
    )
    assert [verdict.status for verdict in answer.rows] == ["rejected", "accepted"]
    assert answer.rows[0].error is not None
    assert dict(live.store.documents("items")).keys() == {"i00000003", "i00000005"}


def test_a_new_item_can_be_asked_for_and_is_not_learned(live: LiveShop) -> None:
    live.put_items([Item("brand new", title="N", price=5.0, created=now_ms() / 1000)])
    answer = live.item("brand new")
    assert (answer.learned, answer.item.price) == (False, 5.0)
    assert live.item("i00000003").learned


def test_the_profile_says_what_the_events_say(live: LiveShop) -> None:
    item = live.item("i00000003").item
    live.add_events([NewEvent("v", "i00000003", "buy"), NewEvent("v", "i00000003", "pv")])
    profile = live.profile("v")
    assert profile.events == {"purchase": 1, "view": 1}
    assert item.category is not None
    assert [(interest.name, interest.share, interest.events) for interest in profile.categories] == [
        (item.category[-1], 1.0, 2)
    ]
    assert [interest.name for interest in profile.brands] == [item.brand]
    assert profile.price is not None
    assert profile.price.low == profile.price.median == item.price
    assert profile.days_since == pytest.approx(0, abs=0.01)
    assert item.category[-1] in profile.words


def test_trending_follows_events(live: LiveShop) -> None:
    def trending(**question: object) -> list[str]:
        return [item.item_id for item in live.trending(TrendingRequest(k=5, **question)).items]  # type: ignore[arg-type]

    assert "i00000091" not in trending()
    live.add_events([NewEvent(f"v{number}", "i00000091", "buy") for number in range(300)])
    assert trending()[0] == "i00000091"
    assert "i00000091" not in trending(filter='not item_id = "i00000091"')
    live.change_items([ItemChange("i00000091", in_stock=False)])
    assert "i00000091" not in trending()


def test_hot_topics_are_what_bursts(live: LiveShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paretail.pipeline.live.engine.BURSTS_SECONDS", 0.0)

    def hot(**question: object) -> list[tuple[str, str]]:
        answer = live.trending(TrendingRequest(by="burst", **question))  # type: ignore[arg-type]
        return [(item.item_id, item.source) for item in answer.items]

    now = now_ms() / 1000
    assert hot() == []
    steady = [NewEvent(f"v{number}", f"i{number % 20:08d}", "pv", ts=now - 86_400 * (1 + number % 27))
              for number in range(800)]  # fmt: skip
    live.add_events(steady)
    live.add_events([NewEvent(f"w{number}", f"i{number:08d}", "pv") for number in range(20)])
    assert hot() == []
    live.add_events([NewEvent(f"x{number}", "i00000007", "pv") for number in range(40)])
    assert hot() == [("i00000007", "burst")]
    assert hot(filter='not item_id = "i00000007"') == []


def test_similar_obeys_filters_and_stock(live: LiveShop) -> None:
    def similar(**question: object) -> list[str]:
        asked = SimilarRequest(["i00000003"], k=3, **question)  # type: ignore[arg-type]
        answer = live.similar(asked)
        assert [item.rank for item in answer.items] == [1, 2, 3][: len(answer.items)]
        return [item.similar_item_id for item in answer.items]

    first, second, third = similar()
    live.change_items([ItemChange(first, in_stock=False)])
    assert similar()[:2] == [second, third]
    assert similar(out_of_stock=True) == [first, second, third]
    assert similar(filter=f'item_id = "{third}"') == [third]
    with pytest.raises(UsageError, match="SERV-03"):
        live.similar(SimilarRequest(["no such item"]))


def test_what_was_shown_is_stored_once_with_what_ties_it(open_shop: Open) -> None:
    live = open_shop()
    answer = live.recommend(RecommendRequest(user_id=USER, k=4, request_id="r1", placement="home", session_id="s"))
    live.recommend(RecommendRequest(user_id=USER, k=4, request_id="r1", placement="home", session_id="s"))
    assert until(lambda: len(live.store.answers()) == 1)
    row = live.store.answers().row(0, named=True)
    assert (row["request_id"], row["user_id"], row["session_id"], row["placement"]) == ("r1", USER, "s", "home")
    assert (row["model_version"], row["item_ids"]) == (live.version, [item.item_id for item in answer.items])
    assert row["propensities"] in (None, [1.0] * 4)
    assert abs(row["ts_ms"] - now_ms()) < DAY_MS


def test_a_new_bundle_is_picked_up_and_a_damaged_one_refused(open_shop: Open, shop: DemoShop, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(shop.bundle, bundle)
    live = open_shop(bundle)
    first = live.version
    live.add_events([NewEvent("v", "i00000003", "buy")])
    live.change_items([ItemChange("i00000004", in_stock=False)])
    other = shop.config_with(tmp_path / "other.toml", "popular")
    assert paretail("train", "--config", other, "--out", bundle).code == 0
    second = versions(bundle)[-1]
    assert until(lambda: live.version == second)
    assert not {"i00000003", "i00000004"} & set(unseen(live, "v"))
    point(bundle, first)
    assert until(lambda: live.version == first)
    matrix = next((bundle / "versions" / second).glob("*.safetensors"))
    matrix.write_bytes(matrix.read_bytes()[:-1])
    (bundle / "current").write_text(f'{{"version": "{second}"}}')
    assert until(lambda: live.problems() != [])
    assert live.version == first
    assert second in live.problems()[0]
    point(bundle, first)
    assert until(lambda: live.problems() == [])


def test_a_fault_of_the_model_gives_what_is_trending_and_says_so(
    live: LiveShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no scores today")

    monkeypatch.setattr(live._engine.recommender, "scores", broken)
    answer = live.recommend(RecommendRequest(user_id=USER, k=5, explain=True))
    assert answer.degraded[0] == "model"
    assert [item.item_id for item in answer.items] == [
        item.item_id for item in live.trending(TrendingRequest(k=5)).items
    ]
    assert {item.source for item in answer.items} == {"popular"}


def test_one_question_that_cannot_be_answered_spoils_no_other(live: LiveShop) -> None:
    good, bad, unknown = live.recommend_many([
        RecommendRequest(user_id=USER), RecommendRequest(filter="price <"), RecommendRequest(exclude=["dance"]),
    ])  # fmt: skip
    assert not isinstance(good, ParetailError)
    assert len(good.items) == 20
    assert isinstance(bad, UsageError)
    assert isinstance(unknown, UsageError)
    assert bad.problems[0].code.startswith("FILT")


def test_what_an_erased_user_was_shown_is_not_written_afterwards(live: LiveShop) -> None:
    for _ in range(5):
        live.recommend(RecommendRequest(user_id="gone", k=3))
        live.forget_users(["gone"])
    live.recommend(RecommendRequest(user_id="here", k=3))
    assert until(lambda: live.store.answers()["user_id"].to_list() == ["here"])


def test_a_refused_bundle_that_is_made_whole_is_taken(
    open_shop: Open, shop: DemoShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paretail.pipeline.live.current.LOOK_AGAIN_SECONDS", 0.2)
    bundle = tmp_path / "bundle"
    shutil.copytree(shop.bundle, bundle)
    assert paretail("train", "--config", shop.config_with(tmp_path / "o.toml"), "--out", bundle).code == 0
    first, second = versions(bundle)
    point(bundle, first)
    live = open_shop(bundle)
    file = next((bundle / "versions" / second).glob("*.safetensors"))
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    (bundle / "current").write_text(f'{{"version": "{second}"}}')
    assert until(lambda: live.problems() != [])
    file.write_bytes(whole)
    assert until(lambda: live.version == second)
    assert live.problems() == []


def test_a_change_that_is_refused_spoils_none_after_it(live: LiveShop) -> None:
    live.put_items([Item("i00000004", attributes={"size": 4.0}), Item("i00000005", attributes={"size": 5.0})])
    answer = live.change_items(
        [ItemChange("i00000004", attributes={"size": "large"}), ItemChange("i00000004", price=7.0)]
    )
    assert [verdict.status for verdict in answer.rows] == ["rejected", "accepted"]
    assert live.item("i00000004").item.price == 7.0


def test_trends_know_what_another_process_imported(live: LiveShop) -> None:
    other = type(live.store).open(live.store.folder)  # type: ignore[attr-defined]
    events = [StoredEvent(f"v{n}", "i00000091", "purchase", now_ms(), f"e{n}") for n in range(300)]
    other.append(events)
    other.close()
    assert until(lambda: live.trending(TrendingRequest(k=1)).items[0].item_id == "i00000091")
