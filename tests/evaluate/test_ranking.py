"""Every ranking metric against five plain lines, and against numbers worked out by hand."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.data.held import Held
from paretail.evaluate.ranking import average_precision, hit_rate, hits, mrr, ndcg, recall

K = 4


def reference_recall(ranked: Sequence[int], truth: set[int]) -> float:
    return len(truth.intersection(ranked)) / len(truth)


def reference_ndcg(ranked: Sequence[int], truth: set[int]) -> float:
    gain = sum(1 / math.log2(rank + 1) for rank, item in enumerate(ranked, 1) if item in truth)
    return gain / sum(1 / math.log2(rank + 1) for rank in range(1, min(K, len(truth)) + 1))


def reference_hit_rate(ranked: Sequence[int], truth: set[int]) -> float:
    return float(bool(truth.intersection(ranked)))


def reference_mrr(ranked: Sequence[int], truth: set[int]) -> float:
    return next((1 / rank for rank, item in enumerate(ranked, 1) if item in truth), 0.0)


def reference_map(ranked: Sequence[int], truth: set[int]) -> float:
    total = 0.0
    for rank, item in enumerate(ranked, 1):
        total += (item in truth) * len(truth.intersection(ranked[:rank])) / rank
    return total / min(K, len(truth))


REFERENCES = {recall: reference_recall, ndcg: reference_ndcg, hit_rate: reference_hit_rate, mrr: reference_mrr,
              average_precision: reference_map}  # fmt: skip
User = tuple[list[int], set[int]]
USERS = st.lists(
    st.tuples(st.lists(st.integers(0, 7), unique=True, max_size=K), st.sets(st.integers(0, 9), max_size=6)),
    min_size=1, max_size=6,
)  # fmt: skip


def arrays(users: list[User]) -> tuple[np.ndarray, Held]:
    lists = np.array([ranked + [-1] * (K - len(ranked)) for ranked, _ in users], dtype=np.int32)
    pairs = [(user, item) for user, (_, truth) in enumerate(users) for item in truth]
    owner, item = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    return lists, Held.of(owner, item, len(users))


@pytest.mark.parametrize("metric", REFERENCES, ids=lambda metric: metric.__name__)
@given(users=USERS)
def test_a_metric_equals_its_reference(metric: Callable[..., np.ndarray], users: list[User]) -> None:
    lists, held = arrays(users)
    values = metric(hits(lists, held), held.counts)
    for value, (ranked, truth) in zip(values, users, strict=True):
        if truth:
            assert value == pytest.approx(REFERENCES[metric](ranked, truth), abs=1e-12)
        else:
            assert math.isnan(value)


def test_numbers_worked_out_by_hand() -> None:
    lists, held = arrays([([5, 1, 2, 7], {1, 7, 9})])
    hit = hits(lists, held)
    assert hit.tolist() == [[False, True, False, True]]
    assert recall(hit, held.counts)[0] == pytest.approx(2 / 3)
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    assert ndcg(hit, held.counts)[0] == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)
    assert mrr(hit, held.counts)[0] == pytest.approx(1 / 2)
    assert average_precision(hit, held.counts)[0] == pytest.approx((1 / 2 + 2 / 4) / 3)


def test_lists_and_users_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="2 lists for 1 users"):
        hits(np.zeros((2, 3), dtype=np.int32), arrays([([], {1})])[1])
