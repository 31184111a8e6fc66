"""Events as one matrix: weights by kind, forgetting by age, the greatest or the sum of a pair."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.core.clock import DAY_MS
from paretail.core.errors import DataError
from paretail.data.types import History
from paretail.graph.interactions import interactions, kind_weights

KINDS = ("purchase", "view")


def history(events: list[tuple[int, int, int, int]], users: int = 3, time: str = "clock") -> History:
    """Rows of (user, item, kind, day)."""
    columns = np.array(sorted(events, key=lambda event: (event[0], event[3])), np.int64).reshape(-1, 4)
    counts = np.bincount(columns[:, 0], minlength=users)
    return History(
        indptr=np.concatenate([[0], np.cumsum(counts)]),
        item_idx=columns[:, 1].astype(np.int32),
        kind=columns[:, 2].astype(np.uint8),
        ts_ms=columns[:, 3] * DAY_MS,
        quantity=np.ones(len(columns), np.float32),
        kinds=KINDS,
        time=time,  # type: ignore[arg-type]
    )


def test_by_hand() -> None:
    told = history([(0, 2, 1, 0), (0, 2, 1, 10), (0, 1, 0, 10), (2, 0, 1, 20)])
    weights = {"purchase": 1.0, "view": 0.5}
    assert interactions(told, 3, weights).toarray().tolist() == [[0, 1, 0.5], [0, 0, 0], [0.5, 0, 0]]
    assert interactions(told, 3, weights, distinct=False).toarray()[0].tolist() == [0, 1, 1]
    decayed = interactions(told, 3, weights, half_life_days=10)
    assert decayed.toarray().tolist() == [[0, 0.5, 0.25], [0, 0, 0], [0.5, 0, 0]]
    assert interactions(told, 3, weights, 10, now_ms=0).toarray()[2, 0] == 0.5  # the future has age 0
    assert interactions(told, 3, {"purchase": 1.0}).nnz == 1


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 1), st.integers(0, 9)), max_size=20),
    st.booleans(),
)
def test_against_loops(events: list[tuple[int, int, int, int]], distinct: bool) -> None:
    told, expected = history(events), np.zeros((3, 5), np.float32)
    for user, item, kind, _ in events:
        weight = (1.0, 0.25)[kind]
        expected[user, item] = max(expected[user, item], weight) if distinct else expected[user, item] + weight
    before = told.item_idx.copy()
    found = interactions(told, 5, {"purchase": 1.0, "view": 0.25}, distinct=distinct)
    assert np.array_equal(found.toarray(), expected)
    assert found.dtype == np.float32
    assert found.has_canonical_format
    assert np.array_equal(told.item_idx, before), "the history is not touched"


@pytest.mark.parametrize("time", ["order", "none"])
def test_age_needs_clock_time(time: str) -> None:
    told = history([(0, 0, 0, 0)], time=time)
    with pytest.raises(DataError, match="GRAPH-02"):
        interactions(told, 1, {"purchase": 1.0}, half_life_days=1)


def test_weights_are_not_negative() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        interactions(history([(0, 0, 0, 0)]), 1, {"view": -1.0})


def test_no_events_at_all() -> None:
    empty = replace(history([]), kinds=())
    assert interactions(empty, 4, {}).shape == (3, 4)
    assert interactions(history([]), 4, {"view": 1.0}, half_life_days=3).nnz == 0


def test_default_weights() -> None:
    assert kind_weights(("impression", "purchase", "tasted")) == {"impression": 0, "purchase": 1, "tasted": 1}
    assert kind_weights(("view",), {"view": 7.0}) == {"view": 7}
