"""Paths from a user to an item: counts by brute force, their order, what is left out."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretail.data.types import Catalogue, Events, History, Links, Shop
from paretail.graph.paths import Path, Paths
from paretail.graph.shopgraph import ShopGraph

KINDS = ["purchase", "view", "impression"]
ROWS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 5), st.sampled_from(KINDS)), min_size=1, max_size=40)


def graph_of(rows: list[tuple[int, int, str]], friends: list[tuple[int, int]] | None = None) -> ShopGraph:
    """Eight users, six items; items 0 2 4 are of brand even, 1 3 5 odd; 0 1 2 in category a, 3 4 5 in a > b."""
    events = pl.DataFrame(
        {"user_id": [f"u{user}" for user, _, _ in rows], "item_id": [f"i{item}" for _, item, _ in rows],
         "kind": [kind for _, _, kind in rows], "ts_ms": range(len(rows)), "quantity": [1.0] * len(rows)}
    )  # fmt: skip
    items = pl.DataFrame(
        {"item_id": [f"i{item}" for item in range(6)], "brand": ["even", "odd"] * 3,
         "category": [["a"]] * 3 + [["a", "b"]] * 3}
    )  # fmt: skip
    links = pl.DataFrame(
        {"user_id": [f"u{one}" for one, _ in friends or []], "friend_id": [f"u{other}" for _, other in friends or []]},
        schema={"user_id": pl.String, "friend_id": pl.String},
    )
    shop = Shop(Events(events, "clock"), Catalogue(items), links=Links(links))
    users = Shop(
        Events(events.clear()),
        links=Links(pl.DataFrame({"user_id": [f"u{n}" for n in range(8)], "friend_id": ["u0"] * 8})),
    )
    return ShopGraph.build(shop, users.user_vocabulary(), shop.item_vocabulary())


def of_user(graph: ShopGraph, user: int) -> History:
    return graph.history.of_users(np.array([user]))


def above(count: int, out_of: int, share: float) -> float:
    return float((count - out_of * share) / (out_of * share + 1) ** 0.5)


@settings(max_examples=50, deadline=None)  # the first example compiles
@given(
    ROWS, st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=8), st.integers(0, 7), st.integers(0, 5)
)
def test_counts_are_exact(
    rows: list[tuple[int, int, str]], friends: list[tuple[int, int]], user: int, item: int
) -> None:
    graph = graph_of(rows, friends)
    found = Paths.of(graph, "purchase").to(item, of_user(graph, user), most=99, user_idx=user)
    did = {(kind, i): {u for u, other, k in rows if (k, other) == (kind, i)} for kind in KINDS for i in range(6)}
    buyers, expected = did["purchase", item], set()
    had = {i: "purchase" if user in did["purchase", i] else "view" for i in range(6) if i != item
           if user in did["purchase", i] | did["view", i]}  # fmt: skip
    for other, kind in had.items():
        those = did[kind, other] - {user}
        expected.add(("item", "item", other, kind, len(those & buyers), len(those), len(buyers) / 8))
    for name, of in (("brand", lambda i: {i % 2}), ("category", lambda i: {0, 1} if i > 2 else {0})):
        for label in of(item):
            share = sum(label in of(i) for i in range(6)) / 6
            expected.add(("label", name, label, None, sum(label in of(i) for i in had), len(had), share))
    mine = {b if a == user else a for a, b in friends if user in (a, b) and a != b}
    if mine & buyers:
        expected.add(("friend", "user", None, None, len(mine & buyers), len(mine), len(buyers) / 8))
    scores = {way[:-1]: above(*way[4:]) for way in expected}
    scores = {way: score for way, score in scores.items() if score > 1e-12}
    told = {(p.kind, p.node_type, None if p.kind == "friend" else p.row, p.did, p.count, p.out_of): p.above_chance
            for p in found if p.above_chance > 1e-12}  # fmt: skip
    assert told == pytest.approx(scores)
    for path in found:
        assert path.kind != "friend" or path.row in mine & buyers


def shop() -> ShopGraph:
    """User 0 had items 0, 1, 2; users 1 to 3 had 0 and 4, users 1 and 4 had 1 and 4; 5 and 6 had others."""
    rows = [
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
        (1, 4),
        (1, 1),
        (2, 0),
        (2, 4),
        (3, 0),
        (3, 4),
        (4, 1),
        (4, 4),
        (5, 3),
        (6, 5),
    ]
    return graph_of([(user, item, "purchase") for user, item in rows], [(0, 1), (0, 5), (2, 0)])


def test_by_hand() -> None:
    graph = shop()
    best, label, friend, *rest = Paths.of(graph, "purchase").to(4, of_user(graph, 0), user_idx=0)
    assert best == Path("item", "item", 0, "had", "purchase", 3, 3, pytest.approx(above(3, 3, 4 / 8)))
    assert {best.kind, label.kind, friend.kind} == {"item", "label", "friend"}, "the best of each kind leads"
    label, friend = sorted((label, friend), key=lambda path: path.kind, reverse=True)
    assert label == Path("label", "brand", 0, "of", None, 2, 3, pytest.approx(above(2, 3, 0.5)))
    expected = Path("friend", "user", 1, "friend", None, 2, 3, pytest.approx(above(2, 3, 4 / 8)))
    assert friend == expected, "friend 1 has two items in common, friend 2 one"
    assert [path.row for path in rest] == [1]


def test_no_more_than_asked_for_and_the_user_may_be_new() -> None:
    graph = shop()
    paths, events = Paths.of(graph, "purchase"), of_user(graph, 0)
    assert [path.kind for path in paths.to(4, events, most=1, user_idx=0)] == ["item"]
    new = paths.to(4, events)
    assert [(path.kind, path.count, path.out_of) for path in new][:2] == [("item", 3, 4), ("label", 2, 3)]
    assert "friend" not in {path.kind for path in new}


def test_what_the_graph_does_not_know_leads_nowhere() -> None:
    graph = shop()
    paths, events = Paths.of(graph, "purchase"), of_user(graph, 0)
    other = replace(events, item_idx=events.item_idx + 60)
    assert paths.to(4, other, user_idx=6) == []
    assert paths.to(4, of_user(graph, 7)) == []
    renamed = replace(events, kinds=("tasted",))
    assert {path.kind for path in paths.to(4, renamed)} == {"label"}
    assert Paths.of(graph, "tasted").to(4, events, user_idx=0)[0].kind == "label"
    with pytest.raises(IndexError, match="item 6 of 6"):
        paths.to(6, events)


def test_a_shop_of_events_alone() -> None:
    graph = ShopGraph(shop().nodes, shop().history, {})
    assert [path.kind for path in Paths.of(graph, "purchase").to(4, of_user(graph, 0), user_idx=0)] == ["item", "item"]


def test_long_rows_are_searched_and_short_ones_read() -> None:
    """A popular item on the way to a rare one: the same count either way."""
    rows = [*((user, user // 100) for user in range(200)), *((user, 2) for user in (3, 50, 99, 150))]
    frame = pl.DataFrame(
        {"user_id": [f"u{user:03}" for user, _ in rows], "item_id": [f"i{item}" for _, item in rows],
         "kind": "purchase", "ts_ms": 0, "quantity": 1.0}
    )  # fmt: skip
    known = Shop(Events(frame))
    graph = ShopGraph.build(known, known.user_vocabulary(), known.item_vocabulary())
    paths, events = Paths.of(graph, "purchase"), of_user(graph, 0)
    for user, count, out_of in ((None, 3, 100), (0, 3, 99), (3, 2, 99), (150, 3, 100)):
        told = [(path.row, path.count, path.out_of) for path in paths.to(2, events, user_idx=user)]
        assert told == [(0, count, out_of)]
    assert [(path.row, path.count, path.out_of) for path in paths.to(0, of_user(graph, 150))] == [(2, 3, 4)]
