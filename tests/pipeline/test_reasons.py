"""Reasons follow from the data: counts by brute force, shares by hand."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.data.held import Mode
from paretail.data.types import History, Reason
from paretail.pipeline.reasons import MOST_EVENTS, Evidence, did, explain, in_words, shares

KINDS = ("purchase", "view")


def history(*users: list[tuple[int, int]]) -> History:
    """Build from each user's events (item, kind), oldest first."""
    flat = [event for events in users for event in events]
    return History(
        indptr=np.cumsum([0, *(len(events) for events in users)]).astype(np.int64),
        item_idx=np.array([item for item, _ in flat], np.int32), kind=np.array([kind for _, kind in flat], np.uint8),
        ts_ms=np.arange(len(flat), dtype=np.int64), quantity=np.ones(len(flat), np.float32), kinds=KINDS, time="clock",
    )  # fmt: skip


EVENTS = st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1)), max_size=8), max_size=6)


@given(EVENTS, st.integers(0, 4), st.integers(0, 1), st.integers(0, 4), st.integers(0, 1))
def test_counts_are_exact(users: list[list[tuple[int, int]]], a: int, kind_a: int, b: int, kind_b: int) -> None:
    evidence = Evidence(history(*users), 5)
    assert evidence.count(a, kind_a) == sum((a, kind_a) in events for events in users)
    assert evidence.both(a, kind_a, b, kind_b) == sum((a, kind_a) in ev and (b, kind_b) in ev for ev in users)


class Weights:
    """A model of which all is known: score(item) = sum over events of weight[item of event, item]."""

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = weights.astype(np.float32)

    def score(self, told: History, now_ms: int | None = None, mode: Mode = "target") -> np.ndarray:
        rows = [self.weights[told.item_idx[told.indptr[u] : told.indptr[u + 1]]].sum(axis=0) for u in range(told.users)]
        return np.stack(rows).astype(np.float32)


def test_shares_are_what_an_event_adds() -> None:
    weights = np.array([[0, 0, 3, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    found = shares(Weights(weights), history([(0, 0), (1, 1)]), np.array([2, 3], np.int32), "target")
    np.testing.assert_allclose(found, [[0.75, 0], [0.25, 0]])


def test_only_the_newest_events_are_tried() -> None:
    told = history([(0, 1)] * (MOST_EVENTS + 5))
    found = shares(Weights(np.ones((2, 2))), told, np.array([1], np.int32), "target")[:, 0]
    assert (found[:5] == 0).all()
    np.testing.assert_allclose(found[5:], 1 / MOST_EVENTS, rtol=1e-5)


def test_nobody_has_no_shares() -> None:
    assert shares(Weights(np.ones((2, 2))), history([]), np.array([1], np.int32), "target").shape == (0, 1)


def test_each_item_gets_the_reason_that_holds() -> None:
    shop = history([(0, 0), (2, 0)], [(0, 0), (2, 0)], [(0, 0), (3, 0)], [(2, 0)])
    told = history([(1, 1), (0, 0)])
    share = np.array([[0.0, 0.2, 0.0], [0.0, 0.8, 0.0]], np.float32)
    found = explain(told, np.array([1, 2, 3], np.int32), share, Evidence(shop, 4), "purchase")
    assert found == [
        Reason("again", 1, "view", 1),
        Reason("because", 0, "purchase", 2, float(np.float32(0.8))),
        Reason("popular", None, "purchase", 1),
    ]


def test_nobody_is_told_what_is_popular() -> None:
    (found,) = explain(history([]), np.array([2], np.int32), np.zeros((0, 1), np.float32),
                       Evidence(history([(2, 0)]), 4), "purchase")  # fmt: skip
    assert found == Reason("popular", None, "purchase", 1)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason("again", 1, "view", 2), "you looked at this before"),
        (Reason("because", 0, "purchase", 1234), 'because you bought "Tea": 1,234 people who did also bought this'),
        (Reason("because", 1, "cart", 1, 0.5), 'because you put "Cup" in the cart: 1 person who did also bought this'),
        (Reason("because", 1, "view", 0, 0.5), 'because you looked at "Cup", which is liked by the same people'),
        (Reason("because", 1, "review", 2), "because you did 'review' with \"Cup\": 2 people who did also bought this"),
        (Reason("popular", None, "purchase", 1), "popular: 1 person bought this"),
        (Reason("popular", None, "purchase", 17), "popular: 17 people bought this"),
    ],
)  # fmt: skip
def test_in_words(reason: Reason, words: str) -> None:
    assert in_words(reason, "purchase", pl.Series(["Tea", "Cup"])) == words


@pytest.mark.parametrize(("kind", "words"), [("favourite", "saved this"), ("listen", "did 'listen' with this")])
def test_what_was_done(kind: str, words: str) -> None:
    assert did(kind) == words


def test_a_name_with_braces_is_told_as_it_is() -> None:
    words = in_words(Reason("because", 0, "{x}", 2, 0.5), "purchase", ["{0}"])
    assert words.startswith("because you did '{x}' with \"{0}\"")
