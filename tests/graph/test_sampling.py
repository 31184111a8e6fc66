"""Neighbour sampling: samples are true parts of the graph, as large as asked, unbiased, and repeatable."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from paretail.graph.adjacency import Adjacency
from paretail.graph.ahead import ahead
from paretail.graph.edges import EdgeSet
from paretail.graph.sampling import ALL, NeighbourSampler, Sample

HAD, OF = ("user", "had", "item"), ("item", "of", "brand")
USERS, ITEMS, BRANDS = 30, 40, 3


def shop_graph(seed: int = 0, density: float = 0.3) -> Adjacency:
    rng = np.random.default_rng(seed)
    user, item = np.nonzero(rng.random((USERS, ITEMS)) < density)
    had = EdgeSet.of(user, item, (USERS, ITEMS), rng.integers(0, 5, len(user)).astype(np.float32))
    return Adjacency.of({HAD: had, OF: EdgeSet.of(np.arange(ITEMS), np.arange(ITEMS) % BRANDS, (ITEMS, BRANDS))})


GRAPH = shop_graph()


def whole(graph: Adjacency) -> dict[tuple[int, int, int], tuple[int, float]]:
    """Each edge of a graph with one edge a pair: (node, neighbour, relation) to its place and weight."""
    return {
        (node, int(graph.indices[edge]), int(graph.relation[segment])): (edge, float(graph.weight[edge]))
        for node in range(graph.nodes)
        for segment in range(graph.segments[node], graph.segments[node + 1])
        for edge in range(graph.indptr[segment], graph.indptr[segment + 1])
    }


EDGES = whole(GRAPH)


def as_bytes(sample: Sample) -> bytes:
    parts = [sample.nodes, sample.seed_at]
    for block in sample.blocks:
        parts += [block.indptr, block.indices, block.weight, block.relation, block.edge]
    return b"".join(part.tobytes() for part in parts)


@settings(max_examples=40, deadline=None)  # the first example compiles
@given(
    st.lists(st.integers(0, GRAPH.nodes - 1), max_size=12),
    st.lists(st.sampled_from([ALL, 0, 1, 3, 7, 100]), min_size=1, max_size=3),
    st.booleans(),
)
def test_a_sample_is_a_part_of_the_graph(seeds: list[int], fan_outs: list[int], weighted: bool) -> None:
    batch = np.array(seeds, np.int64)
    sample = NeighbourSampler(GRAPH, fan_outs, 0, weighted).sample(batch, 3)
    assert len(set(sample.nodes.tolist())) == len(sample.nodes)
    assert sample.nodes[sample.seed_at].tolist() == seeds
    assert sample.blocks[0].shape[0] == len(set(seeds))
    for hop, (block, fan_out) in enumerate(zip(sample.blocks, fan_outs, strict=True)):
        rows, sources = block.shape
        assert sources == (sample.blocks[hop + 1].shape[0] if hop + 1 < len(fan_outs) else len(sample.nodes))
        assert block.indptr[0] == 0
        assert block.indptr[-1] == len(block.indices) == len(block.weight) == len(block.relation) == len(block.edge)
        assert not len(block.indices) or 0 <= block.indices.min() <= block.indices.max() < sources
        drawn: dict[tuple[int, int], list[int]] = {}
        for row in range(rows):
            node = int(sample.nodes[row])
            for at in range(block.indptr[row], block.indptr[row + 1]):
                key = (node, int(sample.nodes[block.indices[at]]), int(block.relation[at]))
                assert EDGES[key][0] == block.edge[at]
                drawn.setdefault((node, key[2]), []).append(int(block.edge[at]))
            for segment in range(GRAPH.segments[node], GRAPH.segments[node + 1]):
                weights = GRAPH.weight[GRAPH.indptr[segment] : GRAPH.indptr[segment + 1]]
                mine = drawn.get((node, int(GRAPH.relation[segment])), [])
                if weighted and fan_out != ALL:
                    assert len(mine) == (fan_out if weights.sum() > 0 else 0)
                else:
                    assert (
                        len(mine) == len(set(mine)) == (len(weights) if fan_out == ALL else min(fan_out, len(weights)))
                    )


@pytest.mark.parametrize("weighted", [False, True])
def test_sums_over_a_sample_are_unbiased(weighted: bool) -> None:
    """The mean over many steps of what one item sums over a sample comes close to its sum over all its edges."""
    sampler = NeighbourSampler(GRAPH, [3], 0, weighted)
    values = np.random.default_rng(1).normal(size=GRAPH.nodes)
    node = int(GRAPH.numbers("item", np.array([7]))[0])
    sums = np.zeros((4000, len(GRAPH.relations)))
    for step in range(len(sums)):
        sample = sampler.sample(np.array([node]), step)
        block = sample.blocks[0]
        parts = block.weight * values[sample.nodes[block.indices]]
        sums[step] = np.bincount(block.relation, parts, minlength=len(GRAPH.relations))
    exact = np.zeros(len(GRAPH.relations))
    for (at, to, relation), (_, weight) in EDGES.items():
        exact[relation] += weight * values[to] * (at == node)
    error = sums.std(axis=0) / np.sqrt(len(sums))
    assert (error > 1e-9).sum() == 1, "only the buyers are more than three"
    assert (np.abs(sums.mean(axis=0) - exact) <= 3.5 * error + 1e-6).all()


@pytest.mark.parametrize("weighted", [False, True])
def test_draws_have_the_frequencies_asked_for(weighted: bool) -> None:
    sampler, node = NeighbourSampler(GRAPH, [2], 0, weighted), 4
    weights = GRAPH.weight[GRAPH.bounds[node] : GRAPH.bounds[node + 1]]
    counts = np.zeros(len(weights))
    for step in range(3000):
        edge = sampler.sample(np.array([node]), step).blocks[0].edge
        np.add.at(counts, edge - GRAPH.bounds[node], 1)
    shares = weights / weights.sum(dtype=np.float64) if weighted else np.full(len(weights), 1 / len(weights))
    assert not counts[shares == 0].any()
    assert chisquare(counts[shares > 0], 6000 * shares[shares > 0]).pvalue > 0.001


def test_same_seed_same_bytes_and_other_steps_other_samples() -> None:
    batch = np.arange(GRAPH.nodes)
    one, again, other = (NeighbourSampler(GRAPH, [4, 4], seed) for seed in (0, 0, 1))
    assert as_bytes(one.sample(batch, 5)) == as_bytes(again.sample(batch, 5))
    assert len({as_bytes(sampler.sample(batch, step)) for sampler in (one, other) for step in (5, 6)}) == 4
    steps = [as_bytes(one.sample(batch, step)) for step in range(6)]
    assert [as_bytes(sample) for sample in ahead(lambda step: one.sample(batch, step), range(6), 2)] == steps


def test_what_a_node_draws_does_not_depend_on_the_rest_of_the_batch() -> None:
    sampler = NeighbourSampler(GRAPH, [3], 0)
    alone = sampler.sample(np.array([9]), 0).blocks[0].edge
    block = sampler.sample(np.array([5, 9, 2]), 0).blocks[0]
    assert block.edge[block.indptr[1] : block.indptr[2]].tolist() == alone.tolist()


def test_numbering_of_nodes_does_not_matter() -> None:
    """With every neighbour taken, sums over two hops are those of the matrices."""
    sample = NeighbourSampler(GRAPH, [ALL, ALL], 0).sample(np.array([3, 50, 3]), 0)
    first, second = (block.matrix() for block in sample.blocks)
    dense = np.zeros((GRAPH.nodes, GRAPH.nodes))
    for (node, to, _), (_, weight) in EDGES.items():
        dense[node, to] += weight
    values = np.arange(GRAPH.nodes, dtype=np.float64)
    found = (first @ (second @ values[sample.nodes]))[sample.seed_at]
    assert found == pytest.approx((dense @ (dense @ values))[[3, 50, 3]])


def test_hidden_pairs_are_not_seen_in_either_direction() -> None:
    items = GRAPH.indices[GRAPH.bounds[4] : GRAPH.bounds[5]]
    hidden = (np.full(3, 4, np.int32), items[:3])
    for fan_out in (ALL, 5):
        sampler = NeighbourSampler(GRAPH, [fan_out, fan_out], 0)
        batch = np.concatenate([[4], items])
        plain, found = sampler.sample(batch, 0), sampler.sample(batch, 0, hidden)
        seen = []
        for block in found.blocks:
            rows = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
            seen += zip(found.nodes[rows].tolist(), found.nodes[block.indices].tolist(), strict=True)
        pairs = set(zip(hidden[0].tolist(), hidden[1].tolist(), strict=True))
        assert not pairs & set(seen)
        assert not pairs & {(right, left) for left, right in seen}
        assert set(found.blocks[0].edge.tolist()) < set(plain.blocks[0].edge.tolist())


def test_fan_outs_by_relation() -> None:
    reverse = ("brand", "of reversed", "item")
    sampler = NeighbourSampler(GRAPH, [{OF: 1}, {reverse: 2}], 0)
    sample = sampler.sample(GRAPH.numbers("item", np.arange(4)), 0)
    first, second = sample.blocks
    assert np.diff(first.indptr).tolist() == [1] * 4
    assert {GRAPH.relations[relation] for relation in first.relation} == {OF}
    assert {GRAPH.relations[relation] for relation in second.relation} == {reverse}
    with pytest.raises(ValueError, match="no such relations"):
        NeighbourSampler(GRAPH, [{("item", "of", "colour"): 1}], 0)


def test_nodes_outside_the_graph_are_refused() -> None:
    with pytest.raises(IndexError, match="graph with"):
        NeighbourSampler(GRAPH, [1], 0).sample(np.array([GRAPH.nodes]), 0)


def test_memory_follows_the_batch_and_not_the_graph() -> None:
    peaks = []
    for users in (2_000, 40_000):
        rng = np.random.default_rng(0)
        edges = EdgeSet.of(np.repeat(np.arange(users), 10), rng.integers(users, size=10 * users), (users, users))
        sampler = NeighbourSampler(Adjacency.of({HAD: edges}), [5, 5], 0)
        sampler.sample(np.arange(50), 0)
        tracemalloc.start()
        sampler.sample(np.arange(50), 1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]
