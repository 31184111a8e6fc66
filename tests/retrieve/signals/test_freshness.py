"""Freshness: ages by hand, and which shops have short-lived items."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from paretail.core.clock import DAY_MS
from paretail.core.progress import silent
from paretail.retrieve.base import Question
from paretail.retrieve.models.blend import Blend, BlendConfig
from paretail.retrieve.signals import Setting, check_signal, family, signals_of
from paretail.retrieve.signals.freshness import birth_ms, fleeting, young

from ..histories import START_MS, ground_of, history_of
from ..models.test_blend import graph_of

ONE = sparse.csr_array(np.ones((1, 1), np.float32))


def test_an_item_counts_half_after_its_half_life() -> None:
    ground = ground_of(history_of([[("view", 0, 0), ("view", 1, 6), ("view", 0, 9), ("view", 2, 10)]]), 5)
    np.testing.assert_allclose(young(ground, 2.0).apply(ONE)[0], [2**-5, 2**-2, 1, 0, 0])
    created = START_MS + np.array([-10, 0, 0, 8, 20]) * DAY_MS
    created[[1, 2]] = 0  # unknown
    told = replace(ground, created_ms=created)
    np.testing.assert_allclose(young(told, 2.0).apply(ONE)[0], [2**-10, 2**-2, 1, 0.5, 0])  # the last is not born yet
    assert birth_ms(told)[1] == START_MS + 6 * DAY_MS


def articles(seed: int = 0, days: int = 30, users: int = 800) -> list[list[tuple[str, int, float]]]:
    """Two articles a day; everybody reads on some days, what appeared that day or the day before."""
    rng = np.random.default_rng(seed)
    return [
        [("purchase", int(2 * day - 2 * (rng.random() < 0.5) + rng.integers(2)), day + float(rng.random()))
         for day in range(1, days) if rng.random() < 0.4]
        for _ in range(users)
    ]  # fmt: skip


def test_articles_are_short_lived_and_a_steady_shop_is_not() -> None:
    ground = ground_of(history_of(articles(), kinds=("purchase",)), 60)
    assert fleeting(ground)
    assert {"new 1d", "new 3d", "new 10d", "pop 1d"} <= set(signals_of(Setting.of(ground, "target")))
    steady = [[("purchase", (user + day) % 6, day) for day in range(30)] for user in range(9)]
    assert not fleeting(ground_of(history_of(steady), 6))
    assert not fleeting(ground_of(history_of(articles(), "order", kinds=("purchase",)), 60))
    assert not fleeting(ground_of(history_of([[]]), 6))


def test_what_is_fresh_is_learned_and_listed() -> None:
    history = history_of(articles(), kinds=("purchase",))
    graph, question = graph_of(history, 60), Question("purchase", False, ("purchase",))
    choice = Blend.choose(graph, question, {}, 0, 60.0, silent)
    assert isinstance(choice.config, BlendConfig)
    theta = choice.config.modes["target"].theta
    assert any(signal.startswith(("new ", "pop 1d")) for signal in theta), theta
    best = Blend.fit(graph, choice.config, 0).score(history.of_users(np.arange(50)))
    top = np.argsort(-best, axis=1)[:, :4]
    assert (top >= 54).mean() > 0.9  # of the last three days


@pytest.mark.parametrize("name", ["new 2.5d", "new 14d"])
def test_any_half_life_may_be_given(name: str) -> None:
    check_signal(f"{name}|anyone")
    days = float(name[4:-1])
    ground = ground_of(history_of([[("view", 0, 0), ("view", 1, 5)]]), 2)
    np.testing.assert_allclose(family(name).build(ground).apply(ONE)[0], [2 ** (-5 / days), 1], rtol=1e-6)
    with pytest.raises(ValueError, match="multiplied with anyone"):
        check_signal(f"{name}|all")


@pytest.mark.parametrize("name", ["new 0d", "new d", "new -1d", "new xd"])
def test_half_lives_that_are_none(name: str) -> None:
    with pytest.raises(ValueError, match="names no matrix"):
        check_signal(f"{name}|anyone")
