"""A graph that grows is the graph that is built of everything, but for the order of its rows."""

from dataclasses import replace

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from paretail.data.types import Catalogue, Events, Links, Shop, Users
from paretail.graph.shopgraph import ShopGraph

KINDS = ["cart", "purchase", "view"]


def shop(rng: np.random.Generator, events: int = 60, users: int = 8, items: int = 7) -> Shop:
    """A shop of everything; its log is in the order of time."""
    frame = pl.DataFrame(
        {
            "user_id": [f"u{row}" for row in rng.integers(0, users, events)],
            "item_id": [f"i{row}" for row in rng.integers(0, items, events)],
            "kind": [KINDS[row] for row in rng.integers(0, 3, events)],
            "ts_ms": np.sort(rng.integers(0, 20, events)),
            "quantity": rng.integers(1, 9, events).astype(float),
        }
    )
    ids = [f"i{row}" for row in range(items + 2)]
    catalogue = pl.DataFrame(
        {
            "item_id": ids,
            "category": [["Wear", f"c{row}"] for row in rng.integers(0, 3, len(ids))],
            "brand": [f"b{row}" for row in rng.integers(0, 3, len(ids))],
            "colour": [["red", "blue", None][row] for row in rng.integers(0, 3, len(ids))],
        },
        schema_overrides={"colour": pl.String},
    )
    people = pl.DataFrame({"user_id": ["u0", "u1", "x", "y"], "country": ["at", "de", "at", "de"]})
    links = pl.DataFrame({"user_id": ["u0", "u1", "u2"], "friend_id": ["u1", "z", "u3"]})
    return Shop(Events(frame, "clock"), Catalogue(catalogue), Users(people), Links(links))


def built(told: Shop) -> ShopGraph:
    return ShopGraph.build(told, told.user_vocabulary(), told.item_vocabulary())


def parts(told: Shop, cut: int, rows: int) -> tuple[Shop, Shop]:
    """The shop as it was, with `rows` rows of each table and `cut` events, and what came since."""
    before = Shop(
        Events(told.events.frame[:cut], "clock"), Catalogue(told.catalogue.frame[:rows]),
        Users(told.users.frame[:rows]), Links(told.links.frame[:rows]),
    )  # fmt: skip
    after = Shop(
        Events(told.events.frame[cut:], "clock"), Catalogue(told.catalogue.frame[rows:]),
        Users(told.users.frame[rows:]), Links(told.links.frame[rows:]),
    )  # fmt: skip
    return before, after


def in_ids(graph: ShopGraph) -> dict[str, object]:
    """All that a graph says, in ids."""
    users, items, history = graph.nodes["user"], graph.nodes["item"], graph.history
    events = {
        users.name(row): [
            (items.name(history.item_idx[e]), history.kinds[history.kind[e]], history.ts_ms[e], history.quantity[e])
            for e in range(history.indptr[row], history.indptr[row + 1])
        ]
        for row in range(graph.users)
    }
    edges = {
        relation: {
            (graph.nodes[relation[0]].name(s), graph.nodes[relation[2]].name(t), float(w))
            for s, t, w in zip(found.sources, found.indices, found.weight, strict=True)
        }
        for relation, found in graph.edges.items()
    }
    about = {
        name: {users.name(u): {graph.nodes[name].name(v) for v in known[[u]].indices} for u in range(graph.users)}
        for name, known in history.about.items()
    }
    nodes = {name: set(ids.ids) for name, ids in graph.nodes.items()}
    tables = {name: table.sort(table.columns[0]).to_dicts() for name, table in graph.tables.items()}
    return {"events": events, "edges": edges, "about": about, "nodes": nodes, "tables": tables}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 60), st.integers(2, 4))
def test_grown_is_built_but_for_the_order_of_rows(seed: int, cut: int, rows: int) -> None:
    told = shop(np.random.default_rng(seed))
    before, after = parts(told, cut, rows)
    old = built(before)
    grown, whole = old.appended(after), built(told)
    assert in_ids(grown) == in_ids(whole)
    for name, ids in old.nodes.items():
        assert grown.nodes[name].ids[: len(ids)].equals(ids.ids)


def test_events_that_come_late_take_their_place() -> None:
    told = shop(np.random.default_rng(1))
    times = np.random.default_rng(2).permutation(60) + 5  # no two at once: their order is that of time alone
    told = replace(told, events=Events(told.events.frame.with_columns(ts_ms=pl.Series(times)), "clock"))
    before, after = parts(told, 40, 9)
    assert in_ids(built(before).appended(after)) == in_ids(built(told))


def test_step_by_step_is_at_once() -> None:
    told = shop(np.random.default_rng(3))
    graph = built(replace(told, events=Events(told.events.frame[:10], "clock")))
    nothing = {"catalogue": Catalogue(told.catalogue.frame[:0]), "users": Users(told.users.frame[:0]),
               "links": Links(told.links.frame[:0])}  # fmt: skip
    for start in range(10, 60, 7):
        more = Events(told.events.frame[start : start + 7], "clock")
        graph = graph.appended(replace(told, events=more, **nothing))
    assert in_ids(graph) == in_ids(built(told))


def test_a_row_told_again_replaces_what_was_known() -> None:
    told = shop(np.random.default_rng(4))
    nothing = replace(told, events=Events(told.events.frame[:0], "clock"), users=Users(told.users.frame[:0]))
    again = pl.DataFrame({"item_id": ["i0"], "category": [["Wear"]], "brand": ["new"], "colour": ["red"]})
    grown = built(told).appended(replace(nothing, catalogue=Catalogue(again)))
    row, brands = grown.nodes["item"].row("i0"), grown.edges["item", "of", "brand"]
    assert [grown.nodes["brand"].name(at) for at in brands.of_row(row)] == ["new"]
    assert grown.tables["item"].filter(pl.col("item_id") == "i0")["brand"].item() == "new"


def test_a_new_kind_stands_behind_the_old_ones() -> None:
    told = shop(np.random.default_rng(5))
    new = told.events.frame[:3].with_columns(kind=pl.lit("click"))
    grown = built(told).appended(replace(told, events=Events(new, "clock")))
    assert grown.history.kinds == ("cart", "purchase", "view", "click")
    assert (grown.history.kind == 3).sum() == 3


def test_nothing_new_changes_nothing() -> None:
    told = shop(np.random.default_rng(6))
    graph = built(told)
    grown = graph.appended(replace(told, events=Events(told.events.frame[:0], "clock")))
    assert in_ids(grown) == in_ids(graph)
    np.testing.assert_array_equal(grown.history.indptr, graph.history.indptr)
