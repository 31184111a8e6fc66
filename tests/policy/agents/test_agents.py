"""Agents: small worlds solved, saved and resumed exactly, all kinds of environment, clear errors."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

torch = pytest.importorskip("torch")

from paretail.core.errors import ConfigError  # noqa: E402
from paretail.policy.agents import AGENTS, AgentError, DQNConfig, SlateDQN, SlatePPO  # noqa: E402
from paretail.policy.agents.feedback import Reading  # noqa: E402
from paretail.policy.agents.lanes import Lanes  # noqa: E402
from paretail.policy.agents.sessions import Player, Sessions, tensors  # noqa: E402

from .worlds import Bored, TwoStates, mean_return  # noqa: E402

QUICK: dict[str, dict[str, Any]] = {
    "ppo": {"round_steps": 64, "batch_size": 64, "epochs": 3, "lr": 5e-3},
    "dqn": {"round_steps": 32, "updates": 12, "warm": 10, "batch_size": 32, "lr": 5e-3, "replay": 1000},
    "reinforce": {"round_steps": 64, "lr": 1e-2},
}
NAMES = list(AGENTS)


def made(name: str, env: Any, slots: int = 3, **config: Any) -> Any:
    settings = QUICK[name] | {"dim": 16, "probe": 60, "probe_share": 0.5, "kept": 12, "response_passes": 8.0} | config
    return AGENTS[name](env.observation_space, env.item_vectors, slots, settings)


@pytest.mark.parametrize("name", ["ppo", "dqn"])
def test_two_states_are_solved_where_greed_stays(name: str) -> None:
    env = TwoStates()
    agent = AGENTS[name](env.observation_space, config=QUICK[name] | {"dim": 16, "discount": 0.9})
    agent.learn(env, 1500, seed=0)
    assert mean_return(agent, env, 1) == pytest.approx(5.0)


@pytest.mark.parametrize("name", NAMES)
def test_boredom_is_seen_from_the_agents_own_history(name: str) -> None:
    env = Bored()
    agent = made(name, env)
    agent.learn(env, 800, seed=1)
    assert agent.reading is not None
    always_the_best = 3 * 0.9  # then nothing is clicked any more
    random = 5.0
    assert mean_return(agent, env) > max(always_the_best, random) + 2


@pytest.mark.parametrize("name", NAMES)
def test_saved_between_two_calls_an_agent_learns_on_with_the_same_numbers(name: str, tmp_path: Path) -> None:
    env = Bored()
    agent = made(name, env)
    agent.learn(env, 160, seed=3)
    agent.save(tmp_path / "agent")
    again = AGENTS[name].load(tmp_path / "agent")
    told = [one.learn(Bored(), 130, seed=4) for one in (agent, again)]
    assert [t.figures for t in told[0]] == [t.figures for t in told[1]]
    for key, value in agent.networks.state_dict().items():
        assert torch.equal(value, again.networks.state_dict()[key]), key
    seen, _ = env.reset(seed=0)
    agent.reset(), again.reset()
    for _ in range(8):
        rows = agent.act(seen)
        assert (rows == again.act(seen)).all()
        seen = env.step(rows)[0]


def test_how_ways_to_act_are_compared_follows_from_the_seed_alone(tmp_path: Path) -> None:
    env = Bored()
    agent = made("ppo", env, settle_share=0.4)
    agent.learn(env, 110, seed=3)
    again = SlatePPO.load(agent.save(tmp_path / "agent"))
    agent.act(env.reset(seed=0)[0], explore=True)  # what one did since is forgotten
    for one in (agent, again):
        one.learn(Bored(), 110, seed=4)
    assert (agent.way, agent.recent) == (again.way, again.recent)
    seen = {name: np.stack([value] * 4) for name, value in env.reset(seed=1)[0].items()}
    crowds = [one.crowd() for one in (agent, again, agent)]
    for way in range(3):
        agent.way = again.way = way
        assert (crowds[0](seen) == crowds[1](seen)).all()
    crowds[2].reset()
    agent.way = again.way = 0
    assert (crowds[2](seen) == again.crowd()(seen)).all()


def test_the_same_seed_gives_the_same_agent_and_another_seed_another() -> None:
    acts = []
    for seed in (0, 0, 1):
        agent = made("ppo", Bored())
        agent.learn(Bored(), 150, seed=seed)
        acts.append(agent.networks.state_dict()["value.value.0.weight"])
    assert torch.equal(acts[0], acts[1])
    assert not torch.equal(acts[0], acts[2])


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vectors_of_environments_are_learned_from_however_they_begin_anew(mode: AutoresetMode) -> None:
    env = SyncVectorEnv([Bored] * 3, autoreset_mode=mode)
    agent = made("ppo", Bored(), goals=2)
    told = agent.learn(env, 192, seed=0)
    assert told[-1].mean_return is not None
    rows = agent.crowd()(env.reset(seed=1)[0])
    assert rows.shape == (3, 3)
    assert len(set(rows[0].tolist())) == 3


@pytest.mark.parametrize("seen", ["dict", "box"])
def test_single_items_are_ints_where_actions_are_discrete(seen: str) -> None:
    env = Bored(slots=1, seen=seen, items=80)
    agent = made("dqn", env, 1)
    agent.learn(env, 200, seed=0)
    assert agent.reading is not None
    agent.reset()
    assert isinstance(agent.act(env.reset(seed=0)[0]), int)
    assert isinstance(agent.act(env.observation_space.sample(), explore=True), int)


def test_slates_by_the_choice_of_one_item() -> None:
    env = Bored()
    agent = made("dqn", env, choice="one")
    agent.learn(env, 200, seed=0)
    assert agent.act(env.reset(seed=0)[0]).shape == (3,)


def test_values_of_slates_count_chances_of_clicks_as_they_were_fitted() -> None:
    """The bias of each slot is part of the odds by which one item, or none, is chosen, and of the chance of a click."""
    env, usual = Bored(), torch.tensor([0.1, 0.05, 0.02])
    states = Sessions(agent := made("dqn", env, choice="one"), 1).state(np.zeros((1, agent.reader.raw_width), "f4"))
    with torch.no_grad():
        agent.response.bias.copy_(usual.logit())
        agent.networks["q"].beta.fill_(3.0)
        agent.reading = Reading("columns")
        q, rows, seen = agent.networks["q"], torch.tensor([[4, 0, 7]]), agent.eyes(tensors(states))
        scorer = agent.response.scorer
        p = (scorer.at(scorer.prepared(seen), rows) + agent.response.bias).sigmoid()
        odds, value = p / (1 - p), q.value(seen)
        own = value[:, None] + q.scorer.first(q.scorer.prepared(seen)).gather(1, rows)
        assert agent._slate_value(q, seen, rows) == pytest.approx(
            (((odds * own).sum(1) + value) / (1 + odds.sum(1))).item(), rel=1e-4)  # fmt: skip
        v, _, _ = agent._choices(agent._bound(q), seen)
        assert v.mean().item() == pytest.approx(usual.logit().mean().exp().item(), rel=0.3)
        bound = agent._bound(q)
        known = bound.q.scorer.prepared(seen)
        mine = bound.q.scorer.at(known, rows).mean(1) - bound.q.scorer.first(known).mean(1)
        assert bound.value(seen, rows).item() == pytest.approx((value + mine + 3 * p.mean(1)).item(), rel=1e-4)


def test_what_q_says_beside_the_model_of_clicks_is_doubted_while_steps_are_few() -> None:
    apart = []
    for hold in (0.0, 3000.0):
        env = Bored()
        agent = made("dqn", env, hold=hold)
        agent.learn(env, 400, seed=2)
        q, batch = agent.networks["q"], agent.replay.draw(64, np.random.default_rng(0))
        seen = agent.eyes(tensors(batch.states))
        bound = agent._bound(q)
        with torch.no_grad():
            own = q.scorer.first(q.scorer.prepared(seen)).var(1).mean()
            doubt = agent._doubt(bound, seen)
        own = float(own * q.unit**2)
        assert float(doubt) == pytest.approx(hold / agent.steps * own / float(agent.target.worth**2), rel=1e-4)
        assert 0 < float(q.unit) == float(agent.target.unit) < q.beta.item()
        apart.append(own)
        agent.reading, agent._clicks = None, None  # without a model of clicks Q is all that there is
        assert float(agent._doubt(agent._bound(q), seen)) == 0.0
    assert apart[1] < 0.2 * apart[0]


def test_weights_of_goals_are_part_of_the_state_and_of_the_reward() -> None:
    env = Bored()
    agent = made("ppo", env, goals=2)
    agent.learn(env, 250, seed=0)
    seen, found = env.reset(seed=0)[0], []
    for weights in ([1.0, 0.0], [0.0, 1.0]):
        agent.aim(np.array(weights))
        agent.reset()
        agent.act(seen)
        found.append(agent._values(agent._sessions.state(agent._sessions.raw))[0, 0])
    assert found[0] != found[1]
    player = Player(agent, Lanes(Bored(), agent.reader, False, 2), 0, np.random.default_rng(0))
    played = player.play(
        8, lambda state: agent._choose(state, np.random.default_rng(0), True), np.random.default_rng(0)
    )
    clicks, kind = played.clicks.sum((1, 2)), (env.kind[played.rows] == 4).sum((1, 2))
    aim = played.states["aim"][0]
    assert played.reward[:, 0] == pytest.approx(aim[0] * clicks + aim[1] * kind, abs=1e-6)
    with pytest.raises(AgentError, match="AGENT-09"):
        agent.aim(np.array([1.0]))


def test_one_agent_brings_more_of_what_it_is_aimed_at() -> None:
    env, found = Bored(), []
    agent = made("dqn", env, goals=2)
    agent.learn(env, 800, seed=0)
    assert len(agent._ways()) == 1  # what it began with is one for all goals
    assert len(made("ppo", env, goals=2)._ways()) == len(made("ppo", env)._ways()) - 1
    for weights in ([1.0, 0.0], [0.0, 1.0]):
        agent.aim(np.array(weights))
        goals = np.zeros(2)
        for episode in range(6):
            seen, over = env.reset(seed=episode)[0], False
            agent.reset()
            while not over:
                seen, _, left, cut, info = env.step(agent.act(seen))
                goals, over = goals + info["goals"] / 6, left or cut
        found.append(goals)
    assert found[0][0] > found[1][0] + 0.5
    assert found[1][1] > found[0][1] + 1


def test_goals_that_the_environment_does_not_have_are_refused() -> None:
    with pytest.raises(AgentError, match="AGENT-09"):
        made("ppo", Bored(), goals=3).learn(Bored(), 50)


def test_learning_ends_after_its_minutes() -> None:
    env = Bored()
    agent = made("ppo", env, minutes=1e-6)
    assert agent.learn(env, 100_000, seed=0) == []


def _fault(fault: str) -> None:
    env = Bored(fault=fault)
    made("ppo", env).learn(env, 200, seed=0)


def _unfit_action() -> None:
    env = Bored()
    env.action_space = spaces.MultiDiscrete([40] * 4)
    made("ppo", Bored()).learn(env, 50)


def _unfit_observation() -> None:
    agent = SlatePPO(spaces.Box(0, 1, (3,)), np.eye(40), 3)
    agent.learn(Bored(), 50)


def _acts_on_another() -> None:
    made("ppo", Bored()).act(np.zeros(3))


def _unmade() -> None:
    SlateDQN(spaces.Box(0, 1, (3,))).act(np.zeros(3))


ERRORS = {
    "AGENT-02": lambda: SlatePPO(spaces.Text(4), np.eye(3)),
    "AGENT-03": _unfit_observation,
    "AGENT-04": _unfit_action,
    "AGENT-05": lambda: _fault("nan"),
    "AGENT-06": lambda: _fault("raise"),
    "AGENT-07": lambda: SlatePPO(spaces.Box(0, 1, (3,)), np.full((4, 2), np.nan), 2),
    "AGENT-08": _unmade,
}


@pytest.mark.parametrize("code", ERRORS)
def test_what_does_not_fit_is_said(code: str) -> None:
    with pytest.raises(AgentError, match=code):
        ERRORS[code]()


def test_both_spaces_are_shown_and_an_observation_that_does_not_fit_is_refused() -> None:
    with pytest.raises(AgentError, match=r"MultiDiscrete.*40 40 40 40(.|\n)*MultiDiscrete\(\[40\] \* 3\)"):
        _unfit_action()
    with pytest.raises(AgentError, match="AGENT-03"):
        _acts_on_another()


def test_a_broken_environment_leaves_the_agent_as_it_was() -> None:
    agent = made("ppo", Bored())
    agent.learn(Bored(), 150, seed=0)
    before = {key: value.clone() for key, value in agent.networks.state_dict().items()}
    with pytest.raises(AgentError, match="AGENT-05"):
        agent.learn(Bored(fault="nan"), 100, seed=1)
    assert all(torch.equal(value, before[key]) for key, value in agent.networks.state_dict().items())
    agent.way = 3
    with pytest.raises(AgentError, match="AGENT-03"):
        agent.learn(gymnasium.make("CartPole-v1"), 100)
    assert agent.way == 3


@pytest.mark.parametrize("name", ["ppo", "dqn"])
def test_an_environment_that_breaks_before_the_first_round_leaves_an_agent_that_has_learned_nothing(name: str) -> None:
    env = Bored()
    agent = made(name, env, trial=400, trial_share=0.6)
    step, steps = env.step, iter(range(10_000))
    env.step = lambda action: 1 / 0 if next(steps) == 200 else step(action)  # type: ignore[method-assign,return-value]  # in the midst of trials
    with pytest.raises(AgentError, match="AGENT-06"):
        agent.learn(env, 600, seed=0)
    assert (agent.steps, agent.probed, agent.reading, agent.recent) == (0, False, None, [])
    agent.learn(Bored(), 600, seed=0)
    other = made(name, Bored(), trial=400, trial_share=0.6)
    other.learn(Bored(), 600, seed=0)
    assert agent.start == other.start
    mine = agent.networks.state_dict()
    assert all(torch.equal(value, mine[key]) for key, value in other.networks.state_dict().items())


@pytest.mark.parametrize("found", [(0, 1.0, False, {}), 3, (0, 1.0, False, False, None)])
def test_a_step_of_another_interface_is_an_error_of_the_environment(found: Any) -> None:
    env = TwoStates()
    env.step = lambda _: found  # type: ignore[method-assign]
    with pytest.raises(AgentError, match="AGENT-06"):
        SlatePPO(env.observation_space).learn(env, 50)
    env.step = lambda _: (0, "much", False, False, {})  # type: ignore[method-assign,assignment,return-value]
    with pytest.raises(AgentError, match="AGENT-05"):
        SlatePPO(env.observation_space).learn(env, 50)


def test_actions_whose_bounds_do_not_hold_all_items_are_refused() -> None:
    env = Bored()
    for low, high, fits in ((0, 39, True), (0, 19, False), (1, 39, False)):
        env.action_space = spaces.Box(low, high, (3,), np.int64)
        agent = made("ppo", env)
        if fits:
            agent.learn(env, 60)
        else:
            with pytest.raises(AgentError, match="AGENT-04"):
                agent.learn(env, 60)


def test_settings_of_another_kind_of_agent_are_refused() -> None:
    with pytest.raises(ConfigError, match="replay is not a setting"):
        SlatePPO(spaces.Box(0, 1, (3,)), np.eye(40), 3, DQNConfig())


@pytest.mark.parametrize("space", [
    spaces.Dict({"deep": spaces.Dict({"a": spaces.Box(0, 1, (2,)), "b": spaces.Discrete(3)})}),
    spaces.Tuple([spaces.Box(0, 1, (2,)), spaces.Discrete(3)]),
])  # fmt: skip
def test_many_sessions_of_nested_observations(space: spaces.Space[Any]) -> None:
    agent = SlatePPO(space, np.eye(40), 3)
    seen: Any = (np.zeros((7, 2), np.float32), np.zeros(7, np.int64))
    seen = {"deep": dict(zip("ab", seen, strict=True))} if isinstance(space, spaces.Dict) else seen
    assert agent.crowd()(seen).shape == (7, 3)


def test_damaged_and_foreign_folders_are_refused_and_a_failed_save_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = made("ppo", Bored())
    agent.save(tmp_path / "agent")
    with pytest.raises(AgentError, match="AGENT-10"):
        SlateDQN.load(tmp_path / "agent")
    manifest = tmp_path / "agent" / "manifest.json"
    whole = manifest.read_text()
    manifest.write_text(whole.replace('"dim": 16', '"dim": 8'))
    with pytest.raises(AgentError, match="not those of this version"):
        SlatePPO.load(tmp_path / "agent")
    manifest.write_text(whole)
    file = tmp_path / "agent" / "agent.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(AgentError, match="AGENT-10"):
        SlatePPO.load(tmp_path / "agent")
    with pytest.raises(AgentError, match="AGENT-10"):
        SlatePPO.load(tmp_path / "nothing")
    monkeypatch.setattr("paretail.policy.agents.storage.json.dumps", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        agent.save(tmp_path / "half")
    (tmp_path / "agent").rename(tmp_path / ".agent.0123abcd.old")  # a save was stopped between its two renames
    file.parent.mkdir()
    with pytest.raises(AgentError, match="AGENT-10"):
        SlatePPO.load(tmp_path / "agent")
    file.parent.rmdir()
    with pytest.raises(AgentError, match="not the file that its manifest names"):
        SlatePPO.load(tmp_path / "agent")
    assert file.exists()
    assert not list(tmp_path.glob("*half*"))
    assert not list(tmp_path.glob(".*"))


def test_agents_of_before_their_scores_had_a_unit_are_read_as_they_were(tmp_path: Path) -> None:
    agent = made("dqn", Bored())
    assert isinstance(agent, SlateDQN)
    before = {name: value for name, value in agent.networks.state_dict().items() if not name.endswith("unit")}
    assert len(before) < len(agent.networks.state_dict())
    again = made("dqn", Bored())
    again.networks.load_state_dict(before)
    assert all(torch.equal(value, again.networks.state_dict()[name]) for name, value in before.items())
    assert again.networks["q"].unit == 1


def test_spaces_are_kept(tmp_path: Path) -> None:
    space = spaces.Dict(
        {"a": spaces.Tuple([spaces.Discrete(3), spaces.Box(-np.inf, np.inf, (2,))]), "b": spaces.MultiBinary([2, 2]),
         "c": spaces.MultiDiscrete([3, 4]), "d": spaces.Box(np.array([0, 1]), np.array([2, 3]), dtype=np.int64)}
    )  # fmt: skip
    SlatePPO(space, np.eye(5), 2).save(tmp_path / "agent")
    assert SlatePPO.load(tmp_path / "agent").observation_space == space
