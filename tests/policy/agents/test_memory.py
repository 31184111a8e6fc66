"""Draws of tastes: only where slates are filled by them, anew each step, and of a generator that is told."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("gymnasium")

from paretail.policy.agents import SlatePPO
from paretail.policy.agents.sessions import Sessions
from paretail.policy.agents.trials import Start

from .worlds import Bored


@pytest.fixture(scope="module")
def agent() -> SlatePPO:
    env = Bored()
    agent = SlatePPO(env.observation_space, env.item_vectors, 3, {"dim": 16, "kept": 12, "trial": 0})
    agent.learn(env, 130, seed=0)
    return agent


def _doubts(agent: SlatePPO, rng: np.random.Generator) -> np.ndarray:
    sessions, found = Sessions(agent, 1, rng), []
    rows = np.array([[0, 1, 2]])
    for _ in range(3):
        sessions.memory.note(rows, np.array([[1, 0, 0]], np.float32), agent.usual)
        found.append(sessions.state(np.zeros((1, agent.reader.raw_width), np.float32))["doubt"][0])
    return np.array(found)


def test_tastes_are_drawn_where_slates_are_filled_by_them_alone(
    agent: SlatePPO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "start", Start())
    rng = np.random.default_rng(0)
    assert not _doubts(agent, rng).any()
    assert rng.random() == np.random.default_rng(0).random()  # nothing was drawn
    for name, value in (("start", Start(doubt=0.3)), ("trying", True)):
        monkeypatch.setattr(agent, name, value)
        found = _doubts(agent, np.random.default_rng(0))
        assert (np.ptp(found, axis=0) > 0).all()  # each step anew
        assert found.tolist() == _doubts(agent, np.random.default_rng(0)).tolist()
        assert (found[0] != _doubts(agent, np.random.default_rng(1))[0]).all()  # each visitor has draws of their own
        monkeypatch.setattr(agent, "start", Start())


def test_an_agent_that_was_loaded_knows_whether_it_draws(
    agent: SlatePPO, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert not SlatePPO.load(agent.save(tmp_path_factory.mktemp("agent") / "one")).draws
    agent.start = Start(doubt=0.2)
    assert SlatePPO.load(agent.save(tmp_path_factory.mktemp("agent") / "one")).draws
