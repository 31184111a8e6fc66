"""Planted worlds: nothing beats the oracle, good learners come near it, and popularity does not."""

import numpy as np
import polars as pl
import pytest

from paretail.data.types import EVENT_COLUMNS, History
from paretail.evaluate.ranking import hits, ndcg
from paretail.sim.planted import Planted, planted, planted_labels, planted_sequence

SEEDS = (0, 1)


def matrix(world: Planted) -> np.ndarray:
    return world.had().astype(float)


def spectral(world: Planted, dim: int = 6) -> np.ndarray:
    had = matrix(world)
    by_user, by_item = (np.maximum(had.sum(axis=axis), 1) ** -0.5 for axis in (1, 0))
    right = np.linalg.svd(by_user[:, None] * had * by_item, full_matrices=False)[2][:dim]
    return (had * by_item) @ right.T @ right / by_item


def popular(world: Planted) -> np.ndarray:
    return np.broadcast_to(matrix(world).sum(axis=0), world.oracle.shape)


@pytest.mark.parametrize("seed", SEEDS)
def test_shares_of_the_oracle(seed: int) -> None:
    world = planted(seed=seed)
    assert world.oracle_share(spectral(world)) >= 0.9
    assert world.oracle_share(popular(world)) <= 0.45
    assert world.oracle_share(np.random.default_rng(0).random(world.oracle.shape)) <= 0.2
    assert world.oracle_share(world.oracle) == 1.0


def test_nothing_beats_the_oracle() -> None:
    """Even the truth of the draws plus noise of any size, or popularity mixed in, ranks no better on average."""
    worlds = [planted(users=300, items=100, events_per_user=20, seed=seed) for seed in range(8)]
    rng = np.random.default_rng(0)
    for size in (0.2, 1.0):
        shares = [w.oracle_share(w.oracle + size * rng.standard_normal(w.oracle.shape)) for w in worlds]
        assert np.mean(shares) < 1
    assert np.mean([w.oracle_share(w.oracle + 0.02 * popular(w)) for w in worlds]) < 1


def test_the_draws_follow_the_oracle() -> None:
    """The first draw of a user is i with probability exp(oracle) over its sum (4 sigma, one bin a decile)."""
    worlds = [planted(users=1000, items=50, events_per_user=5, held=1, seed=seed) for seed in range(4)]
    p = np.concatenate([np.exp(w.oracle) / np.exp(w.oracle).sum(axis=1, keepdims=True) for w in worlds])
    first = np.concatenate([w.history.item_idx.reshape(1000, 5)[:, 0] for w in worlds])
    drawn = np.zeros(p.shape)
    drawn[np.arange(len(p)), first] = 1
    for part in np.array_split(np.argsort(p, axis=None), 10):
        expected, seen = p.ravel()[part], drawn.ravel()[part].sum()
        assert abs(seen - expected.sum()) <= 4 * np.sqrt((expected * (1 - expected)).sum())


def test_its_metric_is_that_of_evaluate() -> None:
    world = planted(users=50, items=40, events_per_user=8, seed=3)
    values = ndcg(hits(world.lists(world.oracle, 10), world.held), world.held.counts)
    assert world.ndcg(world.oracle) == pytest.approx(values.mean())


def test_the_held_out_items_are_new_and_rows_are_vocabulary_rows() -> None:
    world = planted(users=40, items=60, events_per_user=10, seed=2, held=3)
    assert world.held.counts.tolist() == [3] * 40
    assert not world.had()[world.held.user_idx, world.held.item_idx].any()
    assert list(world.shop.events.frame.columns) == list(EVENT_COLUMNS)
    assert dict(world.shop.events.frame.schema) == EVENT_COLUMNS
    again = History.of(world.shop.events, world.shop.user_vocabulary(), world.shop.item_vocabulary())
    assert np.array_equal(again.item_idx, world.history.item_idx)
    assert np.array_equal(again.indptr, world.history.indptr)


def test_lists_end_where_nothing_is_left() -> None:
    world = planted(users=5, items=30, events_per_user=27, held=1, seed=0)
    lists = world.lists(world.oracle, 5)
    assert (lists[:, :3] >= 0).all()
    assert (lists[:, 3:] == -1).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_in_a_sequence_direction_is_everything(seed: int) -> None:
    world, transitions = planted_sequence(seed=seed)
    assert transitions.sum(axis=1) == pytest.approx(1)
    item, user = world.history.item_idx, world.history.user_idx
    pairs = user[1:] == user[:-1]
    count = np.zeros(transitions.shape)
    np.add.at(count, (item[:-1][pairs], item[1:][pairs]), 1)
    last = item[world.history.indptr[1:] - 1]
    assert world.oracle_share(count[last]) >= 0.95
    assert world.oracle_share((count + count.T)[last]) <= 0.93
    assert world.oracle_share(spectral(world)) <= 0.5
    assert not world.had()[world.held.user_idx, world.held.item_idx].any()


def test_the_same_seed_gives_the_same_bytes() -> None:
    for make in (lambda seed: planted(50, 40, 8, seed), lambda seed: planted_sequence(50, 40, 8, seed)[0]):
        one, two, other = make(4), make(4), make(5)
        assert one.shop.events.frame.equals(two.shop.events.frame)
        assert one.oracle.tobytes() == two.oracle.tobytes()
        assert one.held.item_idx.tobytes() == two.held.item_idx.tobytes()
        assert not one.shop.events.frame.equals(other.shop.events.frame)


def test_new_items_are_asked_for_and_labels_tell_all_of_them() -> None:
    world = planted_labels(300, 120, 20, 3)
    new = np.arange(120) % 2 == 1
    assert not new[world.history.item_idx].any()
    assert new[world.held.item_idx].all()
    assert np.array_equal(np.isinf(world.oracle).all(axis=0), ~new)
    labels = world.shop.catalogue.frame.select("brand", block=pl.Series(world.block))
    alike = labels.with_columns(row=pl.int_range(120)).filter(pl.Series(new)).group_by("brand", "block").agg("row")
    for rows in alike["row"].to_list():
        assert np.ptp(world.oracle[:, rows], axis=1).max() == pytest.approx(0, abs=1e-9)
    assert world.oracle_share(world.oracle) == 1.0
    assert world.oracle_share(np.where(new, 0.0, -np.inf) + np.zeros_like(world.oracle)) <= 0.4
