"""Batches: every pair once an epoch, negatives that users have not, the chance told, repeatable."""

from importlib.util import find_spec

import numpy as np
import pytest
from scipy import sparse
from scipy.stats import chisquare

if not (find_spec("torch") and find_spec("jaxtyping")):
    pytest.skip("needs the extra learn", allow_module_level=True)

import torch

from paretail.retrieve.batches import Batch, Batches
from paretail.retrieve.objective import NegativesConfig

SOURCES = ("uniform", "popular", "batch", "hard")


def pairs_of(users: int = 40, items: int = 25, seed: int = 0) -> sparse.csr_array:
    rng = np.random.default_rng(seed)
    dense = (rng.random((users, items)) < 0.2) * rng.uniform(0.1, 2, (users, items))
    return sparse.csr_array(dense.astype(np.float32))


PAIRS = pairs_of()


def config(source: str, shared: bool = False) -> NegativesConfig:
    shared = shared and source in ("uniform", "popular")
    return NegativesConfig(negatives=6, negatives_from=source, shared=shared, pool=12)  # type: ignore[arg-type]


def bytes_of(batch: Batch) -> list[bytes]:
    return [part.numpy().tobytes() for part in vars(batch).values() if part is not None]


@pytest.mark.parametrize("source", SOURCES)
def test_an_epoch_has_every_pair_once_with_its_weight(source: str) -> None:
    batches = Batches(PAIRS, 32, config(source), 0)
    made = list(batches(0, np.random.default_rng(0)))
    assert len(made) == batches.steps == -(-PAIRS.nnz // 32)
    users, items, weight = (
        torch.cat([getattr(b, part) for b in made]).numpy() for part in ("users", "items", "weight")
    )
    assert PAIRS.toarray()[users, items] / PAIRS.data.max() == pytest.approx(weight)
    assert sorted(zip(users.tolist(), items.tolist(), strict=True)) == sorted(
        zip(*(side.tolist() for side in PAIRS.nonzero()), strict=True)
    )
    assert users.tolist() != sorted(users.tolist())
    other = torch.cat([b.users for b in batches(1, np.random.default_rng(0))]).numpy()
    assert users.tolist() != other.tolist()


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("source", SOURCES)
def test_free_negatives_are_what_the_user_has_not(source: str, shared: bool) -> None:
    had = PAIRS.toarray() > 0
    for batch in Batches(PAIRS, 50, config(source, shared), 0)(0, np.random.default_rng(0), threads=0):
        rows = batch.negatives.expand(len(batch.users), -1).numpy()
        known = had[batch.users.numpy()[:, None], rows]
        assert rows.shape[1] == {"batch": len(batch.users), "hard": 12}.get(source, 6)
        free = np.ones_like(known) if batch.free is None else batch.free.numpy()
        assert np.array_equal(free, ~known)
        assert (batch.log_q is None) == (source == "hard")


def test_in_a_batch_the_others_positives_are_negatives() -> None:
    batch = Batches(PAIRS, 50, config("batch"), 0).batch(0, 0)
    assert torch.equal(batch.negatives[0], batch.items)
    assert not batch.free.diagonal().any()
    often = np.bincount(PAIRS.indices, minlength=25) / PAIRS.nnz
    assert batch.log_q[0].numpy() == pytest.approx(np.log(49 * often[batch.items.numpy()]), abs=1e-5)


@pytest.mark.parametrize("weights_as", ["loss", "sampling"])
@pytest.mark.parametrize("source", ["uniform", "popular", "batch"])
@pytest.mark.parametrize("shared", [False, True])
def test_log_q_says_how_many_negatives_are_to_be_expected(source: str, shared: bool, weights_as: str) -> None:
    """Over many batches 1 / e^log_q of each free negative adds up to one an item that the user does not have."""
    batches = Batches(PAIRS, 40, config(source, shared), 0, weights_as)  # type: ignore[arg-type]
    total, seen = np.zeros(25), 0
    for epoch in range(120):
        for batch in batches(epoch, np.random.default_rng(0), threads=0):
            if len(batch.users) < 40:
                continue
            rows, log_q = (np.broadcast_to(part, (40, part.shape[1])) for part in (batch.negatives, batch.log_q))
            mine = (batch.users == 7).numpy()
            free = np.ones(rows.shape, bool) if batch.free is None else batch.free.numpy()
            np.add.at(total, rows[mine][free[mine]], np.exp(-log_q[mine][free[mine]]))
            seen += mine.sum()
    has = PAIRS.toarray()[7] > 0
    assert seen > 300
    assert total[~has] / seen == pytest.approx(np.ones((~has).sum()), abs=0.35)
    assert (total[~has] / seen).mean() == pytest.approx(1, abs=0.06)
    assert not total[has].any()


def test_sampling_draws_pairs_as_often_as_they_weigh() -> None:
    batches = Batches(PAIRS, 50, config("uniform"), 0, "sampling")
    found = np.zeros(PAIRS.shape)
    for epoch in range(40):
        for batch in batches(epoch, np.random.default_rng(0), threads=0):
            np.add.at(found, (batch.users.numpy(), batch.items.numpy()), 1)
            assert (batch.weight == 1).all()
    expected = PAIRS.toarray().astype(np.float64)
    assert not found[expected == 0].any()
    drawn, told = found[expected > 0], expected[expected > 0]
    assert chisquare(drawn, told * (drawn.sum() / told.sum())).pvalue > 0.001


@pytest.mark.parametrize("source", SOURCES)
def test_a_batch_follows_from_seed_epoch_and_step_alone(source: str) -> None:
    batches = Batches(PAIRS, 32, config(source), 3)
    one = [bytes_of(b) for b in batches(2, np.random.default_rng(0), threads=2)]
    alone = [bytes_of(Batches(PAIRS, 32, config(source), 3).batch(2, step)) for step in reversed(range(batches.steps))]
    assert one == alone[::-1]
    assert [bytes_of(b) for b in batches.left(2, 3)] == one[3:]
    assert bytes_of(Batches(PAIRS, 32, config(source), 4).batch(2, 0)) != one[0]
    assert bytes_of(batches.batch(3, 0)) != one[0]


def test_the_hardest_are_the_best_scored_free_ones() -> None:
    batch = Batches(PAIRS, 30, config("hard"), 0).batch(0, 0)
    scores = torch.from_numpy(np.random.default_rng(1).standard_normal((30, 12)))
    free = torch.ones(30, 12, dtype=torch.bool)
    free[:, scores[0].argmax()] = False
    hard = Batch(batch.users, batch.items, batch.weight, batch.negatives, free).hardest(scores, 3)
    for row in range(30):
        order = [n for n in np.argsort(-scores[row].numpy()) if free[row, n]][:3]
        assert hard.negatives[row].tolist() == batch.negatives[row, order].tolist()
    assert hard.free.all()
    assert batch.hardest(scores, 99).negatives.shape == (30, 12)


def test_a_user_who_has_everything_has_no_free_negative() -> None:
    pairs = sparse.csr_array(np.array([[1, 1, 1], [1, 0, 0]], np.float32))
    for source in SOURCES:
        batch = Batches(pairs, 8, config(source), 0).batch(0, 0)
        assert batch.free is not None
        assert not batch.free[batch.users == 0].any()
        assert source == "batch" or batch.free[batch.users == 1].all()


def test_a_shop_without_pairs_has_no_batches() -> None:
    assert list(Batches(sparse.csr_array((3, 4), dtype=np.float32), 8, config("batch"), 0, "sampling")(0, None)) == []  # type: ignore[arg-type]
