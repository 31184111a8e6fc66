"""Estimates over sessions against the exact truth of a small tabular decision process."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from paretail.core.errors import DataError, UsageError
from paretail.evaluate.offpolicy.fitted import Transitions, fit, fitted_q
from paretail.evaluate.offpolicy.guards import Limits
from paretail.evaluate.offpolicy.sequential import SEQUENTIAL, Episodes, estimate_sessions

STATES, ACTIONS, LONGEST = 4, 3, 6


@dataclass
class World:
    """P(next | state, action) with the last state the end, mean rewards, and policies `[states, actions]`."""

    goes: np.ndarray
    pays: np.ndarray
    logging: np.ndarray
    target: np.ndarray

    @classmethod
    def drawn(cls, seed: int) -> "World":
        rng = np.random.default_rng(seed)
        goes = rng.dirichlet(np.ones(STATES + 1), (STATES, ACTIONS))
        logging = rng.dirichlet(3 * np.ones(ACTIONS), STATES) * 0.7 + 0.1
        target = 0.6 * logging + 0.4 * rng.dirichlet(np.ones(ACTIONS), STATES)
        return cls(goes, rng.random((STATES, ACTIONS)), logging, target)

    def q(self, left: int, policy: np.ndarray) -> np.ndarray:
        """Return `[left + 1, states, actions]`: the exact rest of a session with so many decisions left."""
        values = [np.zeros((STATES, ACTIONS))]
        for _ in range(left):
            v = (policy * values[-1]).sum(1)
            values.append(self.pays + self.goes[:, :, :STATES] @ v)
        return np.array(values)

    def truth(self, policy: np.ndarray) -> float:
        return float((policy * self.q(LONGEST, policy)[-1]).sum(1).mean())

    def play(self, count: int, seed: int) -> tuple[Episodes, Transitions]:
        rng, q = np.random.default_rng(seed), self.q(LONGEST, self.target)
        state, alive = rng.integers(STATES, size=count), np.ones(count, bool)
        columns: list[list[np.ndarray]] = [[], [], [], []]
        for _ in range(LONGEST):
            action = (rng.random(count)[:, None] > self.logging[state].cumsum(1)[:, :-1]).sum(1)
            reward = (rng.random(count) < self.pays[state, action]) * 1.0
            then = (rng.random(count)[:, None] > self.goes[state, action].cumsum(1)[:, :-1]).sum(1)
            for column, value in zip(columns, (state, action, reward, alive), strict=True):
                column.append(value)
            alive = alive & (then < STATES)
            state = np.where(alive, then, state)
        s, a, r, on = (np.stack(column, 1) for column in columns)
        left = np.broadcast_to(LONGEST - np.arange(LONGEST), s.shape)
        noisy = q[left, s] * (1 + 0.2 * np.sin(s))[:, :, None]  # predictions that are wrong
        episodes = Episodes(
            r, self.logging[s, a], self.target[s, a], on, q_logged=np.take_along_axis(noisy, a[..., None], 2)[..., 0],
            v_target=(self.target[s] * noisy).sum(2),
        )  # fmt: skip
        return episodes, self._features(s, a, r, on)

    def _features(self, s: np.ndarray, a: np.ndarray, r: np.ndarray, on: np.ndarray) -> Transitions:
        steps = np.broadcast_to(np.arange(LONGEST), s.shape)
        width, cell = LONGEST * STATES * ACTIONS, (steps * STATES + s) * ACTIONS
        phi, expected = np.zeros((*s.shape, width)), np.zeros((*s.shape, width))
        np.put_along_axis(phi, (cell + a)[..., None], 1.0, 2)
        np.put_along_axis(expected, cell[..., None] + np.arange(ACTIONS), self.target[s], 2)
        after = np.zeros_like(expected)
        after[:, :-1] = expected[:, 1:] * on[:, 1:, None]
        session = np.broadcast_to(np.arange(len(s))[:, None], s.shape)
        return Transitions(phi[on], after[on], r[on], session[on], expected[:, 0])


def test_all_estimates_come_near_the_exact_truth_and_intervals_hold_it() -> None:
    held: dict[str, list[bool]] = {}
    off: dict[str, list[float]] = {}
    for seed in range(40):
        world = World.drawn(seed)
        episodes, steps = world.play(1500, seed)
        truth = world.truth(world.target)
        found = {name: estimate_sessions(episodes, name) for name in SEQUENTIAL} | {"fqe": fitted_q(steps)}
        for name, one in found.items():
            assert not one.refused, name
            held.setdefault(name, []).append(one.low <= truth <= one.high)
            off.setdefault(name, []).append(one.value / truth - 1)
    for name, hits in held.items():
        assert np.mean(hits) >= 0.87, (name, np.mean(hits))
        assert abs(np.mean(off[name])) < 0.02, name
        assert np.std(off[name]) < 0.08, name
    assert np.std(off["wdr"]) < np.std(off["wpdis"])
    assert np.std(off["fqe"]) < np.std(off["pdis"])


def test_of_the_logging_policy_itself_every_estimate_is_the_mean_of_the_log() -> None:
    world = World.drawn(1)
    world.target = world.logging
    episodes, steps = world.play(400, 1)
    mean = (episodes.reward * episodes.there).sum(1).mean()
    assert estimate_sessions(episodes, "pdis").value == pytest.approx(mean)
    assert estimate_sessions(episodes, "wpdis").value == pytest.approx(mean)
    assert fitted_q(steps).value == pytest.approx(mean, rel=0.05)


def test_true_predictions_leave_little_to_luck_and_one_step_is_the_bandits_estimate() -> None:
    from paretail.evaluate.offpolicy.estimators import snips
    from paretail.evaluate.offpolicy.logged import Logged

    episodes, _ = World.drawn(2).play(1000, 2)
    one = replace(
        episodes, reward=episodes.reward[:, :1], propensity=episodes.propensity[:, :1], q_logged=None, v_target=None,
        target=episodes.target[:, :1], there=episodes.there[:, :1],
    )  # fmt: skip
    flat = Logged(one.reward[:, 0], one.propensity[:, 0], one.target[:, 0])
    assert SEQUENTIAL["wpdis"](one).value == pytest.approx(snips(flat).value)
    with pytest.raises(DataError, match="OFFP-03"):
        estimate_sessions(one, "dr")
    with pytest.raises(UsageError, match="OFFP-09"):
        estimate_sessions(one, "pids")


def test_guards_refuse_what_the_log_cannot_tell() -> None:
    world = World.drawn(3)
    world.logging = np.tile([0.98, 0.01, 0.01], (STATES, 1))
    world.target = np.tile([0.01, 0.01, 0.98], (STATES, 1))
    episodes, steps = world.play(300, 3)
    found = estimate_sessions(episodes, "wpdis")
    assert {problem.code for problem in found.refused} >= {"OFFP-05", "OFFP-06"}
    assert np.isnan(found.value)
    assert {problem.code for problem in fitted_q(steps).refused} & {"OFFP-05", "OFFP-06"}
    assert not estimate_sessions(episodes, "dr", limits=Limits(effective_sample_size=0, largest_share=1)).value > 0


def test_weights_of_fitted_q_sum_rewards_to_its_value() -> None:
    _, steps = World.drawn(4).play(500, 4)
    found = fit(steps, ridge=0.0 + 1e-12)
    assert (found.visits @ steps.reward) / len(steps.first) == pytest.approx(found.terms.value, rel=1e-6)
    assert found.q(steps.first).mean() == pytest.approx(found.terms.value, rel=1e-6)


@pytest.mark.parametrize("wrong", ["gap", "propensity", "shape", "nan"])
def test_wrong_sessions_are_said(wrong: str) -> None:
    episodes, steps = World.drawn(5).play(20, 5)
    there = episodes.there.copy()
    there[3] = [True, False, True, False, False, False]
    changes: dict[str, Any] = {
        "gap": {"there": there}, "propensity": {"propensity": episodes.propensity * 0},
        "shape": {"reward": episodes.reward[:, :2]}, "nan": {"reward": episodes.reward * np.nan},
    }  # fmt: skip
    with pytest.raises(DataError, match="OFFP-01"):
        replace(episodes, **changes[wrong])
    with pytest.raises(DataError, match="OFFP-01"):
        replace(steps, reward=steps.reward * np.nan)
