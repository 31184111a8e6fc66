"""Profiles against numbers worked out by hand."""

from dataclasses import replace
from math import exp, log

import numpy as np
import pytest

from paretail.core.clock import DAY_MS
from paretail.data.types import Time
from paretail.retrieve.signals.profiles import PROFILES, Scene, profile, recency_rank, wished

from ..histories import KINDS, START_MS, WEIGHTS, copy_of, dense_of, history_of, random_history

#: Four users and four items; the third user bought two things at once, the fourth has done nothing.
HISTORY = history_of([
    [("view", 0, 0), ("purchase", 0, 1), ("purchase", 1, 2)],
    [("purchase", 1, 0), ("view", 1, 1), ("view", 1, 1.5), ("cart", 2, 3)],
    [("purchase", 2, 5), ("purchase", 0, 5)],
    [],
])  # fmt: skip
SCENE = Scene(4, WEIGHTS, START_MS + 5 * DAY_MS, START_MS // DAY_MS, 6)
NAMES = [*PROFILES, "kind view", "kind purchase", "kind unknown", "age 60", "age 0.5"]

EXPECTED = {
    "all": [[1.25, 1, 0, 0], [0, 1.25, 0.5, 0], [1, 0, 1, 0]],
    "kind view": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]],
    "kind unknown": [[0] * 4, [0] * 4, [0] * 4],
    "short": [
        [0.25 * exp(-2 / 3) + exp(-1 / 3), 1, 0, 0],
        [0, exp(-1) + 0.25 * exp(-2 / 3) + 0.25 * exp(-1 / 3), 0.5, 0],
        [1, 0, exp(-1 / 3), 0],
    ],
    "last": [[0, 1, 0, 0], [0, 0, 0.5, 0], [1, 0, 0, 0]],
    "recent": [
        [0.25 * exp(-5 / 60) + exp(-4 / 60), exp(-3 / 60), 0, 0],
        [0, exp(-5 / 60) + 0.25 * exp(-4 / 60) + 0.25 * exp(-3.5 / 60), 0.5 * exp(-2 / 60), 0],
        [1, 0, 1, 0],
    ],
    "age 2": [
        [0.25 * exp(-5 / 2) + exp(-4 / 2), exp(-3 / 2), 0, 0],
        [0, exp(-5 / 2) + 0.25 * exp(-4 / 2) + 0.25 * exp(-3.5 / 2), 0.5 * exp(-2 / 2), 0],
        [1, 0, 1, 0],
    ],
    "times": [[log(3), log(2), 0, 0], [0, log(4), log(2), 0], [log(2), 0, log(2), 0]],
    "fading": [
        [0.25 / 65 + 1 / 64, 1 / 63, 0, 0],
        [0, 1 / 65 + 0.25 / 64 + 0.25 / 63.5, 0.5 / 62, 0],
        [1 / 60, 0, 1 / 60, 0],
    ],
    "anyone": [[1], [1], [1]],
    "then": [[exp(-abs(day - last) / 7) for day in range(6)] for last in (2, 3, 5)],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_by_hand(name: str) -> None:
    found = profile(name)(HISTORY, SCENE)
    assert found.dtype == np.float32
    assert found.toarray()[:3] == pytest.approx(np.array(EXPECTED[name], float), rel=1e-6)


def test_who_has_done_nothing_has_no_wishes() -> None:
    """Popularity is for everyone, and the days around now stand in for those of a last event."""
    for name in NAMES:
        mine = profile(name)(HISTORY, SCENE).toarray()[3]
        there = {"anyone": [1.0], "then": EXPECTED["then"][2]}.get(name, [0.0] * 4)
        assert mine == pytest.approx(there, rel=1e-6), name


def test_every_profile_is_asked_for() -> None:
    assert set(PROFILES) <= set(EXPECTED)
    with pytest.raises(KeyError):
        profile("unknown")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("time", ["clock", "order", "none"])
def test_the_history_stays_as_it_is_and_each_cell_stands_once(name: str, time: Time) -> None:
    history = random_history(np.random.default_rng(0), 20, 9, 15, time)
    before = copy_of(history)
    scene = Scene(9, WEIGHTS, START_MS + 40 * DAY_MS, START_MS // DAY_MS, 41)
    found = profile(name)(history, scene)
    rows = {"anyone": 1, "then": 41}.get(name, 9)
    assert found.shape == (20, rows)
    assert np.isfinite(found.data).all()
    assert (found.data > 0).all()
    keys = np.repeat(np.arange(20), np.diff(found.indptr)) * rows + found.indices
    assert len(np.unique(keys)) == len(keys)
    assert copy_of(history) == before


@pytest.mark.parametrize("name", NAMES)
def test_no_users_and_no_events(name: str) -> None:
    for did in ([], [[], []]):
        found = profile(name)(history_of(did), SCENE)
        assert found.shape[0] == len(did)
        assert np.isfinite(found.toarray()).all()


def test_the_union_against_sets() -> None:
    history = random_history(np.random.default_rng(1), 30, 7, 20)
    found = profile("all")(history, Scene(7, WEIGHTS, 0)).toarray()
    assert found == pytest.approx(dense_of(history, 7))


@pytest.mark.parametrize("name", ["recent", "times", "fading", "age 9"])
def test_equal_lines_of_one_order_count_once(name: str) -> None:
    twice = history_of([[("purchase", 1, 2), ("purchase", 0, 2), ("purchase", 1, 2)]])
    once = history_of([[("purchase", 0, 2), ("purchase", 1, 2)]])
    assert np.array_equal(profile(name)(twice, SCENE).toarray(), profile(name)(once, SCENE).toarray())


def test_events_after_the_moment_have_no_age() -> None:
    scene = replace(SCENE, now_ms=START_MS + DAY_MS)
    assert profile("age 2")(HISTORY, scene).toarray()[0] == pytest.approx([0.25 * exp(-1 / 2) + 1, 1, 0, 0])


def test_days_outside_the_log_are_its_first_or_last() -> None:
    late = history_of([[("view", 0, 400)], [("view", 0, -400)]])
    assert profile("then")(late, SCENE).toarray()[:, [0, 5]] == pytest.approx(
        np.array([[exp(-5 / 7), 1], [1, exp(-5 / 7)]])
    )


def test_what_was_shown_is_no_wish_and_makes_nothing_older() -> None:
    """Without impressions the newest event is the view, and no rank counts them."""
    history = history_of([[("purchase", 0, 0), ("impression", 1, 1), ("view", 2, 2), ("impression", 3, 3)], []])
    wishes = wished(history, WEIGHTS)
    assert wishes.item_idx.tolist() == [0, 2]
    assert wishes.indptr.tolist() == [0, 2, 2]
    assert recency_rank(wishes).tolist() == [1, 0]
    assert profile("last")(wishes, SCENE).toarray()[0].tolist() == [0, 0, 0.25, 0]
    assert wished(wishes, dict.fromkeys(KINDS, 1.0)) is wishes


def test_more_users_times_items_than_an_int32_holds() -> None:
    """The last of a million items for each of 4,000 users: keys reach 4e9 times the number of kinds."""
    users, items = 4000, 1_000_000
    history = history_of([[("view", items - 1, 0), ("purchase", user, 1)] for user in range(users)])
    found = profile("all")(history, Scene(items, WEIGHTS, 0))
    assert found.nnz == 2 * users
    assert (found[:, [items - 1]].toarray() == 0.25).all()
    assert found[[users - 1]].indices.tolist() == [users - 1, items - 1]


def test_250_kinds() -> None:
    kinds = tuple(f"kind{n:03d}" for n in range(250))
    history = history_of([[(kind, 1, 0) for kind in kinds]], kinds=kinds)
    scene = Scene(3, dict.fromkeys(kinds, 1.0), 0)
    assert profile("all")(history, scene).toarray().tolist() == [[0, 250, 0]]
    assert profile("kind kind249")(history, scene).toarray().tolist() == [[0, 1, 0]]
