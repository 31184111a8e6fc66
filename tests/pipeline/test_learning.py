"""Learning in the simulated shop: the best agent is kept, a run goes on exactly where it was, bad requests are said."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("gymnasium")

from paretail.core.errors import UsageError
from paretail.core.rng import rng_for
from paretail.pipeline import grounds, learning
from paretail.pipeline.learning import Asked, Look
from paretail.policy.agents import SlateDQN, SlatePPO, stages
from paretail.sim import preset
from paretail.sim.environment import ShopVectorEnv
from paretail.sim.truth import SimConfig, grow
from paretail.sim.visits import Visits

ASKED: dict[str, Any] = {"steps": 240, "stretch": 120, "visits": 20, "seed": 3, "seeds": 1}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    _shop(monkeypatch)


def _shop(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = grow(SimConfig(users=40, items=60), rng_for("sim/truth", 0))
    monkeypatch.setattr(preset, "frozen_shop", lambda seed: Visits(truth, preset.HABITS))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[learning.Learned, Path]:
    """Return a run that nothing stopped, and its folder."""
    out = tmp_path_factory.mktemp("learned")
    with pytest.MonkeyPatch.context() as patch:
        _shop(patch)
        return learning.learn(Asked(**ASKED), out), out


def test_a_run_that_was_stopped_after_a_stretch_ends_as_one_in_a_single_part(
    whole: tuple[learning.Learned, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned, folder = whole
    with monkeypatch.context() as stopped:
        stopped.setattr(learning, "_due", lambda _, looks, *__: "stopped" if looks else None)
        learning.learn(Asked(**ASKED), tmp_path)
    parts = learning.learn(Asked(**ASKED), tmp_path)
    assert [(look.steps, look.reward) for look in learned.run.looks] == [
        (look.steps, look.reward) for look in parts.run.looks
    ]
    assert len(learned.run.looks) == 2
    weights = [SlatePPO.load(one / "seed-3" / "newest").networks.state_dict() for one in (folder, tmp_path)]
    assert all((weights[0][key] == weights[1][key]).all() for key in weights[0])
    best = max(look.reward for look in learned.run.looks)
    assert learned.run.top.reward == best
    page = (folder / "report.html").read_text()
    assert f"{best:.2f}" in page
    assert "reward of held-out visits" in page
    assert "For comparison: rested" in page


def test_a_run_that_was_stopped_between_its_files_goes_on_exactly(
    whole: tuple[learning.Learned, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note, looked = learning._note, whole[0].run.looks
    with monkeypatch.context() as killed:
        killed.setattr(learning, "_note", lambda out, run, looks: note(out, run, looks) if len(looks) < 2 else 1 / 0)
        with pytest.raises(ZeroDivisionError):
            learning.learn(Asked(**ASKED), tmp_path)
    parts = learning.learn(Asked(**ASKED), tmp_path)
    assert [(look.steps, look.reward) for look in looked] == [(look.steps, look.reward) for look in parts.run.looks]
    seconds = [look.seconds for look in looked]
    assert seconds == sorted(seconds)
    assert SlatePPO.load(whole[1] / "seed-3" / "newest").seconds == pytest.approx(seconds[-1], abs=0.1)
    assert {"scale", "value"} <= set(looked[-1].figures)


def test_the_best_of_several_seeds_is_kept_and_looked_at_with_other_luck(tmp_path: Path) -> None:
    learned = learning.learn(Asked(**(ASKED | {"seeds": 2, "steps": 120})), tmp_path)
    assert [run.seed for run in learned.runs] == [3, 4]
    assert len(set(learned.bests)) == 2
    assert learned.run.top.reward == max(learned.bests)
    kept, best = (SlatePPO.load(one).networks.state_dict()
                  for one in (tmp_path / "agent", tmp_path / f"seed-{learned.run.seed}" / "agent"))  # fmt: skip
    assert all((kept[key] == best[key]).all() for key in kept)
    assert learned.tested is not None
    assert learned.tested[0] != learned.run.top.reward
    assert learned.to_json()["best"] == learned.run.best
    assert "Best looks of 2 seeds" in (tmp_path / "report.html").read_text()


def test_stretches_take_their_shares_of_the_whole_run_and_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    env, asked = ShopVectorEnv(4, preset.frozen_shop(0)), list[int]()
    monkeypatch.setattr(stages, "probe", lambda agent, player, steps, rng: asked.append(steps) or 0)
    monkeypatch.setattr(stages, "tried", lambda agent, player, steps, rng: asked.append(steps) or 0)
    agent = SlateDQN(env.single_observation_space, env.item_vectors, 10)
    agent.learn(env, 8, of=9000)
    assert asked == [9000, 9000]
    assert agent._exploring() > 0.9 * 0.2 or agent.reading is None  # it falls over the run, not over the stretch
    before = agent.steps
    assert agent.learn(env, 100_000, minutes=1e-9) == []
    assert agent.steps == before


def test_minutes_are_those_of_all_seeds_together(tmp_path: Path) -> None:
    learned = learning.learn(Asked(**(ASKED | {"steps": 10**6, "minutes": 1e-4, "seeds": 2})), tmp_path)
    assert [run.stopped for run in learned.runs] == ["minutes", "minutes"]
    assert all(run.looks[-1].steps < 10_000 for run in learned.runs)


def test_learning_ends_where_nothing_gets_better() -> None:
    looks = [Look(n, 1.0, reward, 0.1, None, {}) for n, reward in enumerate([1.0, 3.0, 2.0, 2.5])]
    assert learning._due(Asked(patience=2), looks, 0.0, 0.0) == "patience"
    assert learning._due(Asked(patience=3), looks, 0.0, 0.0) is None
    assert learning.curve(looks).startswith("held out ▁█")


@pytest.mark.parametrize("wrong", [{"agent": "pop"}, {"env": "moon"}, {"steps": 0}, {"minutes": -1.0}, {"seeds": 0}])
def test_what_cannot_be_asked_is_said(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="AGENT-11"):
        Asked(**wrong).check()


def test_a_run_does_not_go_on_where_data_are_others(
    whole: tuple[learning.Learned, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grounds.Simulated, "mark", {"data": "of another day"})
    with pytest.raises(UsageError, match="of another day"):
        learning.learn(Asked(**ASKED), whole[1])


def test_a_folder_with_another_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "seed-1").mkdir()
    learning._note(tmp_path / "seed-1", Asked(agent="dqn").run, [Look(1, 1.0, 1.0, 1.0, None, {})])
    with pytest.raises(UsageError, match="AGENT-11"):
        learning.learn(Asked(seed=0), tmp_path)
    with pytest.raises(UsageError, match="AGENT-15"):
        Asked(agent="iql", env="sim", dials=True).check()
