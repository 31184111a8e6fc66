"""Edge sets: rows in order, repeated pairs folded, both directions."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from paretail.graph.edges import EdgeSet

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(1, 9)), max_size=30)


def build(pairs: list[tuple[int, int, int]]) -> EdgeSet:
    columns = np.array(pairs, np.int64).reshape(-1, 3)
    return EdgeSet.of(columns[:, 0], columns[:, 1], (5, 7), columns[:, 2].astype(np.float32), columns[:, 2])


@given(PAIRS)
def test_edges_are_the_distinct_pairs_with_the_greatest_weight_and_time(pairs: list[tuple[int, int, int]]) -> None:
    edges, expected = build(pairs), np.zeros((5, 7), np.float32)
    for source, target, weight in pairs:
        expected[source, target] = max(expected[source, target], weight)
    assert np.array_equal(edges.matrix().toarray(), expected)
    assert edges.ts_ms is not None
    assert np.array_equal(edges.ts_ms, edges.weight)
    assert all((np.diff(edges.of_row(row)) > 0).all() for row in range(5))
    assert len(edges) == (expected > 0).sum()


@given(PAIRS)
def test_the_reverse_is_the_transpose(pairs: list[tuple[int, int, int]]) -> None:
    edges = build(pairs)
    assert np.array_equal(edges.reverse().matrix().toarray(), edges.matrix().toarray().T)
    assert edges.reverse().shape == (7, 5)


def test_untimed_edges_weigh_one() -> None:
    edges = EdgeSet.of(np.array([1, 0, 1]), np.array([2, 0, 2]), (3, 3))
    assert edges.ts_ms is None
    assert edges.weight.tolist() == [1, 1]
    assert edges.sources.tolist() == [0, 1]
    assert edges.reverse().ts_ms is None
