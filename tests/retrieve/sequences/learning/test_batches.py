"""Batches: each event but a user's first is predicted once an epoch, from the events before it."""

import numpy as np
import pytest

from paretail.data.types import Time
from paretail.retrieve.sequences.learning.batches import Batches
from paretail.retrieve.sequences.learning.net import Batch
from paretail.retrieve.sequences.tokens import Sequences

COUNTS = [3, 1, 0, 8, 2]


def sequences() -> Sequences:
    """Each event has an item of its own, the number of the event, but the last of the fourth user, who has 4 again."""
    events = sum(COUNTS)
    item = np.arange(events)
    item[11] = 4
    kind = np.arange(events) % 2
    return Sequences(np.concatenate([[0], np.cumsum(COUNTS)]), item, kind, np.zeros(events, np.int64))


def batches(
    time: Time = "clock", again: float = 1.0, weight: tuple[float, float] = (1.0, 1.0), negatives: int | None = None
) -> Batches:
    weights = np.array(weight, np.float32)
    return Batches(sequences(), time, 5, 8, weights, again, negatives, (np.arange(14) != 11).astype(np.int64), 0)


def epoch(made: Batches, number: int = 0) -> list[Batch]:
    return list(made(number, np.random.default_rng(number)))


def predicted(batch: Batch) -> list[tuple[int, int]]:
    """Return pairs of what was there and what came next."""
    return list(zip(batch.item[batch.real].tolist(), batch.next_item.tolist(), strict=True))


def test_each_event_is_predicted_once_from_the_one_before() -> None:
    found = sorted(pair for batch in epoch(batches()) for pair in predicted(batch))
    assert found == [(0, 1), (1, 2), (4, 5), (5, 6), (6, 7), (7, 8), (8, 9), (9, 10), (10, 4), (12, 13)]
    assert all(batch.real.numel() <= 8 for batch in epoch(batches()))


def test_an_epoch_follows_from_its_number() -> None:
    told = [[predicted(batch) for batch in epoch(batches(), number)] for number in (0, 0, 1, 2, 3, 4)]
    assert told[0] == told[1]
    assert any(told[0] != other for other in told)


def test_kinds_and_repeats_have_their_weights() -> None:
    found = {
        then: weight
        for batch in epoch(batches(again=0.25, weight=(1.0, 0.5)))
        for (_, then), weight in zip(predicted(batch), batch.weight.tolist(), strict=True)
    }
    assert found == {1: 0.5, 2: 1.0, 5: 0.5, 6: 1.0, 7: 0.5, 8: 1.0, 9: 0.5, 10: 1.0, 4: 0.125, 13: 0.5}


def test_windows_that_predict_nothing_are_left_out() -> None:
    found = [then for batch in epoch(batches(weight=(0.0, 1.0))) for _, then in predicted(batch)]
    assert 13 in found
    only = epoch(batches(weight=(1.0, 0.0)))
    assert 13 not in [then for batch in only for _, then in predicted(batch)]


def test_without_time_the_order_is_drawn_within_users() -> None:
    pairs = [pair for number in range(20) for batch in epoch(batches("none"), number) for pair in predicted(batch)]
    assert len(pairs) == 200
    user = np.repeat(np.arange(len(COUNTS)), COUNTS)
    assert all(user[before] == user[then] for before, then in pairs)
    assert len({pair for pair in pairs if user[pair[0]] == 0}) == 6  # all orders of three


def test_negatives_come_with_how_many_of_each_are_expected() -> None:
    (batch, *_) = epoch(batches(negatives=12))
    assert batch.negatives is not None
    assert batch.log_q is not None
    assert batch.negatives.shape == (12,)
    assert batch.log_q.numpy() == pytest.approx(np.log(12 / 13), rel=1e-5)
    assert 11 not in batch.negatives  # nobody had it
    assert epoch(batches(negatives=13))[0].negatives is None
