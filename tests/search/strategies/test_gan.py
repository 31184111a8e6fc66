"""The generator stays broad by default; without randomness, entropy and novelty it collapses and is caught."""

from typing import Any

import numpy as np
import pytest
import torch

from paretail.search.strategies import build
from paretail.search.strategies.gan import GENERATED, REMEMBERED
from tests.search.spaces import Branches, score

SPACE = Branches(joins=8, width=7)
QUICK = {"steps": 8, "width": 16, "members": 2}


def searched(rounds: int = 12, **settings: Any) -> tuple[Any, list[dict[str, float]]]:
    strategy, told = build("gan", SPACE, seed=2, settings=QUICK | settings), []
    for _ in range(rounds):
        asked = strategy.ask(10)
        strategy.tell(asked, [score(net) for net in asked])
        told.append(dict(strategy.figures))
    return strategy, told


def test_by_default_no_alarm_and_three_samples_in_ten_are_new() -> None:
    strategy, told = searched()
    assert strategy.alarms == []
    assert min(figures.get("new_share", 1.0) for figures in told) >= 0.3


def test_without_randomness_and_entropy_the_alarm_rings_and_acts() -> None:
    strategy, told = searched(rounds=12, entropy=0.0, random_share=0.0, newness=0.0)
    assert strategy.alarms
    assert "the entropy bonus is raised" in strategy.alarms[0]
    assert max(figures.get("bonus", 0.0) for figures in told) > 0  # though its own weight is 0


def test_the_schedule_is_that_of_the_search() -> None:
    usual, short, own = (
        build("gan", SPACE, settings=given, trials=trials).config
        for given, trials in (({}, None), ({}, 40), ({"horizon": 100, "start": 5}, 40))
    )
    assert [(one.horizon, one.drawn) for one in (usual, short, own)] == [(200, 20), (40, 10), (100, 5)]


@pytest.mark.parametrize("part", ["adversarial", "ranking", "penalty", "random_share", "entropy", "newness"])
def test_every_part_can_be_switched_off(part: str) -> None:
    strategy, _ = searched(rounds=4, **{part: 0.0})
    assert part not in strategy.figures or part == "entropy"


def test_without_the_generator_mutants_are_asked_for() -> None:
    strategy, _ = searched(rounds=4, generator=False, random_share=0.0)
    told = list(strategy.told)
    best = sorted(told[:20], key=score)[-10:]
    assert any(near in told[20:] for net in best for near in SPACE.neighbours(net, np.random.default_rng(0), 100))


def test_what_it_tells_winners_from_has_mutants_of_every_parent_and_draws() -> None:
    strategy, _ = searched(rounds=3, generator=False)
    known, stand = strategy.standings()
    parents = [known[row] for row in np.argsort(-stand, kind="stable")[: strategy.config.parents]]
    strategy.ask(10)
    near = [set(SPACE.neighbours(net, np.random.default_rng(0), 100)) for net in parents]
    made = strategy._made[:GENERATED]
    assert len(strategy._made) == REMEMBERED
    assert all(mutants & set(made) for mutants in near)
    assert len(set(made) - set.union(*near)) > 5


def test_a_small_space_is_proposed_to_its_end_without_an_alarm() -> None:
    space = Branches(joins=2, width=2)  # 28 nets
    strategy = build("gan", space, settings=QUICK | {"start": 4, "random_share": 0.0})
    shares = []
    while asked := strategy.ask(3):
        strategy.tell(asked, [score(net) for net in asked])
        shares.append(strategy.figures.get("new_share", 1.0))
    assert len(strategy.told) == len(space.all())
    assert min(shares) >= 0.3
    assert strategy.alarms == []


def test_a_generator_that_makes_one_known_net_is_filled_up_and_caught() -> None:
    strategy, _ = searched(rounds=3, steps=1)
    with torch.no_grad():
        strategy._maker.head.bias[strategy._maker.offsets] = 50.0  # always the first option, warm or not
        strategy._maker.head.bias[strategy._maker.offsets[1:] + 1] = 99.0
    found, shares = strategy._sampled(0, np.random.default_rng(0))
    assert shares["unique_share"] == 1 / 64
    assert shares["own_new_share"] <= 1 / 64
    assert shares["new_share"] >= 0.3
    assert len(strategy.fresh(found, 100)) >= 19 > shares["filled"] > 0


def test_what_is_illegal_is_nothing_new() -> None:
    class Barren(Branches):
        def from_tokens(self, tokens: Any) -> Any:
            return None

    strategy: Any = build("gan", Barren(joins=8, width=7), seed=2, settings=QUICK | {"updates": 2})
    strategy._make_better(SPACE.encode(SPACE.sample(np.random.default_rng(0), 8)), 1)
    assert strategy._price == pytest.approx(2 * strategy.config.newness)


def test_a_steep_discriminator_half_forgets_at_any_weight_of_the_penalty() -> None:
    strategy, _ = searched(rounds=3, generator=False, penalty=1e-6, weight_decay=0.0, lr=0.3)
    assert "the discriminator half forgets" in strategy.alarms[0]
