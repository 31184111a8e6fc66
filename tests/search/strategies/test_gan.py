"""The generator stays broad by default; without randomness, entropy and novelty it collapses and is caught."""

from typing import Any

import numpy as np
import pytest

from paretail.search.strategies import build
from tests.search.spaces import Branches, score

SPACE = Branches(joins=8, width=7)
QUICK = {"steps": 8, "width": 16, "members": 2}


def searched(rounds: int = 12, **settings: Any) -> tuple[Any, list[float]]:
    strategy, shares = build("gan", SPACE, seed=2, settings=QUICK | settings), []
    for _ in range(rounds):
        asked = strategy.ask(10)
        strategy.tell(asked, [score(net) for net in asked])
        shares.append(strategy.figures.get("new_share", 1.0))
    return strategy, shares


def test_by_default_no_alarm_and_three_samples_in_ten_are_new() -> None:
    strategy, shares = searched()
    assert strategy.alarms == []
    assert min(shares) >= 0.3


def test_without_randomness_and_entropy_the_alarm_rings_and_acts() -> None:
    strategy, _ = searched(rounds=12, entropy=0.0, random_share=0.0, newness=0.0, generator_lr=0.03, updates=10)
    assert strategy.alarms
    assert "the entropy bonus is doubled" in strategy.alarms[0]


@pytest.mark.parametrize("part", ["adversarial", "ranking", "penalty", "random_share", "entropy", "newness"])
def test_every_part_can_be_switched_off(part: str) -> None:
    strategy, _ = searched(rounds=4, **{part: 0.0})
    assert part not in strategy.figures or part == "entropy"


def test_without_the_generator_mutants_are_asked_for() -> None:
    strategy, _ = searched(rounds=4, generator=False, random_share=0.0)
    told = list(strategy.told)
    best = sorted(told[:20], key=score)[-10:]
    assert any(near in told[20:] for net in best for near in SPACE.neighbours(net, np.random.default_rng(0), 100))
