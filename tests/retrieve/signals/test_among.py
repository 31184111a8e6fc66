"""What people with a trait want, what many people want, and what newcomers want, by hand."""

from dataclasses import replace

import numpy as np
from scipy import sparse

from paretail.data.types import History
from paretail.retrieve.signals import Setting, build, check_signal, of_nobody, signals_of
from paretail.retrieve.signals.popularity import AMONG_DAYS, FIRST_DAYS, PULL
from paretail.retrieve.signals.profiles import profile

from ..histories import ground_of, history_of


def told() -> History:
    """Three users of two countries; day 20 is the newest."""
    history = history_of(
        [
            [("purchase", 0, 0), ("purchase", 1, 10), ("purchase", 1, 20)],
            [("view", 2, 5), ("purchase", 1, 6), ("purchase", 2, 18)],
            [("purchase", 2, 20)],
        ]
    )
    countries = sparse.csr_array(np.array([[1, 0], [0, 1], [0, 1]], np.float32))
    return replace(history, about={"country": countries})


def test_among_is_drawn_towards_everybody() -> None:
    ground = ground_of(told(), 4)
    e = lambda age, days=AMONG_DAYS: np.exp(-age / days)  # noqa: E731  # the equation's letter
    counts = np.array([[e(20), e(10) + e(0), 0, 0], [0, e(14), e(2) + e(0), 0]])
    everybody = counts.sum(axis=0)
    k = PULL * everybody.sum() / 3
    expected = (counts + k * everybody / everybody.sum()) / (counts.sum(axis=1, keepdims=True) + k)
    found = build(ground, {"among country": ()})["among country"].apply(sparse.csr_array(np.eye(2, dtype=np.float32)))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_without_time_people_count_alike() -> None:
    history = replace(told(), time="none", ts_ms=np.zeros(7, np.int64))
    counts = np.array([[1, 1, 0, 0], [0, 1, 2, 0]])
    everybody = counts.sum(axis=0)
    k = PULL * 5 / 3
    expected = (counts + k * everybody / 5) / (counts.sum(axis=1, keepdims=True) + k)
    ground = ground_of(history, 4)
    found = build(ground, {"among country": ()})["among country"].apply(profile("about country")(history, ground.scene))
    np.testing.assert_allclose(found, expected[[0, 1, 1]], rtol=1e-5)


def test_people_count_once_and_newcomers_early() -> None:
    ground = ground_of(told(), 4)
    one = sparse.csr_array(np.ones((1, 1), np.float32))
    people = build(ground, {"pop people 30d": ()})["pop people 30d"].apply(one)[0]
    e = np.exp(-np.array([20, 0, 14, 2, 0]) / 30)
    np.testing.assert_allclose(people, [e[0], e[1] + e[2], e[3] + e[4], 0], rtol=1e-5)
    first = build(ground, {"pop first 30d": ()})["pop first 30d"].apply(one)[0]
    assert 1 <= FIRST_DAYS < 10
    np.testing.assert_allclose(first, [e[0], e[2], e[4], 0], rtol=1e-5)


def test_a_shop_with_traits_has_signals_of_them_and_users_without_events_too() -> None:
    found = signals_of(Setting.of(ground_of(told(), 4), "target"))
    assert found["among country"] == ("about country",)
    check_signal("among country|about country")
    signals = [f"{name}|{of}" for name, profiles in found.items() for of in profiles]
    kept = of_nobody(signals)
    assert {"among country|about country", "pop target|anyone", "pop first 30d|anyone"} <= set(kept)
    assert not [signal for signal in kept if signal.endswith(("|all", "|short", "|last"))]
