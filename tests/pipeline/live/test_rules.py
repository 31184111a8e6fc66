"""Lists obey their rules: filters, stock, variants, sessions, fatigue, relevance; pages never repeat an item."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from paretail.core.clock import DAY_MS, now_ms
from paretail.core.errors import UsageError
from paretail.data.stores.base import Shown
from paretail.data.types import History
from paretail.graph.paths import Path
from paretail.pipeline.live.bodies import (
    Item,
    ItemChange,
    ListRequest,
    MergeRequest,
    NewEvent,
    PageRequest,
    RecommendRequest,
    SimilarRequest,
    TrendingRequest,
)
from paretail.pipeline.live.engine import Engine, Past
from paretail.pipeline.live.rules import Drawing, draw
from paretail.pipeline.live.shop import LiveShop

from .conftest import Open

USER = "u00000007"
ALL = ("for-you", "because-you-bought", "trending", "new", "your-categories")


def ids(live: LiveShop, k: int = 10, **question: object) -> list[str]:
    answer = live.recommend(RecommendRequest(**({"user_id": USER, "k": k} | question)))  # type: ignore[arg-type]
    return [item.item_id for item in answer.items]


def lists(live: LiveShop, *requests: ListRequest, **question: object) -> dict[str, list[str]]:
    page = live.page(PageRequest(lists=list(requests), **({"user_id": USER} | question)))  # type: ignore[arg-type]
    return {made.placement: [item.item_id for item in made.items] for made in page.lists}


def test_a_filter_leaves_only_items_for_which_it_is_true(live: LiveShop) -> None:
    every = ids(live, 100)
    cheap = [item for item in every if (live.item(item).item.price or 1e9) < 30]
    assert 0 < len(cheap) < len(every)
    assert ids(live, 100, filter="price < 30") == cheap
    brand = live.item(every[3]).item.brand
    assert ids(live, 100, filter=f'brand = "{brand}"') == [i for i in every if live.item(i).item.brand == brand]
    category = (live.item(every[3]).item.category or [""])[0]
    wanted = [i for i in every if category not in (live.item(i).item.category or [])]
    assert ids(live, 100, filter=f'not category = "{category}"') == wanted
    assert ids(live, 100, filter="price < 0") == []


def test_a_filters_fault_points_at_its_place(live: LiveShop) -> None:
    with pytest.raises(UsageError, match=r"FILT") as told:
        ids(live, filter='price < 30 and brnd = "x"')
    assert "brnd" in str(told.value)


def test_include_and_exclude_lists(live: LiveShop) -> None:
    every = ids(live, 100)
    some = [every[20], every[5], every[60], "no such item"]
    assert ids(live, 100, include_items=some) == [every[5], every[20], every[60]]
    assert ids(live, 100, exclude_items=some) == [item for item in every if item not in some]


def test_one_variant_of_a_product_is_listed(live: LiveShop) -> None:
    first, second, third, fourth = ids(live, 4)
    live.change_items([ItemChange(second, parent_id=first), ItemChange(third, parent_id=first)])
    assert ids(live, 2) == [first, fourth]
    assert ids(live, 4, variants=True) == [first, second, third, fourth]
    live.change_items([ItemChange(item, parent_id="one product") for item in ids(live, 100)[:90]])
    assert len(ids(live, 100)) < 15  # a list that is looked through to its end


def test_what_a_session_was_shown_can_be_kept_out(live: LiveShop) -> None:
    first = ids(live, session_id="s")
    second = ids(live, session_id="s", skip_shown=True)
    third = ids(live, session_id="s", skip_shown=True)
    assert not set(first) & set(second)
    assert not set(first + second) & set(third)
    assert [*first, *second, *third] == ids(live, 30)
    assert ids(live, session_id="another", skip_shown=True) == first


def test_a_session_is_remembered_whole(live: LiveShop) -> None:
    shown = [[f"i{page}-{place}" for place in range(20)] for page in range(30)]
    live._shown.add([Shown(f"r{page}", 0, None, "long", "home", "v", "p", items) for page, items in enumerate(shown)])
    assert sorted(live._shown.of_session("long")) == sorted(item for items in shown for item in items)


def test_two_lists_of_one_placement_are_both_kept(live: LiveShop) -> None:
    page = lists(live, ListRequest("trending", 5, "price < 30"), ListRequest("trending", 5, "price >= 30"))
    assert len(page["trending"]) == 5
    assert {row["placement"] for row in _answers(live, 2)} == {"trending", "trending 2"}


def test_an_item_that_was_shown_often_steps_back_until_it_is_clicked(live: LiveShop) -> None:
    usual = ids(live, 40, user_id="tired")
    for _ in range(2):
        assert ids(live, 10, user_id="tired", fatigue=3) == usual[:10]
    assert ids(live, 40, user_id="tired", fatigue=0) == usual
    after = ids(live, 10, user_id="tired", fatigue=3)
    assert after == usual[10:20]
    assert ids(live, 10, user_id="somebody else", fatigue=3) == usual[:10]
    live.add_events([NewEvent("tired", usual[0], "pv")])
    assert usual[0] in ids(live, 10, user_id="tired", fatigue=3)


def test_items_tire_in_the_order_that_is_asked_for_too(live: LiveShop, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(Engine, "shown", lambda *_: Past.of([]))  # so that the order stays
    usual = ids(live, 40, user_id="weary", order="click")
    for _ in range(2):
        assert ids(live, 10, user_id="weary", order="click", fatigue=3) == usual[:10]
    assert ids(live, 40, user_id="weary", order="click", fatigue=0) == usual
    assert ids(live, 10, user_id="weary", order="click", fatigue=3) == usual[10:20]


def test_a_request_that_is_repeated_tires_once(live: LiveShop) -> None:
    usual = ids(live, 10, user_id="tired")
    for _ in range(5):
        assert ids(live, 10, user_id="tired", fatigue=3, request_id="r1") == usual


def test_relevance_is_a_share_of_the_best(live: LiveShop) -> None:
    answer = live.recommend(RecommendRequest(user_id=USER, k=100))
    best = answer.items[0].score
    wanted = [item.item_id for item in answer.items if item.score >= 0.5 * best]
    assert 0 < len(wanted) < len(answer.items)
    assert ids(live, 100, min_relevance=0.5) == wanted
    assert ids(live, 100, min_relevance=1.0) == [i.item_id for i in answer.items if i.score >= best]


def test_reasons_name_an_item_of_the_history(live: LiveShop) -> None:
    live.add_events([NewEvent("v", "i00000003", "buy")])
    answer = live.recommend(RecommendRequest(user_id="v", k=5, explain=True, exclude=["all"]))
    causes = {item.because for item in answer.items}
    assert causes <= {"i00000003", None}
    assert "i00000003" in causes
    assert all(item.reason for item in answer.items)
    assert live.recommend(RecommendRequest(user_id="v", k=5, explain=False)).items[0].reason is None


def test_paths_are_told_where_asked(live: LiveShop) -> None:
    live.add_events([NewEvent("v", "i00000003", "buy")])
    assert live._engine.ways._built is None, "a start that nobody asks for paths builds no index of them"
    lines = live.recommend(RecommendRequest(user_id="v", k=30, paths=True, exclude=["all"])).items
    ways = [way for line in lines for way in line.paths]
    assert {way.kind for way in ways} == {"item", "label"}
    assert {way.item_id for way in ways if way.kind == "item"} == {"i00000003"}
    for line in lines:
        told = live.item(line.item_id).item
        own = {"brand": [told.brand], "category": [" > ".join(told.category[: at + 1]) for at in range(3)]}
        assert all(way.value in own[str(way.label)] for way in line.paths if way.kind == "label")
    assert all(way.count <= way.out_of and str(way.count) in way.text for way in ways)
    assert all(line.reason is None and len(line.paths) <= 3 for line in lines)
    page = live.page(PageRequest(user_id="v", paths=True, lists=[ListRequest("for-you", 5), ListRequest("new", 5)]))
    assert any(line.paths for line in page.lists[0].items)
    assert not any(line.paths for line in live.recommend(RecommendRequest(user_id="v", k=30)).items)


def test_whoever_was_forgotten_has_no_friends_on_the_way(live: LiveShop, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, asked_as = live._engine, list[int]()

    def to(rows: NDArray[np.int32], history: History, user_idx: int) -> list[list[Path]]:
        asked_as.append(user_idx)
        return [[] for _ in rows]

    monkeypatch.setattr(engine.ways, "to", to)
    live.merge(USER, MergeRequest("v"))
    live.recommend(RecommendRequest(user_id="v", k=3, paths=True))
    live.forget_users([USER])
    live.recommend(RecommendRequest(user_id=USER, k=3, paths=True))
    assert asked_as == [engine.recommender.users.row(USER), -1]


def test_a_page_never_shows_an_item_twice(live: LiveShop) -> None:
    live.put_items([Item(f"n{number}", title=f"New {number}", price=5.0) for number in range(4)])
    page = live.page(PageRequest(user_id=USER, explain=True, lists=[ListRequest(name, 8) for name in ALL]))  # type: ignore[arg-type]
    shown = [item.item_id for made in page.lists for item in made.items]
    assert [made.placement for made in page.lists] == list(ALL)
    assert len(shown) == len(set(shown)) > 16
    assert all(made.title for made in page.lists)
    assert all(item.reason for made in page.lists for item in made.items)
    assert [item.rank for item in page.lists[0].items] == list(range(1, 9))
    made = {made.placement: made for made in page.lists}
    assert {"n0", "n1", "n2", "n3"} >= {item.item_id for item in made["new"].items} != set()
    assert made["because-you-bought"].items[0].because is not None
    stored = {row["placement"]: row["item_ids"] for row in _answers(live, len([m for m in page.lists if m.items]))}
    assert stored == {m.placement: [item.item_id for item in m.items] for m in page.lists if m.items}


def test_a_page_takes_variants_of_what_it_shows_as_shown(live: LiveShop) -> None:
    first = ids(live, 1)[0]
    other = lists(live, ListRequest("for-you", 1), ListRequest("trending", 1))["trending"][0]
    live.change_items([ItemChange(other, parent_id=first)])
    page = lists(live, ListRequest("for-you", 1), ListRequest("trending", 100))
    assert page["for-you"] == [first]
    assert other not in page["trending"]


def test_lists_of_a_page_obey_its_filter_and_their_own(live: LiveShop) -> None:
    page = lists(live, ListRequest("for-you", 50), ListRequest("trending", 50, "price < 30"), filter="price < 60")
    assert all((live.item(item).item.price or 0) < 60 for item in page["for-you"])
    assert page["for-you"]
    page = lists(live, ListRequest("trending", 50, "price < 30"), filter="price > 10")
    assert page["trending"]
    assert all(10 < (live.item(item).item.price or 0) < 30 for item in page["trending"])


def test_a_page_for_somebody_unknown(live: LiveShop) -> None:
    page = lists(live, *(ListRequest(name, 5) for name in ALL), user_id="nobody")  # type: ignore[arg-type]
    assert len(page["for-you"]) == len(page["trending"]) == 5
    assert page["because-you-bought"] == page["your-categories"] == []


def test_your_categories_come_from_your_categories(live: LiveShop) -> None:
    live.add_events([NewEvent("v", "i00000003", "buy")])
    category = (live.item("i00000003").item.category or [""])[-1]
    found = lists(live, ListRequest("your-categories", 10), user_id="v")["your-categories"]
    assert found
    assert all(category in (live.item(item).item.category or []) for item in found)


def _answers(live: LiveShop, count: int) -> list[dict[str, object]]:
    import time

    give_up = time.monotonic() + 10
    while len(rows := live.store.answers()) < count and time.monotonic() < give_up:
        time.sleep(0.02)
    return rows.to_dicts()


class Counter:
    """What `draw` asks of an engine: which of several variants remains."""

    def __init__(self, parents: Sequence[int]) -> None:
        self.parents = np.array(parents, np.int32)

    def one_of_each(self, rows: np.ndarray) -> np.ndarray:
        return np.sort(np.unique(self.parents[rows], return_index=True)[1])


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_drawing_equals_sorting_everything(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 300))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    scores = rng.permutation(size).astype(np.float32) + 1
    parents = rng.integers(0, data.draw(st.integers(1, size)), size) if data.draw(st.booleans()) else np.arange(size)
    tired = {int(row): int(rng.integers(1, 4)) for row in rng.integers(0, size, data.draw(st.integers(0, 60)))}
    allowed = rng.random(size) < 0.7 if data.draw(st.booleans()) else None
    left_out = rng.integers(0, size, data.draw(st.integers(0, 20))).astype(np.int32)
    k, least = data.draw(st.integers(1, 40)), data.draw(st.sampled_from([0.0, 0.4]))
    variants = data.draw(st.booleans())
    order = [row for row in np.argsort(-scores) if row not in left_out and (allowed is None or allowed[row])]
    if not variants:
        order = [row for place, row in enumerate(order) if parents[row] not in parents[order[:place]]]
    every = [row for row in np.argsort(-scores) if row not in left_out and (allowed is None or allowed[row])]
    best = scores[every[0]] if every else 0
    order = [row for row in order if scores[row] >= np.float32(least * best)]
    steps = {row: tired.get(int(row), 0) for row in order}
    wanted = sorted(order, key=lambda row: (every.index(row) // k + steps[row], steps[row], every.index(row)))[:k]
    drawing = Drawing(k, allowed, left_out, tired, variants, least)
    rows, values = draw(Counter(parents.tolist()), scores.copy(), drawing)  # type: ignore[arg-type]
    assert rows.tolist() == [int(row) for row in wanted]
    assert values.tolist() == scores[rows].tolist()


def days_old(live: LiveShop, item_id: str) -> float:
    created = live.item(item_id).item.created
    return np.inf if created is None else now_ms() / DAY_MS - float(created) / 86_400


def test_old_items_are_left_out_by_the_question_or_by_the_service(open_shop: Open) -> None:
    live = open_shop()
    every = ids(live, 100)
    ages = {item: days_old(live, item) for item in every}
    limit = float(np.median([*ages.values()]))
    few = [item for item in every if ages[item] <= limit]
    assert 0 < len(few) < len(every)
    assert ids(live, 100, max_age_days=limit + 0.01) == few
    made = lists(live, *(ListRequest(placement) for placement in ALL), max_age_days=limit + 0.01)
    assert {days_old(live, item) <= limit + 0.01 for made_ids in made.values() for item in made_ids} == {True}
    live = open_shop(max_age_days=limit + 0.01)
    assert ids(live, 100) == few
    assert ids(live, 100, max_age_days=1e6) == every
    trending = live.trending(TrendingRequest(k=100)).items
    assert {days_old(live, item.item_id) <= limit + 0.01 for item in trending} == {True}
    similar = live.similar(SimilarRequest(items=every[:50], relation="similar", k=20)).items
    assert {days_old(live, item.similar_item_id) <= limit + 0.01 for item in similar} == {True}
