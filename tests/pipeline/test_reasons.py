"""Reasons follow from the data: causes and shares by hand and by brute force, words one by one."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from paretail.core.ids import Vocabulary
from paretail.data.held import Mode
from paretail.data.types import History, Reason
from paretail.pipeline.akin import Labels
from paretail.pipeline.evidence import Evidence
from paretail.pipeline.likeness import Likeness
from paretail.pipeline.reasons import COMMON, did, explain, in_words
from paretail.pipeline.recommender import Recommender
from paretail.retrieve.falls import MOST_TRIED

from ..trained import DemoShop

KINDS = ("purchase", "view")


def history(*users: list[tuple[int, int]]) -> History:
    """Build from each user's events (item, kind), oldest first."""
    flat = [event for events in users for event in events]
    return History(
        indptr=np.cumsum([0, *(len(events) for events in users)]).astype(np.int64),
        item_idx=np.array([item for item, _ in flat], np.int32), kind=np.array([kind for _, kind in flat], np.uint8),
        ts_ms=np.arange(len(flat), dtype=np.int64), quantity=np.ones(len(flat), np.float32), kinds=KINDS, time="clock",
    )  # fmt: skip


EVENTS = st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1)), max_size=8), max_size=6)


class Weights:
    """A model of which all is known: score(item) = sum over events of weight[item of event, item]."""

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = np.asarray(weights, np.float32)

    def score(self, told: History, now_ms: int | None = None, mode: Mode = "target") -> np.ndarray:
        rows = [self.weights[told.item_idx[told.indptr[u] : told.indptr[u + 1]]].sum(axis=0) for u in range(told.users)]
        return np.stack(rows).astype(np.float32)


NOBODY, LOOKED_AT = Evidence(history(), 6), Evidence(history([(item, 1) for item in range(6)]), 6)


def reasons(weights: Any, told: History, *listed: int, shop: Evidence = LOOKED_AT) -> list[Reason]:
    return explain(Weights(weights), told, np.array(listed, np.int32), shop, "purchase", "target")


def test_each_item_gets_the_reason_that_holds() -> None:
    shop = history([(0, 0), (2, 0)], [(0, 0), (2, 0)], [(0, 0), (3, 0)], [(2, 0)])
    weights = np.zeros((4, 4))
    weights[1, 2], weights[0, 2] = 1, 4
    assert reasons(weights, history([(1, 1), (0, 0)]), 1, 2, 3, shop=Evidence(shop, 4)) == [
        Reason("again", 1, "view", 1),
        Reason("because", 0, "purchase", 2, pytest.approx(0.8)),
        Reason("popular", None, "purchase", 1),
    ]


def test_the_cause_speaks_more_for_the_item_than_for_the_list() -> None:
    """Item 0 speaks for all alike, by 3; item 1 for one alone, by 2: without it that one falls to the end."""
    weights = np.zeros((6, 6))
    weights[0, 2:], weights[1, 2] = 3, 2
    found = reasons(weights, history([(0, 0), (1, 0)]), 2, 3, 4, 5)
    assert [reason.item_idx for reason in found] == [1, 0, 0, 0]
    assert [reason.share for reason in found] == pytest.approx([0.4, 1, 1, 1])
    assert 3 - COMMON * 3 < 2 - COMMON * 2 / 4
    assert [reason.item_idx for reason in reasons(weights, history([(0, 0), (1, 0)]), 2)] == [0]


def test_a_cause_is_told_by_the_strongest_that_was_done_with_it() -> None:
    told = history([(0, 1), (0, 0), (0, 0), (0, 1), (1, 1)])
    found = reasons(np.eye(6)[[2, 3, 0, 0, 0, 0]], told, 2, 3, 0, 1)
    assert [(reason.item_idx, reason.kind) for reason in found] == [
        (0, "purchase"), (1, "view"), (0, "purchase"), (1, "view"),
    ]  # fmt: skip
    assert [reason.count for reason in found[2:]] == [2, 1]


def test_of_equal_causes_the_newest_is_told() -> None:
    found = reasons(np.ones((6, 6)), history([(0, 0), (1, 0), (0, 0), (2, 0), (1, 0)]), 4, 5)
    assert [reason.item_idx for reason in found] == [1, 1]


def test_what_was_shown_or_taken_back_is_nothing_had() -> None:
    told = replace(history([(0, 0), (1, 1), (2, 1)]), kinds=("purchase", "impression"))
    found = reasons(np.ones((6, 6)), told, 1, 3, shop=Evidence(history([(1, 1), (3, 1)]), 6))
    assert [(reason.code, reason.item_idx) for reason in found] == [("because", 0), ("because", 0)]


def test_a_list_may_name_an_item_twice_or_be_empty() -> None:
    told = history([(0, 0)])
    one, again = reasons(np.ones((6, 6)), told, 3, 3)
    assert one == again
    assert reasons(np.ones((6, 6)), told) == []
    assert [reason.code for reason in reasons(np.ones((6, 6)), told, 0, 0)] == ["again", "again"]


def test_a_model_that_tells_no_falls_is_tried_with_the_newest_items_alone() -> None:
    told = history([(item, 0) for item in range(MOST_TRIED + 5)])
    weights = np.ones((MOST_TRIED + 6, MOST_TRIED + 6))
    weights[0] = 100
    (found,) = reasons(weights, told, MOST_TRIED + 5, shop=Evidence(history([(MOST_TRIED + 5, 1)]), MOST_TRIED + 6))
    assert (found.item_idx, found.share) == (MOST_TRIED + 4, pytest.approx(1 / MOST_TRIED))


def test_nobody_is_told_what_is_popular() -> None:
    (found,) = reasons(np.ones((6, 6)), history([]), 2, shop=Evidence(history([(2, 0)]), 6))
    assert found == Reason("popular", None, "purchase", 1)


@settings(max_examples=200, deadline=None)  # the first call may compile
@given(EVENTS.filter(bool), st.data())
def test_the_user_is_never_among_the_others(users: list[list[tuple[int, int]]], data: st.DataObject) -> None:
    """Whoever asks is in the data: the count is that of the other users."""
    shop, me = history(*users), data.draw(st.integers(0, len(users) - 1))
    listed = data.draw(st.lists(st.integers(0, 4), unique=True))
    found = reasons(np.ones((5, 5)), shop.of_users(np.array([me])), *listed, shop=Evidence(shop, 5))
    others = users[:me] + users[me + 1 :]
    for item, reason in zip(listed, found, strict=True):
        if reason.code == "because":
            did_it = (reason.item_idx, KINDS.index(str(reason.kind)))
            assert reason.count == sum(did_it in events and (item, 0) in events for events in others)
        if reason.code == "popular":
            assert reason.count == sum((item, 0) in events for events in others)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason("again", 1, "view", 2), "you looked at this before"),
        (Reason("because", 0, "purchase", 1234), 'because you bought "Tea": 1,234 others who did also bought this'),
        (Reason("because", 1, "cart", 1, 0.5), 'because you put "Cup" in the cart: 1 other who did also bought this'),
        (Reason("because", 1, "view", 0, 0.5), 'because you looked at "Cup": a similar item'),
        (Reason("because", 1, "review", 2), "because you gave \"Cup\" a 'review': 2 others who did also bought this"),
        (Reason("popular", None, "purchase", 1), "popular: 1 person bought this"),
        (Reason("popular", None, "purchase", 1700), "popular: 1,700 people bought this"),
        (Reason("popular", None, "purchase", 0), "to round off the list: nobody bought this yet"),
    ],
)  # fmt: skip
def test_in_words(reason: Reason, words: str) -> None:
    assert in_words(reason, "purchase", pl.Series(["Tea", "Cup"])) == words


@pytest.mark.parametrize(
    ("kind", "words"),
    [("favourite", "saved this"), ("listen", "gave this a 'listen'"), ("install", "gave this an 'install'")],
)
def test_what_was_done(kind: str, words: str) -> None:
    assert did(kind) == words


def test_a_name_with_braces_is_told_as_it_is() -> None:
    words = in_words(Reason("because", 0, "{x}", 2, 0.5), "purchase", ["{0}"])
    assert words.startswith("because you gave \"{0}\" a '{x}': 2 others")


def test_a_declared_target_reads_well() -> None:
    words = in_words(Reason("because", 0, "view", 3), "listen", ["Song"])
    assert words == "because you looked at \"Song\": 3 others who did also gave this a 'listen'"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason("because", 0, "friend", 4), 'because you know "Ann": 4 others who know "Ann" also know them'),
        (Reason("because", 0, "friend", 1), 'because you know "Ann": 1 other who knows "Ann" also knows them'),
        (Reason("because", 0, "friend", 0), 'because you know "Ann": somebody alike'),
        (Reason("popular", None, "friend", 6), "popular: 6 people know them"),
        (Reason("popular", None, "friend", 0), "to round off the list: nobody knows them yet"),
        (Reason("friends", None, "friend", 1, None, 5), "1 of your 5 friends knows them"),
        (Reason("akin", 0, "friend", 2, None, 6, "club", 0),
         'same kind () as "Ann": you know them; 2 of 6 people you know are'),
    ],
)  # fmt: skip
def test_words_of_lists_of_people(reason: Reason, words: str) -> None:
    assert in_words(reason, "friend", ["Ann"]) == words


# On a trained shop.


@pytest.fixture(scope="module")
def loaded(shop: DemoShop) -> Recommender:
    return Recommender.load(shop.bundle)


def falls_furthest(loaded: Recommender, told: History, item: int, causes: list[int]) -> set[int]:
    """Return the causes without all events of which `item` ranks lowest among what the user never had."""
    keep = np.stack([told.item_idx != cause for cause in causes])
    without = told.of_users(np.zeros(len(keep), np.int64)).where(keep.ravel())
    scores = loaded.model.score(without, mode="all")
    scores[:, told.item_idx] = -np.inf
    ranks = (scores > scores[:, [item]]).sum(axis=1)
    return {cause for cause, rank in zip(causes, ranks, strict=True) if rank == ranks.max()}


def test_the_cause_is_mostly_the_item_without_which_the_listed_one_falls_furthest(loaded: Recommender) -> None:
    right = []
    for user in range(0, loaded.history.users, 10):
        told = loaded.history.of_users(np.array([user]))
        rows = loaded.recommend(told, 10, ["all"]).item_idx[0]
        for item, reason in zip(rows, loaded.explain(told, rows[rows >= 0], ["all"]), strict=False):
            if reason.code == "because":
                right.append(reason.item_idx in falls_furthest(loaded, told, item, np.unique(told.item_idx).tolist()))
    assert len(right) > 100
    assert np.mean(right) > 0.75  # .84


def test_threads_get_the_same_reasons_while_others_are_scored(loaded: Recommender) -> None:
    people = [loaded.history.of_users(np.array([user])) for user in range(12)]
    lists = [loaded.recommend(told, 10, ["all"]).item_idx[0] for told in people]
    expected = [loaded.explain(told, rows, ["all"]) for told, rows in zip(people, lists, strict=True)]
    with ThreadPoolExecutor(6) as threads:
        scored = threads.map(lambda told: loaded.recommend(told, 10, ["all"]).item_idx[0], people * 4)
        found = threads.map(lambda told, rows: loaded.explain(told, rows, ["all"]), people * 4, lists * 4)
        assert list(found) == expected * 4
        assert all(np.array_equal(a, b) for a, b in zip(scored, lists * 4, strict=True))


def test_the_counts_of_a_trained_shop_are_those_of_its_events(loaded: Recommender) -> None:
    history, checked = loaded.history, 0
    done = {*zip(history.user_idx.tolist(), history.item_idx.tolist(), history.kind.tolist(), strict=True)}
    wanted = history.kinds.index("purchase")
    for user in range(0, history.users, 40):
        told = history.of_users(np.array([user]))
        rows = loaded.recommend(told, 10, ["none"]).item_idx[0]
        for item, reason in zip(rows.tolist(), loaded.explain(told, rows, ["none"]), strict=True):
            if reason.code == "because":
                had = (reason.item_idx, history.kinds.index(str(reason.kind)))
                both = {u for u in range(history.users) if (u, *had) in done and (u, item, wanted) in done}
                assert user not in both
                assert reason.count == len(both)
                checked += 1
    assert checked > 10


def test_a_history_of_a_thousand_events_and_one_of_none(loaded: Recommender) -> None:
    some = np.flatnonzero(loaded.history.item_idx < 60)[:1000]
    long, rows = loaded.history.picked(some, np.array([0, 1000])), np.arange(80, 100, dtype=np.int32)
    found = loaded.explain(long, rows, ["all"])
    assert {reason.code for reason in found} <= {"because", "akin"}
    assert all(reason.item_idx in long.item_idx for reason in found)
    nobody = loaded.explain(loaded.history.of_users(np.array([], np.int64)).picked(np.zeros(0, int), np.zeros(2)), rows)
    assert {reason.code for reason in nobody} == {"popular"}


class Aware(Weights):
    """The same, and it says that it reads what is known of users."""

    reads_traits = True


ABOUT = st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=3, max_size=3)


def known(rows: list[list[bool]]) -> sparse.csr_array:
    return sparse.csr_array(np.array(rows, np.float32))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), max_size=6), min_size=6, max_size=6), ABOUT,
       st.lists(st.booleans(), min_size=3, max_size=3), st.lists(st.booleans(), min_size=6, max_size=6))  # fmt: skip
def test_friends_and_traits_speak_by_exact_counts(
    users: list[list[tuple[int, int]]], marks: list[list[bool]], mine: list[bool], friends: list[bool]
) -> None:
    traits = np.array(marks, bool).T  # [users, nodes]
    shop = replace(history(*users), about={"country": known(traits.tolist())})
    me = replace(history([]), about={"country": known([mine]), "user": known([friends])})
    listed = np.arange(4, dtype=np.int32)
    found = explain(Aware(np.ones((4, 4))), me, listed, Evidence(shop, 4), "purchase", "target")
    had = np.array([[(item, 0) in events for item in range(4)] for events in users])
    for item, reason in enumerate(found):
        of_friends = int((had[:, item] & np.array(friends)).sum())
        counts = {node: int((had[:, item] & traits[:, node]).sum()) for node in np.flatnonzero(mine).tolist()}
        expected = {node: traits[:, node].sum() * had[:, item].sum() / 6 for node in counts}
        z = {node: (counts[node] - expected[node]) / np.sqrt(expected[node] + 1) for node in counts}
        best = max(z, key=lambda node: z[node]) if z else None
        if of_friends:
            assert reason == Reason("friends", None, "purchase", of_friends, out_of=sum(friends))
        elif best is not None and z[best] > 0:
            assert reason.code == "among"
            assert z[reason.node_idx] == pytest.approx(z[best])  # type: ignore[index]
            assert reason.count == counts[reason.node_idx]  # type: ignore[index]
            assert reason.out_of == traits[:, reason.node_idx].sum()
        else:
            assert reason == Reason("popular", None, "purchase", int(had[:, item].sum()))


def test_a_model_that_reads_events_alone_tells_of_no_trait() -> None:
    shop = replace(history([(2, 0)], []), about={"country": known([[True], [False]])})
    me = replace(history([]), about={"country": known([[True]])})
    plain, aware = (
        explain(model(np.ones((4, 4))), me, np.array([2], np.int32), Evidence(shop, 4), "purchase", "target")
        for model in (Weights, Aware)
    )
    assert plain == [Reason("popular", None, "purchase", 1)]
    assert aware == [Reason("among", None, "purchase", 1, None, 1, "country", 0)]


def test_a_new_item_resembles_nothing_where_nothing_was_compared() -> None:
    shop = history([(0, 0), (3, 1)])
    found = reasons(np.ones((6, 6)), history([(0, 0)]), 2, 3, shop=Evidence(shop, 6))
    assert [(reason.code, reason.item_idx, reason.count) for reason in found] == [("new", None, 0), ("because", 0, 0)]
    assert in_words(found[0], "purchase", []) == "new"


def test_a_new_item_is_told_by_what_it_resembles_of_the_items_had_whatever_the_model_took_for_the_cause() -> None:
    """The model's cause is item 1, a lamp; item 2 reads like item 0, item 3 like none, of item 4 nothing is told."""
    rest = [(f"Thing {n} of {n * n}", f"Kind {n % 5}") for n in range(40)]
    titles = ["Silica Litter", "Desk Lamp", "Silica Litter Fine", "Cup", None, *(title for title, _ in rest)]
    categories = [["Cats"], ["Desk"], ["Novelties"], ["Kitchen"], None, *([kind] for _, kind in rest)]
    ids = pl.Series([f"i{n}" for n in range(len(titles))])
    catalogue = pl.DataFrame({"item_id": ids, "title": titles, "category": categories})
    weights = np.zeros((len(ids), len(ids)))
    weights[1, 2:5] = 3
    labels = Labels.of(catalogue, Vocabulary(ids))
    shop, told = Evidence(history([(0, 0), (1, 0)]), len(ids)), history([(0, 1), (1, 0)])
    found = explain(Weights(weights), told, np.array([2, 3, 4], np.int32), shop, "purchase", "target", labels,
                    Likeness(catalogue))  # fmt: skip
    assert [in_words(reason, "purchase", titles, labels.named) for reason in found] == [
        'new; resembles "Silica Litter": you looked at that', "new in Kitchen", "new",
    ]  # fmt: skip


def test_a_new_item_shares_a_label_with_another_item_than_the_cause() -> None:
    catalogue = pl.DataFrame(
        {"item_id": [f"i{n}" for n in range(6)], "brand": ["Acme", "Bolt", "Acme", "Coil"] + ["x"] * 2}
    )
    labels, weights = Labels.of(catalogue, Vocabulary(catalogue["item_id"])), np.zeros((6, 6))
    weights[1, 2] = 3
    (found,) = explain(Weights(weights), history([(0, 0), (1, 0)]), np.array([2], np.int32), NOBODY, "purchase",
                       "target", labels)  # fmt: skip
    words = in_words(found, "purchase", ["Cup"] * 6, labels.named)
    assert words == 'new; same brand (Acme) as "Cup": you bought that; 1 of 2 items you had are'


def test_words_of_people_and_new_items() -> None:
    def trait(node_type: str, node_idx: int) -> tuple[str, str]:
        return {"country": ("country", ["FR", "DE"][node_idx])}[node_type]

    names = ["Tea", "Cup"]
    among = Reason("among", None, "purchase", 1200, None, 3000, "country", 1)
    expected = "popular with people of your country (DE): 1,200 of 3,000 bought this"
    assert in_words(among, "purchase", names, trait) == expected
    friends = Reason("friends", None, "purchase", 2, None, 5)
    assert in_words(friends, "purchase", names) == "2 of your 5 friends bought this"
    new = Reason("new", 1, "view", 0, 0.4)
    assert in_words(new, "purchase", names) == 'new; resembles "Cup": you looked at that'
