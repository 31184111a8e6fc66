"""Skip-gram: steps by hand, blocks that never share a vector, bytes whatever the threads, the optimum that is known."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretail.core.rng import rng_for
from paretail.graph.adjacency import Adjacency
from paretail.graph.chance import by_weight, fraction, inner, key_for
from paretail.graph.edges import EdgeSet
from paretail.graph.walks import Walker, starts_of
from paretail.retrieve import skipgram
from paretail.retrieve.skipgram import SkipGram, _Blocks

OFTEN = np.array([4.0, 1.0, 2.0, 0.0, 9.0])


def test_a_chunk_by_hand() -> None:
    """With few nodes there is one block, and pairs are taken in their order."""
    learned = SkipGram.start(OFTEN, 3, 0.75, 0)
    W, C = learned.centre.astype(float), rng_for("tests", 0).standard_normal((5, 3))
    learned.context[:] = C
    centres, contexts = np.array([0, 4, 0, 2], np.int32), np.array([1, 0, 4, 2], np.int32)
    tables = _Blocks.drawn(learned.log_q, key_for("retrieve/skipgram/blocks", 7, 0)).tables
    key, drawn = np.uint64(inner(key_for("retrieve/skipgram/negatives", 7, 0), 0)), 0
    for v, c in zip(centres, contexts, strict=True):
        moved = np.zeros(3)
        for slot in range(5):
            target, label = int(c), 1.0
            if slot:
                target, label = int(by_weight(tables.chance, tables.other, 0, 5, fraction(key, drawn))), 0.0
                drawn += 1
            if slot and target == c:
                continue
            g = 0.1 * (label - 1 / (1 + np.exp(-W[v] @ C[target])))
            moved += g * C[target]
            C[target] += g * W[v]
        W[v] += moved
    learned.descend(iter([(centres, contexts)]), lambda chunk: 0.1, 4, 7)
    assert learned.centre == pytest.approx(W, abs=1e-6)
    assert learned.context == pytest.approx(C, abs=1e-6)


def test_negatives_are_drawn_by_the_power_of_how_often_a_node_comes() -> None:
    log_q = SkipGram.start(OFTEN, 2, 0.5, 0).log_q
    assert np.exp(log_q) == pytest.approx(np.array([2, 1, np.sqrt(2), 1, 3]) / (7 + np.sqrt(2)))
    blocks = _Blocks.drawn(log_q, key_for("x", 0))
    draws = [blocks.nodes[by_weight(blocks.tables.chance, blocks.tables.other, 0, 5, fraction(np.uint64(3), n))]
             for n in range(8000)]  # fmt: skip
    assert np.bincount(draws) / 8000 == pytest.approx(np.exp(log_q), abs=0.02)


@settings(deadline=None, max_examples=20)  # the first example compiles
@given(st.integers(1, 3000), st.integers(0, 9))
def test_no_two_blocks_of_a_turn_share_a_vector_and_no_pair_is_lost(nodes: int, seed: int) -> None:
    blocks = _Blocks.drawn(np.zeros(nodes, np.float32), key_for("x", seed))
    count = len(blocks.bounds) - 1
    assert count == np.clip(nodes // skipgram.BLOCK_NODES, 1, skipgram.MOST_BLOCKS)
    assert sorted(blocks.nodes.tolist()) == list(range(nodes))
    rng = np.random.default_rng(seed)
    centres, contexts = rng.integers(nodes, size=(2, 500)).astype(np.int32)
    order, bounds = blocks.sorted(centres, contexts)
    assert sorted(order.tolist()) == list(range(500))
    for turn in range(count):
        met = []
        for block in range(count):
            cell = turn * count + block
            pairs = order[bounds[cell] : bounds[cell + 1]]
            met.append((turn + block) % count)
            assert (blocks.of[centres[pairs]] == block).all()
            assert (blocks.of[contexts[pairs]] == met[-1]).all()
            negatives = blocks.nodes[blocks.bounds[met[-1]] : blocks.bounds[met[-1] + 1]]
            assert (blocks.of[negatives] == met[-1]).all()
        assert sorted(met) == list(range(count))


def test_same_seed_same_bytes_whatever_the_threads() -> None:
    rng = np.random.default_rng(0)
    chunks = [tuple(rng.integers(600, size=(2, 4000)).astype(np.int32)) for _ in range(3)]

    def bytes_of(seed: int = 0) -> bytes:
        learned = SkipGram.start(np.ones(600), 8, 0.75, seed)
        learned.descend(iter(chunks), lambda chunk: 0.05, 3, seed)
        return learned.centre.tobytes() + learned.context.tobytes()

    found, before = bytes_of(), numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        assert bytes_of() == found
    finally:
        numba.set_num_threads(before)
    assert bytes_of(1) != found


def test_at_the_optimum_scores_are_the_log_of_how_likely_a_context_is() -> None:
    """A ring with chords, window 1: P(c | v) is the share of v's edge weight."""
    weights = np.zeros((8, 8))
    for node in range(8):
        for far, weight in ((1, 4.0), (2, 1.0), (4, 2.0)):
            weights[node, (node + far) % 8] = weights[(node + far) % 8, node] = weight
    left, right = np.nonzero(weights)
    edges = EdgeSet.of(left, right, (8, 8), weights[left, right].astype(np.float32))
    graph = Adjacency.of({("node", "link", "node"): edges}, both_ways=False)
    learned, walker = SkipGram.start(weights.sum(1), 8, 0.75, 0), Walker(graph, 50, 0)
    chunks = (pairs for epoch in range(80) for pairs in walker.pairs(starts_of(graph, 4, 0, epoch), epoch, 1))
    learned.descend(chunks, lambda chunk: 0.1 * (1 - chunk / 80), 5, 0)
    scores = learned.centre @ learned.context.T + learned.log_q + np.log(5)
    expected = np.log(weights / weights.sum(1)[:, None], where=weights > 0, out=np.zeros((8, 8)))
    assert np.abs(scores - expected)[weights > 0].mean() < 0.25
    assert np.corrcoef(scores[weights > 0], expected[weights > 0])[0, 1] > 0.9
    assert scores[weights == 0].max() < scores[weights > 0].min()


def test_nodes_that_never_come_and_a_graph_without_any() -> None:
    assert np.isfinite(SkipGram.start(np.zeros(3), 2, 0.75, 0).log_q).all()
    empty = SkipGram.start(np.zeros(0), 2, 0.75, 0)
    empty.descend(iter([]), lambda chunk: 1.0, 1, 0)
    assert empty.centre.shape == (0, 2)
