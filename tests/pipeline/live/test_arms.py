"""Arms: users are divided, each is served as their arm says, and what was shown is kept with it."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import polars as pl
import pytest

from paretail.core.clock import now_ms
from paretail.core.errors import BundleError, Problem
from paretail.data.documents import ItemDocument
from paretail.data.stores.base import StoredEvent, StoreError
from paretail.data.stores.embedded import EmbeddedStore
from paretail.evaluate.experiments.assignment import arm_of
from paretail.pipeline.bundle import Bundle, Draft, adopt, current, point, publish
from paretail.pipeline.config import ServeConfig
from paretail.pipeline.experiments.config import ExperimentConfig
from paretail.pipeline.live.arms import Arms
from paretail.pipeline.live.bodies import (
    Goals,
    Item,
    ListRequest,
    MergeRequest,
    NewEvent,
    PageRequest,
    RecommendRequest,
    SlateRules,
)
from paretail.pipeline.live.current import Current
from paretail.pipeline.live.ranked import is_slate
from paretail.pipeline.live.rivals import Rivals
from paretail.pipeline.live.shop import LiveShop
from paretail.pipeline.ranking import GROUP
from paretail.policy import PolicyError

from ...trained import DemoShop

pytest.importorskip("torch")

Follow = Callable[[Path], Current]
ARMS = [{"name": "live", "share": 0.5}, {"name": "bold", "share": 0.5, "goals": "diversity=1"}]

SAME = [{"name": "live", "share": 0.5}, {"name": "same", "share": 0.5}]


def experiment(**told: object) -> ExperimentConfig:
    return ExperimentConfig.parse({"name": "spring", "arms": ARMS} | told, "a test")


@contextmanager
def opened(bundle: Path, folder: Path, *experiments: ExperimentConfig) -> Iterator[LiveShop]:
    with (
        closing(EmbeddedStore.open(folder)) as store,
        LiveShop.open(bundle, store, ServeConfig(), experiments) as live,
    ):
        yield live


def test_users_are_served_as_their_arm_says(shop: DemoShop, tmp_path: Path) -> None:
    told = experiment(), experiment(name="other", placement="cart")
    with opened(shop.bundle, tmp_path / "store", *told) as live:
        users = [f"u{number:08}" for number in range(40)]
        answers = [live.recommend(RecommendRequest(user_id=user, k=5)) for user in users]
        assert {answer.experiment for answer in answers} == {"spring"}
        arms = {user: answer.arm for user, answer in zip(users, answers, strict=True)}
        assert set(arms.values()) == {"live", "bold"}
        for answer in answers:
            assert (answer.goals is not None) == (answer.arm == "bold")
            assert answer.degraded == []
        again = [live.recommend(RecommendRequest(user_id=user, k=5)).arm for user in users]
        assert again == list(arms.values())
        assert live.recommend(RecommendRequest(k=5)).experiment is None
        decided = RecommendRequest(user_id=users[0], k=5, goals=Goals(dial={"clicks": 1.0}))
        assert live.recommend(decided).experiment is None
    with closing(EmbeddedStore.open(tmp_path / "store")) as store:
        kept = store.answers()
        assert kept.filter(kept["experiment"] == "spring").height == 80
        first = kept.unique("user_id", keep="first").drop_nulls("user_id")
        told_arms = dict(zip(first["user_id"], first["arm"], strict=True))
        assert {user: told_arms[user] for user in users[1:]} == {user: arms[user] for user in users[1:]}


def test_the_arm_of_a_visitors_first_list_goes_with_them_into_the_user_on_every_process(
    shop: DemoShop, tmp_path: Path
) -> None:
    arms = [{"name": "live", "share": 0.5}, {"name": "new", "share": 0.5, "order": "click"}]
    pairs = [(f"v{number}", f"new{number}") for number in range(12)]
    ask = [RecommendRequest(user_id=visitor, k=2) for visitor, _ in pairs]
    known = [RecommendRequest(user_id=user, k=2) for _, user in pairs]

    def of(live: LiveShop, questions: Sequence[RecommendRequest]) -> list[str | None]:
        return [answer.arm for answer in live.recommend_many(questions)]  # type: ignore[union-attr]

    with (
        opened(shop.bundle, tmp_path / "store", experiment(arms=arms)) as live,
        closing(EmbeddedStore.open(tmp_path / "store")) as another,
        LiveShop.open(shop.bundle, another, ServeConfig(), [experiment(arms=arms)]) as beside,
    ):
        first = of(live, ask)
        assert first != [arm_of(user, "spring", {"live": 0.5, "new": 0.5}) for _, user in pairs]
        for visitor, user in pairs:
            live.merge(user, MergeRequest(visitor_id=visitor))
        assert of(beside, known) == first  # at once: before it has read of the merges
        assert of(live, known) == of(live, ask) == first
    with opened(shop.bundle, tmp_path / "store", experiment(arms=arms)) as live:
        assert of(live, known) == first
    with closing(EmbeddedStore.open(tmp_path / "store")) as store:
        shown = store.answers()
        assert shown.height == 60
        assert shown.group_by("user_id").agg(pl.col("arm", "drawn_by").n_unique()).drop("user_id").unique().rows() == [
            (1, 1)
        ]


def test_where_the_store_cannot_tell_the_arm_the_list_counts_for_none(
    shop: DemoShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: object) -> None:
        raise StoreError(Problem("STOR-03", "a disk error", "A store", "Look"))

    with opened(bare(shop, tmp_path / "first"), tmp_path / "store", experiment(arms=SAME)) as live:
        monkeypatch.setattr(live.store, "entry", unreadable)
        answer = live.recommend(RecommendRequest(user_id="u", k=5))
        assert (len(answer.items), answer.degraded, answer.arm) == (5, ["experiment"], None)


def test_lists_of_a_page_are_made_and_kept_as_the_arm_says(shop: DemoShop, tmp_path: Path) -> None:
    users = [f"u{number:08}" for number in range(4, 10)]
    page = [ListRequest("for-you", 5), ListRequest("trending", 5), ListRequest("for-you", 5, "in_stock = true")]
    with opened(shop.bundle, tmp_path / "store", experiment()) as live:
        for user in users:
            made = live.page(PageRequest(user_id=user, lists=page, request_id=user, explain=True))
            alone = live.recommend(RecommendRequest(user_id=user, k=5, request_id=user, explain=True))
            assert [line.item_id for line in made.lists[0].items] == [line.item_id for line in alone.items]
            assert ({one.arm for one in made.lists}, made.degraded) == ({alone.arm}, [])
            assert {one.goals is not None for one in made.lists} == {alone.arm == "bold"}
            items = [line.item_id for one in made.lists for line in one.items]
            assert len(set(items)) == len(items) == 15
        assert live.page(PageRequest(lists=page)).lists[0].experiment is None
    with closing(EmbeddedStore.open(tmp_path / "store")) as store:
        kept = store.answers().filter(pl.col("user_id").is_not_null())
        assert set(kept["placement"]) == {"for-you", "trending", "for-you 2"}
        assert set(kept.select("arm", "policy").rows()) == {("live", "best-first/1"), ("bold", "goals/1")}


def test_lists_of_a_page_may_be_of_an_arms_own_bundle_without_repeats(shop: DemoShop, tmp_path: Path) -> None:
    first, other = bare(shop, tmp_path / "first"), bare(shop, tmp_path / "other")
    told = both(other).model_copy(update={"placement": "trending"})
    with opened(first, tmp_path / "store", told) as live:
        pages = [live.page(PageRequest(user_id=f"u{number:08}")) for number in range(12)]
    versions = {(one.placement, one.arm, one.model_version) for page in pages for one in page.lists}
    trending = {("trending", "live", None), ("trending", "new", current(other))}
    assert {each for each in versions if each[0] == "trending"} == trending
    assert {each[1:] for each in versions - trending} == {(None, None)}
    for page in pages:
        items = [line.item_id for one in page.lists for line in one.items]
        assert len(set(items)) == len(items)


def both(other: Path) -> ExperimentConfig:
    arms = [{"name": "live", "share": 0.5}, {"name": "new", "share": 0.5, "bundle": str(other)}]
    return experiment(arms=arms)


def bare(shop: DemoShop, root: Path, **config: dict[str, str]) -> Path:
    """Return another bundle, without a ranker: it is loaded in no time."""
    loaded = Bundle.load(shop.bundle)
    facts = {name: fact for name, fact in loaded.manifest.facts.items() if name != GROUP}
    arrays = {name: dict(group) for name, group in loaded.arrays.items()}
    told = {name: {**part, **config.get(name, {})} if isinstance(part, dict) else part
            for name, part in loaded.manifest.config.items()}  # fmt: skip
    publish(Draft(told, root.name, {}, facts, arrays, dict(loaded.tables)), root)
    return root


def test_an_arm_may_have_a_bundle_of_its_own(shop: DemoShop, tmp_path: Path) -> None:
    users, item = [f"u{number:08}" for number in range(20)], "i00000012"
    first, other = bare(shop, tmp_path / "first"), bare(shop, tmp_path / "other")
    with opened(first, tmp_path / "store", both(other)) as live:
        answers = live.recommend_many([RecommendRequest(user_id=user, k=5) for user in users])
        versions = {(answer.arm, answer.model_version) for answer in answers}  # type: ignore[union-attr]
        assert versions == {("live", current(first)), ("new", current(other))}
        alone = [live.recommend(RecommendRequest(user_id=user, k=5)) for user in users]
        assert [one.items for one in answers] == [one.items for one in alone]  # type: ignore[union-attr]
        new = [user for user, one in zip(users, alone, strict=True) if one.arm == "new"]
        top = live.recommend(RecommendRequest(user_id=new[0], k=1)).items[0].item_id
        live.delete_items([top])
        assert top not in {line.item_id for line in live.recommend(RecommendRequest(user_id=new[0], k=50)).items}
        live.put_items([Item(item, title="Anew", price=3.0)])
        (rival,) = live._rivals.engines
        assert rival.shelf.names([rival.shelf.row(item)]) == ["Anew"]
        before = live.recommend(RecommendRequest(user_id="somebody new", k=100))
        bought = [NewEvent("somebody new", line.item_id, "buy") for line in before.items[:1]]
        live.add_events(bought)
        assert len(rival.past("somebody new").item_idx) == 1


def test_a_new_version_of_an_arms_bundle_is_followed_and_a_damaged_one_is_not(shop: DemoShop, tmp_path: Path) -> None:
    first, other, again = (bare(shop, tmp_path / name) for name in ("first", "other", "again"))
    with opened(first, tmp_path / "store", both(other)) as live:
        (rival,), before = live._rivals._current.values(), current(other)
        point(other, adopt(other, again))
        rival._follow_pointer()
        assert rival.engine.version == current(again)
        (other / "versions" / before / "manifest.json").write_text("{}")
        (other / "current").write_text(json.dumps({"version": before}))
        rival._follow_pointer()
        assert rival.engine.version == current(again)
        assert any("BNDL-02" in problem for problem in live.problems())


def test_a_bundle_of_another_currency_is_refused_at_the_start_and_later(shop: DemoShop, tmp_path: Path) -> None:
    first, other = (bare(shop, tmp_path / name) for name in ("first", "other"))
    francs = bare(shop, tmp_path / "francs", data={"currency": "CHF"})
    with pytest.raises(BundleError, match="EXPT-07"), opened(first, tmp_path / "store", both(francs)):
        pass
    with opened(first, tmp_path / "store", both(other)) as live:
        (rival,) = live._rivals._current.values()
        for swapped, bundle in ((rival, other), (live._current, first)):
            before = current(bundle)
            point(bundle, adopt(bundle, francs))
            swapped._follow_pointer()
            assert swapped.engine.version == before
            assert "EXPT-07" in (swapped.refused or "")
        assert len(live.problems()) == 2


def test_a_version_with_a_policy_of_a_newer_program_is_refused_once(
    shop: DemoShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, loaded = bare(shop, tmp_path / "first"), Bundle.load(shop.bundle)
    told, arrays = loaded.manifest, {name: dict(group) for name, group in loaded.arrays.items()}
    newer = {**told.config, "policy": {"telepathy": True}}
    publish(Draft(newer, "newer", {}, told.facts, arrays, dict(loaded.tables)), tmp_path / "newer")
    with opened(first, tmp_path / "store") as live:
        before = live.version
        point(first, adopt(first, tmp_path / "newer"))
        live._current._follow_pointer()
        assert live.version == before
        assert any("telepathy" in problem for problem in live.problems())
        monkeypatch.setattr(live._current, "_load", lambda _: pytest.fail("it was loaded again at once"))
        live._current._follow_pointer()


def test_a_version_of_arrays_that_do_not_fit_is_refused_once(
    shop: DemoShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, tried = bare(shop, tmp_path / "first"), []

    def unfit(version: str) -> None:
        tried.append(version)
        raise RuntimeError("size mismatch for net.features")

    monkeypatch.setattr("paretail.pipeline.live.current.LOOK_AGAIN_SECONDS", 3600.0)
    with opened(first, tmp_path / "store") as live:
        monkeypatch.setattr(live._current, "_load", unfit)
        live._current._stop.set()  # nobody else looks
        live._current._watcher.join()
        point(first, adopt(first, shop.bundle))
        live._current._follow_pointer()
        live._current._follow_pointer()
        assert any("size mismatch" in problem for problem in live.problems())
    assert len(tried) == 1


def test_what_another_process_writes_while_an_arms_bundle_is_loaded_reaches_it(
    shop: DemoShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, other, item = bare(shop, tmp_path / "first"), bare(shop, tmp_path / "other"), "i00000091"
    load = Rivals.open

    def interrupted(rivals: Rivals, told: Sequence[ExperimentConfig], follow: Follow, live: Current) -> None:
        def followed(bundle: Path) -> Current:
            found = follow(bundle)
            with closing(EmbeddedStore.open(tmp_path / "store")) as another:
                another.append([StoredEvent(f"v{n}", item, "purchase", now_ms(), f"e{n}") for n in range(300)])
                another.put("items", {item: msgspec.json.encode(ItemDocument(title="Anew"))})
            live._follow_store()
            return found

        load(rivals, told, followed, live)

    monkeypatch.setattr(Rivals, "open", interrupted)
    with opened(first, tmp_path / "store", both(other)) as live:
        (rival,) = live._rivals.engines
        assert rival.shelf.names([rival.shelf.row(item)]) == ["Anew"]
        assert int(rival.trends.scores(len(rival.shelf)).argmax()) == rival.shelf.row(item)


def test_an_arms_bundle_that_is_not_there_is_refused_at_the_start(shop: DemoShop, tmp_path: Path) -> None:
    first = bare(shop, tmp_path / "first")
    with pytest.raises(BundleError, match="BNDL-01"), opened(first, tmp_path / "store", both(tmp_path / "none")):
        pass


def test_lists_that_ask_for_nothing_have_the_goals_of_the_service_as_long_as_the_bundle_can(
    shop: DemoShop, tmp_path: Path
) -> None:
    shutil.copytree(shop.bundle, tmp_path / "live")
    arms = [{"name": "live", "share": 0.5}, {"name": "same", "share": 0.5}]
    carts = [RecommendRequest(user_id=f"u{number}", k=5, placement="cart") for number in range(4)]
    with (
        closing(EmbeddedStore.open(tmp_path / "store")) as store,
        LiveShop.open(tmp_path / "live", store, ServeConfig(goals="clicks=1"),
                      [experiment(placement="cart", arms=arms)]) as live,
    ):  # fmt: skip
        told = live.recommend(RecommendRequest(k=5)).goals
        assert told is not None
        assert told.shares["clicks"] == pytest.approx(1, abs=0.05)
        assert live.recommend(RecommendRequest(k=5, explore=0.0)).goals is not None
        assert live.recommend(RecommendRequest(k=5, order="purchase")).goals is None
        assert all(live.recommend(cart).goals is not None for cart in carts)
        point(tmp_path / "live", adopt(tmp_path / "live", bare(shop, tmp_path / "bare")))
        live._current._follow_pointer()
        assert live.recommend(RecommendRequest(k=5)).degraded == ["goals"]
        answers = [live.recommend(cart) for cart in carts]
        assert all(len(answer.items) == 5 for answer in answers)
        assert {tuple(answer.degraded) for answer in answers} == {("experiment", "goals")}


def test_lists_that_ask_for_nothing_are_slates_of_the_base_where_the_service_says_today() -> None:
    arms = Arms([], ServeConfig(goals="today"), None, None, None)  # type: ignore[arg-type]  # none is asked
    assert is_slate(arms._as_live(RecommendRequest(k=5)))
    assert not is_slate(arms._as_live(RecommendRequest(k=5, order="purchase")))
    ruled = RecommendRequest(slate=SlateRules(composition="mmr"))
    assert arms._as_live(ruled) is ruled


def test_an_arm_that_cannot_be_followed_is_refused_at_the_start(shop: DemoShop, tmp_path: Path) -> None:
    unknown = experiment(arms=[ARMS[0], {"name": "bold", "share": 0.5, "goals": "preset=sprig"}])
    with pytest.raises(PolicyError, match="POL-04"), opened(shop.bundle, tmp_path / "store", unknown):
        pass
    ended = experiment(active=False, arms=unknown.model_dump()["arms"])
    with opened(shop.bundle, tmp_path / "other", ended) as live:
        assert live.recommend(RecommendRequest(user_id="u00000007", k=5)).experiment is None
