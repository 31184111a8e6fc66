"""Small worlds that hypothesis draws for the metrics, as plain lists and as the arrays under test."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from hypothesis import strategies as st

from paretail.data.held import Held
from paretail.data.types import History
from paretail.evaluate.context import Context
from paretail.evaluate.metrics import Case

USERS, ITEMS, K = 4, 8, 4


@dataclass(frozen=True)
class World:
    """A case in plain Python: sets and lists by user and item."""

    ranked: list[list[int]]
    scores: list[list[float]]
    truth: list[set[int]]
    had: list[set[int]]
    labels: list[set[int]]
    vectors: list[list[int]]

    def owners(self, item: int) -> int:
        return sum(item in mine for mine in self.had)

    def case(self) -> Case:
        lists = np.array([mine + [-1] * (K - len(mine)) for mine in self.ranked], dtype=np.int32)
        scores = np.array(self.scores, dtype=np.float32)
        labels = sp.csr_array(np.array([[c in mine for c in range(3)] for mine in self.labels], dtype=np.float32))
        vectors = np.array(self.vectors, dtype=np.float32)
        context = Context.of(history(self.had), ITEMS, categories=labels, vectors=vectors, floor=0.5)
        owner, item = pairs(self.truth)
        return Case(lists, scores, Held.of(owner, item, USERS), context)


def pairs(sets: list[set[int]]) -> tuple[np.ndarray, np.ndarray]:
    rows = [(user, item) for user, mine in enumerate(sets) for item in sorted(mine)]
    owner, item = np.array(rows, dtype=np.int32).reshape(-1, 2).T
    return owner, item


def history(had: list[set[int]], ts_ms: int = 0) -> History:
    owner, item = pairs(had)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(had)))]).astype(np.int64)
    n = len(item)
    return History(indptr, item, np.zeros(n, np.uint8), np.full(n, ts_ms), np.ones(n, np.float32), ("view",), "none")


def _each(count: int, one: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(one, min_size=count, max_size=count)


ITEM = st.integers(0, ITEMS - 1)
WORLDS = st.builds(
    World,
    ranked=_each(USERS, st.lists(ITEM, unique=True, max_size=K)),
    scores=_each(USERS, _each(K, st.sampled_from([0.0, 0.25, 0.75, 1.0]))),
    truth=_each(USERS, st.sets(ITEM, max_size=6)),
    had=_each(USERS, st.sets(ITEM, max_size=6)),
    labels=_each(ITEMS, st.sets(st.integers(0, 2), max_size=3)),
    vectors=_each(ITEMS, _each(2, st.integers(-2, 2))),
)
