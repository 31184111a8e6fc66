"""Blocks: with all neighbours the full graph, but for the batch's own edges; else unbiased, small, repeatable."""

from importlib.util import find_spec

import numpy as np
import pytest
from scipy import sparse

if not (find_spec("torch") and find_spec("jaxtyping")):
    pytest.skip("needs the extra learn", allow_module_level=True)

import torch

from paretail.graph.sampling import ALL
from paretail.learn.products import propagate
from paretail.retrieve.batches import Batches, Blocks, Sampled
from paretail.retrieve.objective import NegativesConfig

HAD, HAS = ("item", "had by", "user"), ("user", "had", "item")
OF, MADE = ("brand", "of reversed", "item"), ("item", "of", "brand")
SIZES = {"user": 30, "item": 20, "brand": 4}


def matrix(rng: np.random.Generator, rows: int, columns: int, density: float) -> sparse.csr_array:
    dense = (rng.random((rows, columns)) < density) * rng.uniform(0.1, 1, (rows, columns))
    return sparse.csr_array(dense.astype(np.float32))


RNG = np.random.default_rng(0)
PAIRS, BRANDS = matrix(RNG, 30, 20, 0.3), matrix(RNG, 20, 4, 0.3)
EDGES = {HAD: PAIRS, HAS: sparse.csr_array(PAIRS.T.tocsr()), OF: BRANDS, MADE: sparse.csr_array(BRANDS.T.tocsr())}
INPUT = {name: RNG.standard_normal((size, 3)).astype(np.float32) for name, size in SIZES.items()}
BATCHES = Batches(PAIRS, 16, NegativesConfig(negatives=3), 0)


def whole(edges: dict, depth: int) -> dict[str, np.ndarray]:
    """Return sums of sums over the full graph, by scipy; users start from items."""
    at = INPUT | {"user": edges[HAD] @ INPUT["item"]}
    for _ in range(depth):
        heard = {name: np.tanh(at[name]) for name in SIZES}
        for (source, _, target), known in edges.items():
            heard[target] = heard[target] + known @ at[source]
        at = heard
    return at


def sampled(one: Sampled) -> dict[str, torch.Tensor]:
    """Return the same over a sample."""
    at = {name: torch.from_numpy(INPUT[name][rows.numpy()]) for name, rows in one.rows.items()}
    at["user"] = propagate(one.start, at["item"])
    for hop in one.hops:
        heard: dict[str, torch.Tensor] = {}
        for (source, _, target), csr in hop.items():
            told = propagate(csr, at[source][: csr.shape[1]])
            heard[target] = heard.get(target, torch.tanh(at[target][: csr.shape[0]])) + told
        at = heard
    return at


def compare(one: Sampled, full: dict[str, np.ndarray], users: torch.Tensor, items: torch.Tensor) -> None:
    found = sampled(one)
    assert found["user"][one.batch.users].numpy() == pytest.approx(full["user"][users.numpy()], abs=1e-4)
    for place, row in ((one.batch.items, items), (one.batch.negatives, BATCHES.batch(0, 2).negatives)):
        assert found["item"][place].numpy() == pytest.approx(full["item"][row.numpy()], abs=1e-4)


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_with_all_neighbours_a_sample_is_the_full_graph(depth: int) -> None:
    batch = BATCHES.batch(0, 2)
    one = Blocks(EDGES, HAD, depth, ALL, 0, hide=False).of(batch, 2)
    compare(one, whole(EDGES, depth), batch.users, batch.items)
    assert len(one.hops) == depth
    assert one.batch.weight is batch.weight


def test_edges_of_the_batch_are_hidden_in_both_directions() -> None:
    batch, had = BATCHES.batch(0, 2), PAIRS.toarray()
    had[batch.users, batch.items] = 0
    left = EDGES | {HAD: sparse.csr_array(had), HAS: sparse.csr_array(had.T)}
    compare(Blocks(EDGES, HAD, 2, ALL, 0).of(batch, 2), whole(left, 2), batch.users, batch.items)


def test_sums_over_samples_are_unbiased() -> None:
    """Means of 400 samples differ from the full sums by what chance allows: z below 4 for 48 numbers."""
    batch, blocks = BATCHES.batch(0, 0), Blocks(EDGES, HAD, 0, 3, 0, hide=False)
    drawn = [blocks.of(batch, step) for step in range(400)]
    found = np.stack([sampled(one)["user"][one.batch.users].numpy() for one in drawn])
    off = found.mean(0) - (PAIRS @ INPUT["item"])[batch.users.numpy()]
    assert (np.abs(off) < 4 * found.std(0) / 20 + 1e-4).all()
    assert found.std(0).max() > 0.5


def test_values_can_stay_as_they_are() -> None:
    batch = BATCHES.batch(0, 0)
    one = Blocks(EDGES, HAD, 1, 2, 0, scaled=False).of(batch, 0)
    known = PAIRS.toarray()
    csr = one.hops[0][HAD]
    assert csr.by_row.indptr.diff().max() <= 2
    rows, targets = one.rows["item"][csr.by_row.indices], one.rows["user"][: csr.shape[0]]
    at = targets.repeat_interleave(csr.by_row.indptr.diff())
    assert known[at.numpy(), rows.numpy()] == pytest.approx(csr.by_row.values.numpy())


def test_users_start_from_a_sum_whatever_layers_hear() -> None:
    batch, blocks = BATCHES.batch(0, 0), Blocks(EDGES, HAD, 1, 3, 0, scaled=False, hide=False)
    drawn = [blocks.of(batch, step) for step in range(100)]
    sums = [float(one.start.by_row.values.sum()) / float(PAIRS[one.rows["user"].numpy()].sum()) for one in drawn]
    assert np.mean(sums) == pytest.approx(1.0, rel=0.05)


def test_a_sample_is_small_and_follows_from_its_number() -> None:
    rng = np.random.default_rng(1)
    pairs = matrix(rng, 3000, 2000, 0.02)
    blocks = Blocks({HAD: pairs, HAS: sparse.csr_array(pairs.T.tocsr())}, HAD, 2, 4, 0)
    batches = Batches(pairs, 8, NegativesConfig(negatives=2), 0)
    some = [one for _, one in zip(range(4), blocks.epoch(batches, 1, threads=2), strict=False)]
    assert max(sum(len(rows) for rows in one.rows.values()) for one in some) < 32 * (1 + 4 + 16 + 64)
    again = blocks.of(batches.batch(1, 3), batches.steps + 3)
    for left, right in zip(again.rows.values(), some[3].rows.values(), strict=True):
        assert torch.equal(left, right)
    assert torch.equal(again.start.by_row.values, some[3].start.by_row.values)
    assert not torch.equal(blocks.of(batches.batch(1, 3), 0).start.by_row.indices, again.start.by_row.indices)
