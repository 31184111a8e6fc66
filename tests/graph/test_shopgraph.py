"""The graph of a small shop, by hand: nodes, edges, saving and loading."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from paretail.core.errors import DataError
from paretail.data.types import Catalogue, Events, Links, Shop, Users
from paretail.graph.shopgraph import ShopGraph


def shop() -> Shop:
    events = pl.DataFrame(
        {
            "user_id": ["ann", "ann", "bob", "eve"],
            "item_id": ["boot", "sock", "boot", "hat"],
            "kind": ["purchase", "view", "view", "view"],
            "ts_ms": [5, 1, 3, 4],
            "quantity": [2.0, None, None, None],
        }
    )
    items = pl.DataFrame(
        {
            "item_id": ["boot", "sock", "hat", "belt"],
            "parent_id": ["shoes", None, None, None],
            "title": ["Boot", "Sock", "Hat", "Belt"],
            "category": [["Wear", "Feet", "Men"], ["Wear", "Feet"], ["Wear", "Head", "Men"], None],
            "brand": ["acme", "acme", None, "zed"],
            "colour": ["red", "red", "blue", "blue"],
            "tags": [["warm", "new"], ["warm"], [], None],
            "note": ["a", "b", "c", "d"],
            "user": ["x", "x", "y", "y"],
        }
    )
    links = pl.DataFrame({"user_id": ["ann", "bob", "ann"], "friend_id": ["bob", "ann", "ann"]})
    users = pl.DataFrame({"user_id": ["eve", "ann"], "tags": ["old", "old"], "age": [7, 8]})
    return Shop(Events(events, "clock"), Catalogue(items), Users(users), Links(links))


@pytest.fixture
def graph() -> ShopGraph:
    told = shop()
    return ShopGraph.build(told, told.user_vocabulary(), told.item_vocabulary())


def pairs(graph: ShopGraph, source: str, relation: str, target: str) -> set[tuple[str, str]]:
    edges = graph.edges[source, relation, target]
    left = graph.nodes[source].names(edges.sources).to_list()
    return set(zip(left, graph.nodes[target].names(edges.indices).to_list(), strict=True))


def test_nodes_and_edges(graph: ShopGraph) -> None:
    assert set(graph.nodes) == {
        "user",
        "item",
        "category",
        "brand",
        "parent",
        "colour",
        "tags",
        "user_attribute",
        "tags_of_user",
    }
    assert pairs(graph, "item", "in", "category") == {
        ("boot", "Wear"), ("boot", "Wear > Feet"), ("boot", "Wear > Feet > Men"), ("sock", "Wear"),
        ("sock", "Wear > Feet"), ("hat", "Wear"), ("hat", "Wear > Head"), ("hat", "Wear > Head > Men"),
    }  # fmt: skip
    assert pairs(graph, "category", "within", "category") == {
        ("Wear > Feet", "Wear"), ("Wear > Head", "Wear"), ("Wear > Feet > Men", "Wear > Feet"),
        ("Wear > Head > Men", "Wear > Head"),
    }  # fmt: skip
    assert pairs(graph, "item", "of", "brand") == {("boot", "acme"), ("sock", "acme"), ("belt", "zed")}
    assert pairs(graph, "item", "variant-of", "parent") == {("boot", "shoes")}
    assert pairs(graph, "item", "has", "tags") == {("boot", "warm"), ("boot", "new"), ("sock", "warm")}
    assert pairs(graph, "user", "friend", "user") == {("ann", "bob"), ("bob", "ann")}
    brands = graph.reverse(("item", "of", "brand"))
    assert graph.nodes["item"].names(brands.of_row(graph.nodes["brand"].row("acme"))).to_list() == ["boot", "sock"]


def test_events_and_their_matrix(graph: ShopGraph) -> None:
    assert (graph.users, graph.items) == (3, 4)
    assert graph.history.kinds == ("purchase", "view")
    matrix = graph.interactions({"purchase": 1.0, "view": 0.5})
    ann = graph.nodes["user"].row("ann")
    assert matrix[[ann]].toarray()[0].tolist() == [0, 1, 0, 0.5]  # belt, boot, hat, sock
    assert graph.with_history(graph.history.where(graph.history.kind == 0)).interactions({"view": 1.0}).nnz == 0


def test_rows_outside_the_vocabularies_are_left_out() -> None:
    told = shop()
    items = told.item_vocabulary()
    fewer = type(items)(items.ids.filter(items.ids != "boot"))
    graph = ShopGraph.build(told, told.user_vocabulary(), fewer)
    assert len(graph.history.item_idx) == 2
    assert pairs(graph, "item", "of", "brand") == {("sock", "acme"), ("belt", "zed")}


def test_a_shop_of_events_alone() -> None:
    told = Shop(shop().events)
    graph = ShopGraph.build(told, told.user_vocabulary(), told.item_vocabulary())
    assert set(graph.nodes) == {"user", "item"}
    assert graph.edges == {}


@pytest.mark.parametrize("mmap", [True, False])
def test_save_and_load(graph: ShopGraph, tmp_path: Path, mmap: bool) -> None:
    graph.save(tmp_path / "graph")
    again = ShopGraph.load(tmp_path / "graph", mmap=mmap)
    assert isinstance(again.history.item_idx, np.memmap) == mmap
    assert {name: ids.ids.to_list() for name, ids in again.nodes.items()} == {
        name: ids.ids.to_list() for name, ids in graph.nodes.items()
    }
    for name in ("indptr", "item_idx", "kind", "ts_ms", "quantity"):
        assert np.array_equal(getattr(again.history, name), getattr(graph.history, name))
    assert (again.history.kinds, again.history.time) == (graph.history.kinds, "clock")
    assert list(again.edges) == list(graph.edges)
    for relation, edges in graph.edges.items():
        assert np.array_equal(again.edges[relation].matrix().toarray(), edges.matrix().toarray())
    weights = {"view": 0.3, "purchase": 1.0}
    assert np.array_equal(again.interactions(weights).toarray(), graph.interactions(weights).toarray())


@pytest.mark.parametrize("damage", ["absent", "newer", "cut", "no json"])
def test_a_damaged_folder_is_refused(graph: ShopGraph, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "graph"
    graph.save(folder)
    manifest = folder / "graph.json"
    if damage == "absent":
        (folder / "history.kind.npy").unlink()
    elif damage == "newer":
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 3}))
    elif damage == "cut":
        (folder / "history.item_idx.npy").write_bytes(b"\x93NUMPY")
    else:
        manifest.write_text("{")
    with pytest.raises(DataError, match="GRAPH-01"):
        ShopGraph.load(folder)


def test_nothing_is_left_of_a_graph_that_could_not_be_written(graph: ShopGraph, tmp_path: Path) -> None:
    (tmp_path / "graph").mkdir()
    (tmp_path / "graph" / "mine.txt").write_text("not yours")
    with pytest.raises(OSError, match="graph"):
        graph.save(tmp_path / "graph")
    assert [path.name for path in tmp_path.iterdir()] == ["graph"]
    assert [path.name for path in (tmp_path / "graph").iterdir()] == ["mine.txt"]


def test_what_is_known_of_users_goes_where_they_go(graph: ShopGraph) -> None:
    users = graph.nodes["user"].rows(["eve", "ann", "bob"])
    about = graph.history.of_users(users).where(np.zeros(4, bool)).about
    names = graph.nodes["tags_of_user"].ids.to_list()
    assert [[names[at] for at in row.nonzero()[0]] for row in about["tags_of_user"].toarray()] == [["old"], ["old"], []]
    assert graph.nodes["user"].names(about["user"][[1]].indices).to_list() == ["bob"]


def test_tables_have_a_row_a_node(graph: ShopGraph) -> None:
    assert graph.tables["item"]["item_id"].to_list() == graph.nodes["item"].ids.to_list()
    assert graph.tables["user"].rows() == [("ann", "old", 8), ("bob", None, None), ("eve", "old", 7)]
