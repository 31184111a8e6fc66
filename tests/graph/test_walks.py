"""Random walks: every step is an edge, steps have their exact probabilities, repeatable; pairs within the window."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from paretail.graph.adjacency import Adjacency
from paretail.graph.chance import key_for
from paretail.graph.edges import EdgeSet
from paretail.graph.walks import Walker, starts_of, window_pairs

from .threads import with_threads

LINK = ("node", "link", "node")


def graph_of(weights: np.ndarray) -> Adjacency:
    """A graph from its matrix of weights; a negative entry is an edge of weight 0."""
    left, right = np.nonzero(weights)
    edges = EdgeSet.of(left, right, weights.shape, np.maximum(weights[left, right], 0).astype(np.float32))
    return Adjacency.of({LINK: edges}, both_ways=False)


def step_probabilities(weights: np.ndarray, before: int, at: int, p: float, q: float) -> np.ndarray:
    """Node2Vec's definition, read off the matrix."""
    alpha = np.where(weights[before] != 0, 1.0, 1 / q)
    alpha[before] = 1 / p
    mass = np.maximum(weights[at], 0) * alpha
    return np.asarray(mass / mass.sum())


#: A triangle 0 1 2 with a tail 2 3 4, and 5 off the side of 1.
TAIL = np.zeros((6, 6))
for one, other, weight in ((0, 1, 1), (0, 2, 2), (1, 2, 3), (2, 3, 1), (3, 4, 1), (1, 5, 2)):
    TAIL[one, other] = TAIL[other, one] = weight


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("p", "q"), [(1, 1), (0.25, 4), (4, 0.25), (0.05, 1), (2, 3), (0.2, 0.5)])
def test_steps_have_their_exact_probabilities(weighted: bool, p: float, q: float) -> None:
    weights = TAIL if weighted else (TAIL > 0).astype(float)
    graph = graph_of(weights)
    walks = Walker(graph, 22, 0, p, q).walk(np.tile(np.arange(6), 200), 0)
    first = Counter(zip(walks[:, 0].tolist(), walks[:, 1].tolist(), strict=True))
    for node in range(6):
        check(weights[node] / weights[node].sum(), [first[node, to] for to in range(6)])
    steps = Counter(
        zip(walks[:, :-2].ravel().tolist(), walks[:, 1:-1].ravel().tolist(), walks[:, 2:].ravel().tolist(), strict=True)
    )
    for before, at in zip(*np.nonzero(weights), strict=True):
        check(step_probabilities(weights, before, at, p, q), [steps[before, at, to] for to in range(6)])


def check(expected: np.ndarray, counts: list[int]) -> None:
    found = np.array(counts, float)
    assert not found[expected == 0].any()
    possible = expected > 0
    if possible.sum() > 1:
        share = expected[possible] / expected[possible].sum()
        assert chisquare(found[possible], found.sum() * share).pvalue > 1e-4  # some 200 tests of seeds fixed


def test_what_p_and_q_are_for() -> None:
    """A small p turns back; a small q goes far: it sees more nodes of a long ring with chords than a large one."""
    ring = np.zeros((60, 60))
    for node in range(60):
        for to in (1, 2):
            ring[node, (node + to) % 60] = ring[(node + to) % 60, node] = 1
    graph, starts = graph_of(ring), np.arange(60)

    def turned_back(p: float) -> float:
        walks = Walker(graph, 30, 0, p, 1).walk(starts, 0)
        return float((walks[:, 2:] == walks[:, :-2]).mean())

    def seen(q: float) -> float:
        return float(np.mean([len(set(walk.tolist())) for walk in Walker(graph, 30, 0, 1, q).walk(starts, 0)]))

    assert turned_back(0.1) > 1.5 * turned_back(1) > 4 * turned_back(10)
    assert seen(0.1) > 1.2 * seen(1) > 1.2 * seen(10)


@settings(max_examples=40, deadline=None)  # the first example compiles
@given(
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.sampled_from([-1, 1, 1, 5])), max_size=20),
    st.sampled_from([0.01, 0.5, 1.0, 8.0]),
    st.sampled_from([0.1, 1.0, 3.0]),
)
def test_every_step_is_an_edge_that_weighs_something(edges: list[tuple[int, int, int]], p: float, q: float) -> None:
    weights = np.zeros((8, 8))
    for left, right, weight in edges:
        weights[left, right] = weight
    walks = Walker(graph_of(weights), 6, 0, p, q).walk(np.arange(8), 0)
    assert walks[:, 0].tolist() == list(range(8))
    for walk in walks:
        for at, to in pairwise(walk):
            if to >= 0:
                assert weights[at, to] > 0
            else:
                assert at < 0 or not (weights[at] > 0).any(), "a walk ends only where it cannot go on"


def test_walks_go_over_all_relations() -> None:
    had = EdgeSet.of(np.array([0, 1]), np.array([0, 0]), (2, 1))
    friend = EdgeSet.of(np.array([0, 1]), np.array([1, 0]), (2, 2))
    graph = Adjacency.of({("user", "had", "item"): had, ("user", "friend", "user"): friend})
    walks = Walker(graph, 50, 0).walk(np.zeros(20, np.int32), 0)
    steps = Counter(zip(walks[:, :-1].ravel().tolist(), walks[:, 1:].ravel().tolist(), strict=True))
    assert set(steps) == {(0, 1), (1, 0), (0, 2), (1, 2), (2, 0), (2, 1)}


def test_same_seed_same_bytes_whatever_the_threads_and_chunks() -> None:
    graph, starts = graph_of(TAIL), np.tile(np.arange(6), 20)

    def bytes_of(seed: int = 0, epoch: int = 0) -> bytes:
        return Walker(graph, 9, seed, 0.5, 2).walk(starts, epoch).tobytes()

    one, two = with_threads(bytes_of)
    assert one == two == bytes_of()
    assert len({bytes_of(seed, epoch) for seed in (0, 1) for epoch in (0, 1)}) == 4
    walker = Walker(graph, 9, 0, 0.5, 2)
    parts = [walker.walk(starts[at : at + 50], 0, at) for at in range(0, 120, 50)]
    assert np.concatenate(parts).tobytes() == bytes_of()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 4), max_size=6), max_size=5), st.integers(1, 7))
def test_pairs_are_all_pairs_within_the_window(rows: list[list[int]], window: int) -> None:
    walks = np.full((len(rows), 6), -1, np.int32)
    expected: Counter[tuple[int, int]] = Counter()
    for row, nodes in enumerate(rows):
        walks[row, : len(nodes)] = nodes
        for at, centre in enumerate(nodes):
            for near in range(max(0, at - window), min(len(nodes), at + window + 1)):
                expected[centre, nodes[near]] += near != at
    centre, context = window_pairs(walks, window, key_for("test", 0))
    assert Counter(zip(centre.tolist(), context.tolist(), strict=True)) == +expected


def test_pairs_come_in_chunks_and_in_random_order() -> None:
    graph = graph_of(TAIL)
    walker, starts = Walker(graph, 10, 0), starts_of(graph, 20, 0, 0)
    chunks = list(walker.pairs(starts, 0, window=3, chunk=50))
    assert len(chunks) == 3
    walks = walker.walk(starts, 0)
    together = Counter(zip(*(np.concatenate(side).tolist() for side in zip(*chunks, strict=True)), strict=True))
    assert together == Counter(zip(*(side.tolist() for side in window_pairs(walks, 3, key_for("x", 0))), strict=True))
    assert (np.diff(chunks[0][0]) == 0).mean() < 0.5, "pairs of one centre do not follow each other"
    again = list(walker.pairs(starts, 0, window=3, chunk=50))
    assert all(
        np.array_equal(a, b) for one, other in zip(chunks, again, strict=True) for a, b in zip(one, other, strict=True)
    )
    assert list(walker.pairs(starts[:0], 0, window=3)) == []


def test_starts_are_the_nodes_with_edges() -> None:
    weights = np.zeros((5, 5))
    weights[1, 3] = weights[3, 1] = 1
    starts = starts_of(graph_of(weights), 4, 0, 0)
    assert sorted(starts.tolist()) == [1] * 4 + [3] * 4
    assert starts.tolist() != starts_of(graph_of(weights), 4, 0, 1).tolist() or starts.tolist() != sorted(
        starts.tolist()
    )


def test_what_makes_no_walk_is_refused() -> None:
    graph = graph_of(TAIL)
    for length, p, q in ((0, 1, 1), (3, 0, 1), (3, 1, -1), (3, np.inf, 1), (3, np.nan, 1)):
        with pytest.raises(ValueError, match="must be positive"):
            Walker(graph, length, 0, p, q)
    with pytest.raises(IndexError, match="graph with 6"):
        Walker(graph, 3, 0).walk(np.array([6]), 0)
