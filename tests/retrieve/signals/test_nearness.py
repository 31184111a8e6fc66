"""Nearness against loops over pairs of events, and by hand."""

from collections.abc import Callable
from functools import partial
from math import exp

import numpy as np
import pytest

from paretail.data.types import History, Time
from paretail.retrieve.signals import nearness
from paretail.retrieve.signals.ground import Ground
from paretail.retrieve.signals.matrix import Matrix, Sparse

from ..histories import WEIGHTS, copy_of, ground_of, history_of, power_of, random_history

ITEMS = 8
MINUTE = nearness.MINUTE_MS
DAY = 24 * 60 * MINUTE


def entries(matrix: Matrix) -> np.ndarray:
    assert isinstance(matrix, Sparse)
    return matrix.entries.toarray()


def brute(
    history: History, scale: float | None, directions: tuple[int, ...], b: float, c: float, s: float
) -> np.ndarray:
    """Sum e^-(time / scale), or e^-(number of events), over pairs of events of one user; then the module's formula."""
    shows = [WEIGHTS.get(history.kinds[kind], 0.0) > 0 for kind in history.kind]
    events = [(int(user), int(item), int(ts)) for user, item, ts, show
              in zip(history.user_idx, history.item_idx, history.ts_ms, shows, strict=True) if show]  # fmt: skip
    W = np.zeros((ITEMS, ITEMS))
    for a, (user, item, ts) in enumerate(events):
        for other, (owner, wanted, at) in enumerate(events):
            near = abs(other - a) <= nearness.REACH and user == owner and item != wanted
            if near and (other > a) - (other < a) in directions:
                weight = exp(-abs(other - a) if scale is None else -abs(at - ts) / scale)
                W[item, wanted] += weight if weight >= nearness.FAINT else 0.0
    return (power_of(W.sum(axis=1), -b)[:, None] * W * power_of(W.sum(axis=0), -c)) ** s


@pytest.mark.parametrize("seed", [0, 1])
def test_windows_in_time_look_both_ways(seed: int) -> None:
    history = random_history(np.random.default_rng(seed), 15, ITEMS, 12)
    before = copy_of(history)
    found = entries(nearness.around(ground_of(history, ITEMS), tau_minutes=3 * 1440))
    expected = brute(history, 3 * DAY, (-1, 1), 0.5, 0.3, 1.0)
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-8)
    assert copy_of(history) == before


def test_before_looks_back() -> None:
    history = random_history(np.random.default_rng(2), 15, ITEMS, 12)
    found = entries(nearness.before(ground_of(history, ITEMS), tau_days=2.0))
    expected = brute(history, 2 * DAY, (-1,), 0.5, 0.3, 1.0)
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("time", ["clock", "order"])
def test_after_counts_events_and_no_impressions(time: Time) -> None:
    """Distances are numbers of wishes: with impressions taken out of the log the matrix is the same."""
    history = random_history(np.random.default_rng(3), 15, ITEMS, 12, time)
    found = entries(nearness.after(ground_of(history, ITEMS), tau_events=1.0))
    assert found == pytest.approx(brute(history, None, (1,), 0.3, 0.3, 0.7), rel=1e-5, abs=1e-8)
    shown = history.where(history.kind != history.kinds.index("impression"))
    assert np.array_equal(found, entries(nearness.after(ground_of(shown, ITEMS), tau_events=1.0)))


def test_transitions_have_a_direction() -> None:
    """0 then 1 then 2, by one user: from 0 to 1 one step, from 0 to 2 two, back nothing."""
    ground = ground_of(history_of([[("view", 0, 0), ("view", 1, 1), ("view", 2, 2)], [("view", 2, 0)]], "order"), 3)
    W = entries(nearness.after(ground, tau_events=3.0))
    one, two = exp(-1 / 3), exp(-2 / 3)
    rows, columns = [one + two, one, 0], [0, one, one + two]
    assert W[0, 1] == pytest.approx((one / (rows[0] ** 0.3 * columns[1] ** 0.3)) ** 0.7, rel=1e-6)
    assert W[0, 2] == pytest.approx((two / (rows[0] ** 0.3 * columns[2] ** 0.3)) ** 0.7, rel=1e-6)
    assert W[1, 2] == pytest.approx((one / (rows[1] ** 0.3 * columns[2] ** 0.3)) ** 0.7, rel=1e-6)
    assert not np.tril(W).any()


@pytest.mark.parametrize(("tau", "nearer"), [(2, 2), (10, 30), (60, 400)])
def test_a_window_ends(tau: int, nearer: int) -> None:
    """An hour later is out of sight of two minutes (e^-30 is below FAINT), seven hours later out of an hour's."""
    did = [[("view", 0, 0), ("view", 1, nearer), ("view", 2, 8 * tau + nearer)]]
    W = entries(nearness.around(ground_of(history_of(did, unit_ms=MINUTE), 3), tau_minutes=tau))
    assert W[0, 1] > 0
    assert W[1, 0] > 0
    assert W[0, 2] == W[2, 0] == 0


def test_pairs_far_apart_in_a_long_session_are_not_counted() -> None:
    events = nearness.REACH + 2
    did = [[("view", item, 0) for item in range(events)]]
    W = entries(nearness.around(ground_of(history_of(did), events), tau_minutes=2))
    assert W[0, nearness.REACH] > 0
    assert W[0, nearness.REACH + 1] == 0


def test_users_do_not_mix() -> None:
    W = entries(nearness.around(ground_of(history_of([[("view", 0, 0)], [("view", 1, 0)]]), 2), tau_minutes=2))
    assert not W.any()


def test_baskets_are_what_one_user_bought_at_one_moment() -> None:
    """Orders {0, 1} (1 twice), {0, 2} and {0, 1, 3} of two users; a view at that time and a later order are none."""
    history = history_of([
        [("purchase", 0, 1), ("purchase", 1, 1), ("purchase", 1, 1), ("view", 3, 1),
         ("purchase", 0, 2), ("purchase", 2, 2)],
        [("purchase", 0, 2), ("purchase", 1, 2), ("purchase", 3, 2), ("purchase", 2, 3)],
    ])  # fmt: skip
    found = entries(nearness.basket(ground_of(history, 4)))
    n = [3, 2, 2, 1]
    expected = np.zeros((4, 4))
    for order in ({0, 1}, {0, 2}, {0, 1, 3}):
        for i in order:
            for j in order - {i}:
                expected[i, j] += 1 / len(order)
    expected /= np.power(n, 0.5)[:, None] * np.power(n, 0.3)
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "build",
    [nearness.basket, partial(nearness.after, tau_events=1.0), partial(nearness.around, tau_minutes=2),
     partial(nearness.before, tau_days=1.0)],
)  # fmt: skip
@pytest.mark.parametrize("did", [[], [[], []], [[("purchase", 1, 0)]], [[("view", 1, 0)], [("view", 1, 3)]]])
def test_where_no_two_events_are_near(
    build: Callable[[Ground], Matrix], did: list[list[tuple[str, int, float]]]
) -> None:
    W = entries(build(ground_of(history_of(did), 3)))
    assert W.shape == (3, 3)
    assert not W.any()
