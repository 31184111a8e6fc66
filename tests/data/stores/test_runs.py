"""Sorted runs against a plain dictionary; hashes."""

from collections import defaultdict
from hashlib import blake2b

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from paretail.data.stores.index import Block, event_digests, user_hashes
from paretail.data.stores.runs import Runs, contains

numbers = st.integers(0, 30)
adds = st.lists(st.lists(st.tuples(numbers, st.integers(1, 1000)), max_size=12), max_size=12)


def _arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    keys, seqs = np.array([k for k, _ in pairs], dtype=np.uint64), np.array([s for _, s in pairs], dtype=np.int64)
    return keys * np.uint64(2**59 + 1), seqs


@given(adds, st.lists(numbers, min_size=1, unique=True), st.integers(0, 1000))
def test_runs_know_what_was_added(groups: list[list[tuple[int, int]]], asked: list[int], after: int) -> None:
    runs, plain = Runs(), defaultdict(list)
    for group in groups:
        runs.add(*_arrays(group))
        for key, seq in group:
            plain[key].append(seq)
    keys, _ = _arrays([(key, 0) for key in asked])
    assert runs.contains(keys).tolist() == [key in plain for key in asked]
    assert runs.find(keys).tolist() == sorted(seq for key in asked for seq in plain[key])
    later = runs.after(after)
    assert later.find(keys).tolist() == sorted(seq for key in asked for seq in plain[key] if seq > after)
    assert len(runs) == sum(map(len, groups))


def test_the_number_of_runs_grows_slowly() -> None:
    runs = Runs()
    for start in range(0, 100_000, 50):
        seqs = np.arange(start, start + 50)
        runs.add((seqs * 2_654_435_761).astype(np.uint64), seqs)
    assert len(runs) == 100_000
    assert len(runs._runs) <= 12
    assert all(np.all(keys[1:] >= keys[:-1]) for keys, _ in runs._runs)


def test_nothing_contains_nothing() -> None:
    empty = np.empty(0, dtype=np.uint64)
    assert contains(empty, np.array([1], dtype=np.uint64)).tolist() == [False]
    assert contains(np.array([1], dtype=np.uint64), empty).tolist() == []


def test_hashes_are_the_same_on_every_machine_and_tell_event_from_item() -> None:
    told = blake2b(b"e\0i", digest_size=8).digest()
    assert event_digests([("e", "i")]).tolist() == [int.from_bytes(told, "little")]
    assert user_hashes(["u"]).dtype == np.uint64
    assert len({*event_digests([("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc")]).tolist()}) == 4


def test_a_block_comes_back_as_it_was() -> None:
    block = Block(
        np.array([2**64 - 1, 0], dtype=np.uint64), np.array([5, 2**63], dtype=np.uint64), np.array([7, 2**40])
    )
    again = Block.of(block.packed())
    assert [column.tolist() for column in again] == [column.tolist() for column in block]
    assert again.seqs.dtype == np.int64
