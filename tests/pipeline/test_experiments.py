"""Experiments: what shop.toml may say, and what a store says of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretail.core.clock import DAY_MS
from paretail.core.errors import ConfigError, DataError, UsageError
from paretail.data.stores.base import Shown, Store, StoredEvent
from paretail.data.stores.embedded import EmbeddedStore
from paretail.evaluate.experiments.assignment import arm_of
from paretail.pipeline.experiments.config import ExperimentConfig
from paretail.pipeline.experiments.looking import look
from paretail.pipeline.experiments.starting import begin

NOW = 1_000 * DAY_MS


def config(**told: Any) -> ExperimentConfig:
    arms = [{"name": "live", "share": 0.5}, {"name": "bold", "share": 0.5, "goals": "revenue=0.7"}]
    return ExperimentConfig.parse({"name": "spring", "arms": arms, "users": 800} | told, "a test")


def lived(store: Store, lift: float, users: int = 800, seed: int = 0) -> None:
    """Let users see a list of their arm; those of `bold` buy more by `lift`, all as they did before."""
    rng, settled = np.random.default_rng(seed), config()
    shown, events = [], []
    for number in range(users):
        user, first = f"u{number}", NOW - int(rng.integers(1, 8)) * DAY_MS
        arm, habit = arm_of(user, "spring", settled.weights), rng.gamma(2.0)
        shown.append(Shown(f"r{number}", first, user, None, "for-you", "v", "p", ["i"], None, "spring", arm))
        times = {"before": (rng.poisson(4 * habit), -20 * DAY_MS),
                 "after": (rng.poisson(4 * habit * (1 + lift * (arm == "bold"))), 3_600_000)}  # fmt: skip
        for when, (count, shift) in times.items():
            for event in range(count):
                about = (user, "i", "purchase", first + shift + event, f"{when}{number}/{event}")
                events.append(StoredEvent(*about, quantity=1.0, price_minor=500))
            clicks = (user, "i", "click", first + shift, f"c{when}{number}")
            events.append(StoredEvent(*clicks))
    store.shown(shown)
    store.append(events)


def test_an_effect_is_found_with_its_interval(tmp_path: Path) -> None:
    store = EmbeddedStore.open(tmp_path / "store")
    lived(store, 0.4)
    (status,) = look(store, config(), NOW, 100)
    (revenue, clicks) = status.effects
    assert status.users + status.incumbent_users == 800
    assert (revenue.metric, clicks.metric) == ("revenue", "clicks")
    assert revenue.low < revenue.difference < revenue.high
    assert revenue.low > 0
    assert revenue.difference / revenue.incumbent == pytest.approx(0.4, abs=0.15)
    assert clicks.difference == pytest.approx(0, abs=1e-9)
    assert (status.arm, status.verdict) == ("bold", "ship")
    store.close()


def test_a_worse_arm_is_stopped(tmp_path: Path) -> None:
    store = EmbeddedStore.open(tmp_path / "store")
    lived(store, -0.5)
    (status,) = look(store, config(), NOW, 100)
    assert (status.verdict, status.because) == ("stop", ("revenue",))
    store.close()


def _show(store: Store, arms: dict[str, int], crossed: int = 0) -> None:
    number = 0
    for arm, users in arms.items():
        for _ in range(users):
            number += 1
            store.shown([Shown(f"{number}", NOW, f"u{number}", None, "p", "v", "p", ["i"], None, "spring", arm)])
            if number <= crossed:
                store.shown(
                    [Shown(f"{number}x", NOW, f"u{number}", None, "p", "v", "p", ["i"], None, "spring", "bold")]
                )


def test_broken_assignment_is_refused(tmp_path: Path) -> None:
    cases = {"EXPT-02": ({"live": 200, "bold": 60}, 0), "EXPT-03": ({"live": 60, "bold": 60}, 9), "EXPT-04": ({}, 0)}
    for code, (arms, crossed) in cases.items():
        store = EmbeddedStore.open(tmp_path / code)
        _show(store, arms, crossed)
        with pytest.raises(DataError) as told:
            look(store, config(), NOW, 100)
        assert told.value.problems[0].code == code
        store.close()


def test_who_was_in_it_by_two_ids_is_left_out_and_the_arms_keep_their_shares(tmp_path: Path) -> None:
    arms = [{"name": "live", "share": 0.9}, {"name": "bold", "share": 0.1, "goals": "revenue=0.7"}]
    store, settled = EmbeddedStore.open(tmp_path / "store"), config(arms=arms)
    shown = []
    for number in range(3000):
        user, visitor = f"u{number}", f"v{number}"
        twice = number % 3 == 0  # their first lists were by two ids; of the others every second one carried an arm over
        for name, drawn_by in ((visitor, None), (user, None if twice else visitor))[: 2 if number % 2 or twice else 1]:
            arm = arm_of(drawn_by or name, "spring", settled.weights)
            shown.append(Shown(name, NOW, name, None, "p", "v", "p", ["i"], None, "spring", arm, drawn_by))
    store.shown(shown)
    merges = [(f"v{number}", f"u{number}") for number in range(3000)]
    store._database.tell(lambda connection: connection.executemany("INSERT INTO merge VALUES (?, ?)", merges))
    (status,) = look(store, settled, NOW, 100)
    assert (status.users + status.incumbent_users, status.left_out) == (2000, 1000)
    assert status.users / 2000 == pytest.approx(0.1, abs=0.02)
    store.close()


def test_an_experiment_of_three_arms_ends_after_its_users_of_all_arms(tmp_path: Path) -> None:
    arms = [{"name": name, "share": share} for name, share in (("live", 0.4), ("bold", 0.3), ("bolder", 0.3))]
    store = EmbeddedStore.open(tmp_path / "store")
    _show(store, {"live": 160, "bold": 120, "bolder": 120})
    for users, verdict in ((400, "keep"), (410, "go on")):
        told = look(store, config(arms=arms, users=users), NOW, 100)
        assert [status.verdict for status in told] == [verdict] * 2
    store.close()


@pytest.mark.parametrize("told", [
    {"arms": [{"name": "live", "share": 1.0}]},
    {"arms": [{"name": "a", "share": 0.5}, {"name": "a", "share": 0.5}]},
    {"arms": [{"name": "a", "share": 0.5}, {"name": "b", "share": 0.4}]},
    {"arms": [{"name": "a", "share": 0.5}, {"name": "b", "share": 0.5, "goals": "revenue"}]},
    {"arms": [{"name": "a", "share": 0.5}, {"name": "b", "share": 0.5, "goals": "revenue=1", "order": "click"}]},
    {"goal": "profits"}, {"users": 0},
])  # fmt: skip
def test_what_cannot_be_an_experiment_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        config(**told)


def test_a_release_starts_small(tmp_path: Path) -> None:
    from paretail.pipeline.config import load_config

    shop = tmp_path / "shop.toml"
    shop.write_text('[data]\nevents = "e.csv"\n', encoding="utf-8")
    begin(shop, "bolder", {"goals": "revenue=0.5"}, "revenue", 0.02)
    (found,) = load_config(shop).experiments
    assert (found.name, found.goal, found.guardrails, found.margin) == ("bolder", "revenue", ["clicks"], 0.02)
    assert [(arm.name, arm.share, arm.goals) for arm in found.arms] == [
        ("live", 0.95, None), ("candidate", 0.05, "revenue=0.5")
    ]  # fmt: skip
    with pytest.raises(UsageError, match="EXPT-06"):
        begin(shop, "bolder", {"goals": "revenue=0.5"}, "revenue", 0.02)
    with pytest.raises(UsageError, match="EXPT-10"):
        begin(shop, "another", {"goals": "revenue=0.5"}, "revenue", 0.02)
    text = shop.read_text(encoding="utf-8")
    for aside in ("active = false", 'placement = "cart"'):
        shop.write_text(text.replace("margin", f"{aside}\nmargin"), encoding="utf-8")
        assert begin(shop, "another", {"goals": "revenue=0.5"}, "revenue", 0.02) == "another"
