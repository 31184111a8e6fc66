"""Joining relations: one numbering, both directions, every edge with its weight and relation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from paretail.graph.adjacency import Adjacency, edges_of, reversed_edges
from paretail.graph.edges import EdgeSet

PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 9)), max_size=20)
HAD, OF, FRIEND = ("user", "had", "item"), ("item", "of", "brand"), ("user", "friend", "user")


def edge_set(pairs: list[tuple[int, int, int]], shape: tuple[int, int]) -> EdgeSet:
    columns = np.array(pairs, np.int64).reshape(-1, 3)
    return EdgeSet.of(columns[:, 0], columns[:, 1] % shape[1], shape, columns[:, 2].astype(np.float32))


def told(graph: Adjacency) -> set[tuple[int, int, str, float]]:
    """Each edge as (node, neighbour, verb, weight), found edge by edge."""
    found = set()
    for node in range(graph.nodes):
        for segment in range(graph.segments[node], graph.segments[node + 1]):
            for edge in range(graph.indptr[segment], graph.indptr[segment + 1]):
                verb = graph.relations[graph.relation[segment]][1]
                found.add((node, int(graph.indices[edge]), verb, float(graph.weight[edge])))
    return found


@settings(max_examples=40, deadline=None)  # the first example compiles
@given(PAIRS, PAIRS, PAIRS, st.booleans())
def test_every_edge_is_there_once_each_way(
    had: list[tuple[int, int, int]], of: list[tuple[int, int, int]], friends: list[tuple[int, int, int]], both: bool
) -> None:
    sets = {HAD: edge_set(had, (4, 6)), OF: edge_set(of, (6, 2)), FRIEND: edge_set(friends, (4, 4))}
    graph, expected, starts = Adjacency.of(sets, both), set(), {"user": 0, "item": 4, "brand": 10}
    for (source, verb, target), edges in sets.items():
        triples = set(zip(edges.sources.tolist(), edges.indices.tolist(), edges.weight.tolist(), strict=True))
        mirror = source == target and triples == {(right, left, weight) for left, right, weight in triples}
        for left, right, weight in triples:
            pair = (starts[source] + int(left), starts[target] + int(right))
            expected.add((*pair, verb, float(weight)))
            if both and not mirror:
                expected.add((*pair[::-1], f"{verb} reversed", float(weight)))
    assert told(graph) == expected
    assert len(graph) == len(expected)
    assert graph.node_types == ("user", "item", "brand")
    for node in range(graph.nodes):
        neighbours = sorted(to for at, to, _, _ in expected if at == node)
        assert sorted(graph.row_of(node).tolist()) == neighbours


def test_numbers_and_rows() -> None:
    graph = Adjacency.of({HAD: edge_set([(0, 1, 1)], (4, 6)), OF: edge_set([], (6, 2))})
    numbers = graph.numbers("item", np.array([0, 5]))
    assert numbers.tolist() == [4, 9]
    types, rows = graph.types_of(np.array([3, 4, 9, 10, 11]))
    assert [graph.node_types[at] for at in types] == ["user", "item", "item", "brand", "brand"]
    assert rows.tolist() == [3, 0, 5, 0, 1]
    with pytest.raises(IndexError, match="items"):
        graph.numbers("item", np.array([6]))
    with pytest.raises(IndexError, match="graph with 12"):
        graph.check_numbers(np.array([12]))


def test_sizes_that_disagree_are_refused() -> None:
    with pytest.raises(ValueError, match="7 nodes of type 'item', others 6"):
        Adjacency.of({HAD: edge_set([], (4, 6)), OF: edge_set([], (7, 2))})


def test_a_graph_without_relations() -> None:
    graph = Adjacency.of({})
    assert (graph.nodes, len(graph)) == (0, 0)


@given(PAIRS)
def test_turned_edges_and_edges_of_a_matrix(pairs: list[tuple[int, int, int]]) -> None:
    edges = edge_set(pairs, (4, 6))
    turned, expected = reversed_edges(edges), edges.reverse()
    again = edges_of(sparse.csr_array(edges.matrix()))
    for one, other in ((turned, expected), (again, edges)):
        for name in ("indptr", "indices", "weight"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
            assert getattr(one, name).dtype == getattr(other, name).dtype
        assert one.shape == other.shape
