"""What `learn` does beside the losses: short calls, empty rounds, breaks, another environment, exploring at work."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv

torch = pytest.importorskip("torch")

from paretail.policy.agents import AGENTS, AgentError, SlateDQN, SlatePPO  # noqa: E402
from paretail.policy.agents.sessions import Sessions  # noqa: E402

from .test_agents import made  # noqa: E402
from .worlds import Bored, TwoStates  # noqa: E402


class OneStep(gymnasium.Env):
    """Three actions, of which one pays; an episode is one step."""

    def __init__(self) -> None:
        self.observation_space, self.action_space = spaces.Box(0, 1, (2,), np.float32), spaces.Discrete(3)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return np.zeros(2, np.float32), float(action == 1), True, False, {}


@pytest.mark.parametrize("name", AGENTS)
def test_a_round_in_which_all_lanes_begin_anew_teaches_nothing(name: str) -> None:
    env = SyncVectorEnv([OneStep] * 4)
    agent = AGENTS[name](
        env.single_observation_space,
        config={"round_steps": 36, "dim": 8, "probe": 4} | ({"updates": 2} if name == "dqn" else {}),
    )
    told = agent.learn(env, 4 + 36 + 4)
    assert told[0].figures
    assert told[1].figures == {}
    assert agent.steps == 44


@pytest.mark.parametrize("name", ["ppo", "dqn"])
def test_a_break_while_ways_are_compared_leaves_the_agent_of_the_last_round(name: str) -> None:
    env, steps, kept = Bored(), iter(range(1000)), dict[str, Any]()
    agent = made(name, env, settle_share=0.3, response_passes=2.0, **({"updates": 2} if name == "dqn" else {}))
    step = env.step
    env.step = lambda rows: 1 / 0 if next(steps) == 250 else step(rows)  # type: ignore[method-assign,return-value]  # of 260

    def keep(_: Any) -> None:
        parts = {"networks": agent.networks, "response": agent.response}
        kept.update({part: {k: v.clone() for k, v in one.state_dict().items()} for part, one in parts.items()})
        kept.update(past=list(agent._past), steps=agent.steps)

    with pytest.raises(AgentError, match="AGENT-06"):
        agent.learn(env, 260, 0, keep)
    for part in ("networks", "response"):
        now = getattr(agent, part).state_dict()
        assert all(torch.equal(value, now[key]) for key, value in kept[part].items()), part
    assert (agent._past, agent.steps) == (kept["past"], kept["steps"])


@pytest.mark.parametrize("name", ["ppo", "dqn"])
def test_a_break_before_the_first_round_leaves_the_way_to_act_and_what_went_best(name: str) -> None:
    agent = made(name, Bored(), **({"updates": 2} if name == "dqn" else {}))
    agent.learn(Bored(), 150, seed=0)
    agent.way, recent = 1, list(agent.recent)
    assert recent
    if name == "dqn":
        agent.best, agent._best = 7.0, dict(agent.networks.state_dict())
    before = agent.extra()
    with pytest.raises(AgentError, match="AGENT-06"):
        agent.learn(Bored(fault="raise"), 100, seed=1)
    assert (agent.way, agent.recent) == (1, recent)
    after = agent.extra()
    assert after[1] == before[1]
    assert after[0].keys() == before[0].keys()
    assert all((after[0][key] == value).all() for key, value in before[0].items())


@pytest.mark.parametrize("name", ["ppo", "dqn"])
def test_a_new_agent_that_breaks_before_its_first_round_keeps_what_the_probe_met(name: str) -> None:
    env, steps = Bored(), iter(range(1000))
    agent = made(name, env, trial=0)
    step = env.step
    env.step = lambda rows: 1 / 0 if next(steps) == 65 else step(rows)  # type: ignore[method-assign,return-value]  # 60 probe
    with pytest.raises(AgentError, match="AGENT-06"):
        agent.learn(env, 400)
    assert (agent.probed, agent.steps) == (True, 60)
    assert agent.recent


def test_an_agent_that_learns_in_short_calls_reads_clicks() -> None:
    agent = SlatePPO(Bored().observation_space, Bored().item_vectors, 3, {"dim": 8, "response_passes": 0.0})
    agent.learn(Bored(), 200)
    assert agent.reading is not None
    assert agent.steps == 200


def test_what_went_best_and_was_played_in_another_environment_is_forgotten() -> None:
    for of in (0, 1000):
        agent = made("dqn", Bored(), trial=0, probe=20, updates=2)
        agent.learn(Bored(), 50, seed=3, of=1000)
        agent.best, agent.recent, played = 1e9, [1e9], agent.replay.size
        assert played > 0
        agent._best = {name: torch.zeros_like(value) for name, value in agent.networks.state_dict().items()}
        agent.learn(Bored(), 32, seed=4, of=of)
        assert (agent.best == 1e9) == (1e9 in agent.recent) == (not agent.networks["q"].beta) == (of > 0)
        # else rewards of another environment are learned for as long as its steps are drawn
        assert agent.replay.size == 32 + (played if of else 0)


def test_exploring_at_work_is_by_the_policy_whatever_way_was_best() -> None:
    env, found = Bored(), []
    agent = made("ppo", env)
    agent.learn(env, 150, seed=0)
    state = Sessions(agent, 8).state(np.zeros((8, agent.reader.raw_width), np.float32))
    for way in (0, len(agent.tempers)):
        agent.way, agent._acting = way, None
        found.append(agent._choose(state, np.random.default_rng(0), True)[0])
    assert (found[0] == found[1]).all()


def test_exploring_at_work_builds_what_fills_slates_once(monkeypatch: pytest.MonkeyPatch) -> None:
    env = Bored()
    agent = made("ppo", env)
    seen, built = env.reset(seed=0)[0], list[Any]()
    of_policy = agent._of_policy
    monkeypatch.setattr(agent, "_of_policy", lambda: built.append(of_policy()) or built[-1])
    agent.way = len(agent.tempers)
    for _ in range(3):
        agent.act(seen, explore=True)
        agent.act(seen)
    assert len(built) == 1
    agent._acting = None  # as after a round of learning
    agent.act(seen, explore=True)
    assert len(built) == 2
    assert agent._drawing[1] is built[1]


def test_where_no_clicks_can_be_read_what_was_shown_counts_as_the_choice_of_one() -> None:
    agent = SlateDQN(TwoStates().observation_space, None, 1, {"choice": "one", "dim": 8, "updates": 1, "warm": 1})
    agent.learn(TwoStates(), 64)
    agent.networks.zero_grad()
    agent._loss(agent.replay.draw(64, np.random.default_rng(0))).backward()
    assert any(w.grad is not None and w.grad.any() for w in agent.networks["q"].scorer.parameters())


def test_numbers_are_logged_in_the_units_of_the_environment() -> None:
    agent = made("reinforce", Bored())
    assert {"scale", "value"} <= set(agent.learn(Bored(), 150)[-1].figures)


def test_learning_for_no_steps_is_refused() -> None:
    with pytest.raises(AgentError, match="AGENT-17"):
        made("ppo", Bored()).learn(Bored(), -5)
