"""Learning in the simulated shop: the best agent is kept, a run goes on exactly where it was, bad requests are said."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("gymnasium")

from paretail.core.errors import UsageError
from paretail.core.rng import rng_for
from paretail.pipeline import learning
from paretail.pipeline.learning import Asked, Look
from paretail.policy.agents import SlatePPO
from paretail.sim import preset
from paretail.sim.truth import SimConfig, grow
from paretail.sim.visits import Visits

ASKED: dict[str, Any] = {"steps": 240, "stretch": 120, "visits": 20, "seed": 3}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = grow(SimConfig(users=40, items=60), rng_for("sim/truth", 0))
    monkeypatch.setattr(preset, "frozen_shop", lambda seed: Visits(truth, preset.HABITS))


def test_a_run_in_two_parts_ends_as_one_in_a_single_part(tmp_path: Path) -> None:
    whole = learning.learn(Asked(**ASKED), tmp_path / "whole")
    learning.learn(Asked(**(ASKED | {"steps": 120})), tmp_path / "parts")
    parts = learning.learn(Asked(**ASKED), tmp_path / "parts")
    assert [(look.steps, look.reward) for look in whole.looks] == [(look.steps, look.reward) for look in parts.looks]
    assert len(whole.looks) == 2
    weights = [SlatePPO.load(tmp_path / name / "newest").networks.state_dict() for name in ("whole", "parts")]
    assert all((weights[0][key] == weights[1][key]).all() for key in weights[0])
    best = max(look.reward for look in whole.looks)
    assert whole.looks[whole.best].reward == best
    page = (tmp_path / "whole" / "report.html").read_text()
    assert f"{best:.2f}" in page
    assert "reward of held-out visits" in page
    assert "For comparison: rested" in page


def test_a_run_that_was_stopped_between_its_files_goes_on_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = learning.learn(Asked(**ASKED), tmp_path / "whole")
    learning.learn(Asked(**(ASKED | {"steps": 120})), tmp_path / "parts")
    with monkeypatch.context() as killed:
        killed.setattr(learning, "_note", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            learning.learn(Asked(**ASKED), tmp_path / "parts")
    parts = learning.learn(Asked(**ASKED), tmp_path / "parts")
    assert [(look.steps, look.reward) for look in whole.looks] == [(look.steps, look.reward) for look in parts.looks]
    seconds = [look.seconds for look in whole.looks]
    assert seconds == sorted(seconds)
    assert SlatePPO.load(tmp_path / "whole" / "newest").seconds == pytest.approx(seconds[-1], abs=0.1)
    assert {"scale", "value"} <= set(whole.looks[-1].figures)


def test_learning_ends_where_nothing_gets_better() -> None:
    looks = [Look(n, 1.0, reward, 0.1, None, {}) for n, reward in enumerate([1.0, 3.0, 2.0, 2.5])]
    assert learning._due(Asked(patience=2), looks, 0.0) == "patience"
    assert learning._due(Asked(patience=3), looks, 0.0) is None
    assert learning.curve(looks).startswith("held out ▁█")


@pytest.mark.parametrize("wrong", [{"agent": "pop"}, {"env": "moon"}, {"steps": 0}, {"minutes": -1.0}])
def test_what_cannot_be_asked_is_said(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="AGENT-11"):
        Asked(**wrong).check()


def test_a_folder_with_another_run_is_left_alone(tmp_path: Path) -> None:
    learning._note(tmp_path, Asked(seed=1), [Look(1, 1.0, 1.0, 1.0, None, {})])
    with pytest.raises(UsageError, match="AGENT-11"):
        learning.learn(Asked(seed=2), tmp_path)
