"""Starts of policies: what they do to scores, and that the best of those tried wins."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from paretail.core.rng import rng_for  # noqa: E402
from paretail.policy.agents import SlatePPO  # noqa: E402
from paretail.policy.agents.dealt import Dealt, best_way  # noqa: E402
from paretail.policy.agents.items import items_of  # noqa: E402
from paretail.policy.agents.sessions import Player, tensors  # noqa: E402
from paretail.policy.agents.trials import Start, changed, drawn, found, merged  # noqa: E402

from .worlds import Bored  # noqa: E402

SETTINGS: dict[str, Any] = {"dim": 16, "probe": 100, "probe_share": 0.5, "kept": 12, "trial": 0}


@pytest.fixture(scope="module")
def agent() -> SlatePPO:
    env = Bored()
    agent = SlatePPO(env.observation_space, env.item_vectors, 3, SETTINGS)
    agent.learn(env, 130, seed=0)
    return agent


def _scores(agent: SlatePPO, start: Start) -> Any:
    seen, env = agent.eyes(tensors(agent._sessions.state(agent._sessions.raw))), Bored()
    scorer = merged(agent.response.scorer, start)
    with torch.no_grad():
        known = scorer.prepared(seen)
        return scorer.first(known)[0].numpy(), env.kind


def test_a_start_takes_from_groups_and_items_that_were_shown_and_gives_to_those_clicked(agent: SlatePPO) -> None:
    env, slate = Bored(), np.array([0, 1, 2])
    seen, _ = env.reset(seed=3)
    agent.reset()
    agent.act(seen)
    sessions = agent._sessions
    assert sessions is not None
    sessions.shown(sessions.raw, slate[None])
    raw = agent.reader.raw({"slate": slate, "clicked": np.array([1, 0, 0])}, 1)
    sessions.note(raw)
    sessions.raw = raw
    plain, kind = _scores(agent, Start())
    groups = _scores(agent, Start(shown=0.5, clicked=0.25, decay=2))[0] - plain
    assert groups == pytest.approx(np.where(kind == 0, -0.75, np.where(kind < 3, -0.5, 0.0)), abs=1e-5)
    items = _scores(agent, Start(again=1.0, liked=3.0))[0] - plain
    assert items[:4] == pytest.approx([2.0, -1.0, -1.0, 0.0], abs=1e-5)


def test_the_start_of_the_best_sessions_is_found(agent: SlatePPO) -> None:
    env = Bored()
    lanes = agent._fitted(env, 0)
    player = Player(agent, lanes, 0, rng_for("test", 0))
    start, played = found(agent, player, 800, rng_for("test/trials", 0))
    assert sum(one.reward.size for one in played) == lanes.steps <= 800
    assert min(start.to_json().values()) >= 0
    random = 5.0 / 8  # reward of a step
    assert np.concatenate([one.reward for one in played[-4:]]).mean() > random + 0.2


def test_sessions_are_dealt_evenly_and_the_way_that_brings_most_is_taken(agent: SlatePPO) -> None:
    env = Bored()
    player = Player(agent, agent._fitted(env, 0), 0, rng_for("test", 0))
    best, poor = np.array([[0, 1, 2]]), np.array([[4, 9, 14]])

    def alternate(state: Any) -> Any:
        return best if state["clock"][0, 0] % 2 == 0 else poor

    dealt = Dealt(agent, player, rng_for("test/ways", 0))
    assert best_way(dealt, [lambda state: poor, alternate, lambda state: best], 400, {}) == 1
    assert dealt.count[1] > max(dealt.count[0], dealt.count[2])
    known = {0: [30.0, 31.0, 29.0, 30.0]}
    assert best_way(Dealt(agent, player, rng_for("test/ways", 1)), [lambda state: poor, alternate], 40, known) == 0
    few = Dealt(agent, player, rng_for("test/ways", 2))
    few.join(2)
    few.returns = [[9.0, 11.0] * 20, [10.0, 14.0]]
    assert 11.0 < few.beliefs()[0][1] < 11.9  # a mean of two sessions is drawn to the usual one
    assert few.beliefs()[1][0] < few.beliefs()[1][1]


def test_random_and_changed_starts_are_finite_and_positive() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        start = changed(drawn(rng), rng)
        assert min(start.to_json().values()) >= 0
        assert 1 <= start.decay <= 3


def test_shares_of_topics_are_groups() -> None:
    rng = np.random.default_rng(0)
    shares = rng.random((60, 6)) * (rng.random((60, 6)) < 0.3) + np.eye(6)[np.arange(60) % 6] * 2
    items = items_of(shares, 24, 24)
    assert items.groups == 6
    assert (items.group == shares.argmax(1)).all()
    assert items_of(shares - 0.5, 24, 4).groups <= 4
