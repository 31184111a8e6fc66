"""Traits of users of the graph, and of users told of later, are the same nodes."""

from dataclasses import replace

import numpy as np
import polars as pl

from paretail.data.types import Shop, Users
from paretail.graph.shopgraph import ShopGraph
from paretail.graph.traits import Traits, and_nobody, row_of, together

from .test_shopgraph import shop


def told() -> Shop:
    users = pl.DataFrame(
        {
            "user_id": ["ann", "bob", "eve", "zoe", "kim", "lee"],
            "country": ["DE", "FR", "DE", None, "FR", "DE"],
            "colour": ["red", "red", None, "blue", "red", "blue"],  # also an attribute of items
            "clubs": [["a", "b"], ["b"], [], None, ["a"], ["b"]],
            "age": [7, 8, 9, 10, 11, 12],
        }
    )
    return replace(shop(), users=Users(users))


def graph_of(shop: Shop) -> ShopGraph:
    return ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())


def test_a_row_told_again_is_the_row_of_the_graph() -> None:
    graph = graph_of(told())
    traits = Traits.of(graph)
    assert {column: name for column, (name, _) in traits.columns.items()} == {
        "country": "country", "colour": "colour_of_user", "clubs": "clubs"
    }  # fmt: skip
    for row in told().users.frame.iter_rows(named=True):
        stored = row_of(graph.history.about, graph.nodes["user"].row(row["user_id"]))
        stored.pop("user", None)
        new = traits.row(row)
        assert new.keys() == stored.keys()
        assert all(np.array_equal(new[name][0], stored[name][0]) for name in new)


def test_values_never_seen_and_columns_that_are_no_traits_lead_nowhere() -> None:
    traits = Traits.of(graph_of(told()))
    assert traits.row({"country": "XX", "age": 7, "hobby": "chess", "clubs": []}) == {}
    assert traits.row({"country": " DE "})["country"][0].tolist() == [traits.values("country").row("DE")]


def test_frame_and_back() -> None:
    traits = Traits.of(graph_of(told()))
    again = Traits.from_frame(traits.frame())
    assert again.sizes == traits.sizes
    assert again.frame().equals(traits.frame())
    assert Traits.from_frame(Traits({}).frame()).columns == {}


def test_users_one_by_one_are_users_together() -> None:
    graph = graph_of(told())
    about, sizes = graph.history.about, {**Traits.of(graph).sizes, "user": graph.users}
    rows = [row_of(about, user) for user in range(graph.users)]
    for name, matrix in together(rows, sizes).items():
        assert np.array_equal(matrix.toarray(), about[name].toarray())
    nobody = and_nobody(about)
    assert all(np.array_equal(nobody[name].toarray()[:-1], about[name].toarray()) for name in about)
    assert not any(nobody[name].toarray()[-1].any() for name in about)
    assert together([], sizes) == {}
