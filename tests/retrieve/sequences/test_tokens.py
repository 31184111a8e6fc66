"""Tokens: windows in which each event follows once, gaps as the encoder counts them, sequences without padding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.data.types import History
from paretail.retrieve.sequences.tokens import GAPS, Sequences, gaps, windows


def history(counts: list[int], time: str = "clock", step_ms: int = 1000) -> History:
    events = sum(counts)
    return History(
        indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), item_idx=np.arange(events, dtype=np.int32),
        kind=(np.arange(events) % 2).astype(np.uint8), ts_ms=step_ms * np.arange(events, dtype=np.int64) ** 2,
        quantity=np.ones(events, np.float32), kinds=("cart", "purchase"), time=time,
    )  # fmt: skip


@given(st.lists(st.integers(0, 12), max_size=6), st.integers(1, 5))
def test_each_event_but_a_users_first_follows_once(counts: list[int], length: int) -> None:
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    first, size = windows(indptr, length)
    follows = [event for start, n in zip(first, size, strict=True) for event in range(start + 1, start + n)]
    wanted = [event for user, n in enumerate(counts) for event in range(indptr[user] + 1, indptr[user] + n)]
    assert sorted(follows) == wanted
    assert (size <= length + 1).all()
    owner = np.repeat(np.arange(len(counts)), counts)
    assert all(owner[start] == owner[start + n - 1] for start, n in zip(first, size, strict=True))


def test_gaps_are_powers_of_two_of_seconds_within_a_user() -> None:
    told = history([3, 0, 2])  # at 0, 1, 4 | 9, 16 seconds
    assert gaps(told).tolist() == [0, 2, 3, 0, 4]  # 1 + floor(log2(1 + 0, 1, 3, 7))
    assert gaps(history([2], step_ms=2**60 // 1000)).tolist() == [0, GAPS - 1]


def test_gaps_say_nothing_without_a_clock() -> None:
    assert not gaps(history([4], "order")).any()


def test_gaps_are_those_of_the_encoder() -> None:
    torch = pytest.importorskip("torch")
    from paretail.learn.encoders import buckets_of

    told = history([7], step_ms=37_000)
    real = torch.ones(1, 7, dtype=torch.bool)
    expected = buckets_of(torch.from_numpy(told.ts_ms)[None], real, GAPS)
    assert gaps(told).tolist() == expected[0].tolist()


def test_events_of_other_kinds_are_not_there() -> None:
    told = Sequences.of(history([3, 2]), ("purchase",))
    assert told.item.tolist() == [1, 3]
    assert told.counts.tolist() == [1, 1]
