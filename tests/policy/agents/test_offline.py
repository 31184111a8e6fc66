"""Agents that learn from logs: better than what was logged, saved and resumed exactly, judged with guards."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

torch = pytest.importorskip("torch")

from paretail.core.errors import DataError  # noqa: E402
from paretail.data.odds import drawn, odds  # noqa: E402
from paretail.evaluate.offpolicy.fitted import fitted_q  # noqa: E402
from paretail.policy.agents import FROM_LOGS, AgentError, judging  # noqa: E402
from paretail.policy.agents.judging import Judge, slates  # noqa: E402
from paretail.policy.agents.logs import Told, replayed  # noqa: E402
from paretail.policy.agents.memory import picked  # noqa: E402
from paretail.policy.agents.offline_losses import cloned, conservative, expectile, unlikely  # noqa: E402
from paretail.policy.agents.users import UserModel  # noqa: E402

from .logged import Leaving, log_of  # noqa: E402
from .worlds import Bored, mean_return  # noqa: E402

CONFIG: dict[str, Any] = {"dim": 16, "kept": 12, "response_passes": 12.0, "round_steps": 25, "lr": 3e-3}
NAMES = list(FROM_LOGS)
LOG = log_of(200)


def made(name: str, **config: Any) -> Any:
    env = Leaving()
    return FROM_LOGS[name](env.observation_space, env.item_vectors, 3, CONFIG | config)


@pytest.mark.parametrize("name", NAMES)
def test_boredom_is_learned_from_a_log_of_a_policy_that_bores(name: str) -> None:
    agent = made(name)
    agent.learn(LOG, 50)
    assert agent.reading is not None
    assert mean_return(agent, Leaving(), 40) > 1.1 * LOG.returns.mean()


@pytest.mark.parametrize("name", NAMES)
def test_saved_between_two_calls_an_agent_learns_on_with_the_same_numbers(name: str, tmp_path: Path) -> None:
    agent = made(name)
    agent.learn(LOG, 4, seed=1)
    agent.save(tmp_path / "agent")
    again = FROM_LOGS[name].load(tmp_path / "agent")
    told = [one.learn(LOG, 4, seed=1) for one in (agent, again)]
    assert told[0][-1].figures == told[1][-1].figures
    assert {"scale", "value"} <= set(told[0][-1].figures)
    for key, value in agent.networks.state_dict().items():
        assert torch.equal(value, again.networks.state_dict()[key]), key
    assert again.steps == 8
    agent.reset()
    assert agent.act(Leaving().reset(seed=0)[0]).shape == (3,)


def test_states_of_a_log_are_those_of_acting() -> None:
    agent = made("iql")
    agent.take_log(LOG, 0)
    played = replayed(agent, LOG)
    found = slates(agent, picked(played.states, np.arange(len(LOG))))
    for start, length in list(zip(LOG.starts, LOG.lengths, strict=True))[:4]:
        agent.reset()
        for row in range(start, start + length):
            seen = {name: column[row] for name, column in LOG.seen.items()}
            assert (agent.act(seen) == found[row]).all()
            agent._sessions.rows = LOG.rows[row][None]  # what was shown was the log's slate
    assert played.states["obs"].shape[0] == len(LOG) + int((~LOG.ended[LOG.starts + LOG.lengths - 1]).sum())


def test_sessions_that_ended_may_be_left_out_on_the_way() -> None:
    agent = made("iql")
    agent.take_log(LOG, 0)
    told, whole = Told(agent), Told(agent)
    at = [LOG.starts[place] for place in (0, 1, 2)]
    for step in range(2):
        seen = {name: column[[row + step for row in at]] for name, column in LOG.seen.items()}
        here = np.array([True, step == 0, True])
        if step:
            told.keep(here)
        mine = told({name: column[here] for name, column in seen.items()})
        assert (mine == whole(seen)[here]).all()
        whole.shown(LOG.rows[[row + step for row in at]])
        told.shown(LOG.rows[[row + step for row in at]][here])


def test_only_clicks_that_observations_tell_are_remembered() -> None:
    def part(side: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"slate": side["slate"], **more}

    env, some = Leaving(), LOG.pick(np.arange(len(LOG.starts)) < 60)
    blind = FROM_LOGS["iql"](spaces.Dict({"slate": env.observation_space["slate"]}), env.item_vectors, 3, CONFIG)
    log = replace(some, seen=part(some.seen), after=part(some.after))
    blind.take_log(log, 0)
    assert blind.reading is None
    assert not replayed(blind, log).states["clicked"].any()
    agent, soon = made("iql"), some.clicks * (np.arange(len(some)) % 2)[:, None]  # others were clicked later
    late = replace(some, after=part(some.after, clicked=soon.astype(np.int8)))
    agent.take_log(late, 0)
    played = replayed(agent, late)
    assert (played.clicks[:, 0] == some.clicks).all()
    assert (played.states["clicked"][played.next_at[:, 0]][:, :3][~some.ended] == soon[~some.ended]).all()


def test_visits_that_the_log_cuts_go_on_in_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    log, taken = LOG.pick(np.arange(len(LOG.starts)) < 60), []
    log = replace(log, ended=log.ended & (log.session % 2 == 0))
    judge = Judge(UserModel.fit(made("iql"), log), log)
    monkeypatch.setattr(judging, "fitted_q", lambda steps, **more: taken.append(steps) or fitted_q(steps, **more))
    judge.of(lambda rows: np.tile([0, 1, 2], (len(rows), 1)))
    assert (taken[0].after.any(1) == ~log.ended).all()


def test_a_model_of_users_is_calibrated_on_sessions_that_it_has_not_seen() -> None:
    fitted, other = log_of(600, seed=3).halves()
    users = UserModel.fit(made("iql"), fitted)
    for name, bins in users.calibration(other).items():
        told, happened = (np.array([getattr(one, part) for one in bins]) for part in ("predicted", "happened"))
        assert abs(told - happened).mean() < 0.1, name
        assert np.corrcoef(told, happened)[0, 1] > (0.9 if name == "clicks" else 0.3), name


def test_estimates_of_near_policies_hold_and_those_of_far_ones_are_refused_or_hold() -> None:
    log = log_of(560, seed=5)
    log = replace(log, ended=np.isin(np.arange(len(log)), log.starts + log.lengths - 1))  # all are over after 8 steps
    fitted, other = log.halves()
    judge = Judge(UserModel.fit(made("iql"), fitted), other)
    own = judge.of(lambda rows: other.rows[rows])
    assert own.value == pytest.approx(other.returns.mean(), rel=0.05)
    assert own.low <= other.returns.mean() <= own.high
    agent = made("iql")
    agent.learn(log, 25)
    found, truth = judge.estimate(agent), mean_return(agent, Leaving(), 60)
    assert found.refused or abs(found.value / truth - 1) < 0.25


def test_losses_are_what_their_equations_say() -> None:
    scores, rows = torch.tensor([[[1.0, 2.0, 0.5]]]), torch.tensor([[1]])
    assert conservative(scores, rows).item() == pytest.approx(np.log(np.exp([1, 2, 0.5]).sum()) - 2)
    q, v = torch.tensor([1.0, -1.0]), torch.tensor([0.0, 0.0])
    assert expectile(q, v, 0.8).item() == pytest.approx((0.8 + 0.2) / 2)
    assert cloned(torch.tensor([[-1.0, -3.0]])).item() == pytest.approx(2.0)
    found = unlikely(torch.tensor([[0.0, -1.0, -5.0]]), float(np.exp(-2)))
    assert found.tolist() == [[0.0, 0.0, 3.0]]


def test_odds_of_epsilon_greedy_slates_are_those_of_their_draws() -> None:
    best, rng = np.array([3, 1, 0], np.int32), np.random.default_rng(0)
    every = [tuple(drawn(best, np.arange(5), 0.4, rng)[0].tolist()) for _ in range(20_000)]
    slate = np.array([3, 4, 1], np.int32)
    expected = (0.6 + 0.4 / 5) * (0.4 / 4) * (0.6 + 0.4 / 3)
    assert odds(best, slate, 5, 0.4).prod() == pytest.approx(expected)
    assert np.mean([one == (3, 4, 1) for one in every]) == pytest.approx(expected, abs=0.01)


def test_goals_of_an_agent_that_learns_one_reward_are_refused() -> None:
    with pytest.raises(AgentError, match="AGENT-15"):
        made("cql", goals=2)


def test_logs_that_do_not_fit_are_refused() -> None:
    agent = made("iql")
    with pytest.raises(AgentError, match="AGENT-12"):
        agent.learn(log_of(5, env=Bored(slots=2)), 5)
    with pytest.raises(AgentError, match="AGENT-03"):
        agent.learn(replace(LOG, seen={"slate": LOG.seen["slate"]}), 5)
    for name in ("reward", "clicks"):
        with pytest.raises(DataError, match=f"decisions whose {name} is no number.*first: 0"):
            replace(LOG, **{name: np.full_like(getattr(LOG, name), np.nan)})
    with pytest.raises(AgentError, match="AGENT-17"):
        agent.learn(LOG, 0)
    with pytest.raises(AgentError, match="AGENT-08"):
        FROM_LOGS["cql"](Leaving().observation_space).learn(LOG, 5)
    with pytest.raises(DataError, match="SESS-01"):
        replace(LOG, session=LOG.session[::-1])
    assert agent.steps == 0
