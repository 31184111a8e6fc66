"""Counts of those who did both, by brute force."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from paretail.pipeline.evidence import Evidence

from .test_reasons import EVENTS, history


@settings(deadline=None)  # the first call may compile
@given(EVENTS, st.integers(0, 4), st.integers(0, 1), st.integers(0, 4), st.integers(0, 1))
def test_counts_are_exact(users: list[list[tuple[int, int]]], a: int, kind_a: int, b: int, kind_b: int) -> None:
    evidence = Evidence(history(*users), 5)
    evidence.warm()
    assert evidence.count(a, kind_a) == sum((a, kind_a) in events for events in users)
    assert evidence.both([(a, kind_a, b, kind_b)]) == [sum((a, kind_a) in ev and (b, kind_b) in ev for ev in users)]


def test_many_users_of_one_item_and_few_of_another() -> None:
    """From sixteen times the length on, the longer list of users is searched and not read."""
    rng = np.random.default_rng(0)
    few = rng.random(2000) < 0.01
    shop = history(*([(0, 0), *([(1, 0), (1, 0)] if some else [])] if rng.random() < 0.7 else [(1, 0)] for some in few))
    sets = [{user for user in range(2000) if (shop.item_idx[shop.user_idx == user] == item).any()} for item in (0, 1)]
    assert Evidence(shop, 3).both([(0, 0, 1, 0), (1, 0, 0, 0)]) == [len(sets[0] & sets[1])] * 2


def test_a_shop_without_items_or_events_is_warm_at_once() -> None:
    Evidence(history(), 0).warm()
    Evidence(history([]), 3).warm()
    assert Evidence(history([]), 3).both([(0, 0, 1, 1)]) == [0]
