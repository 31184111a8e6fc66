"""Values of DQN by hand: whose argmax a target takes, what dueling subtracts; and what PPO's slots brought."""

import numpy as np
import pytest
from gymnasium import spaces

torch = pytest.importorskip("torch")

from paretail.policy.agents import SlateDQN, SlatePPO  # noqa: E402
from paretail.policy.agents.replay import Batch  # noqa: E402
from paretail.policy.agents.sessions import Round  # noqa: E402

#: Advantages of three actions, by the current network and by the target network, and values of the state.
NOW, THEN, V_NOW, V_THEN = [1.0, 5.0, 0.0], [2.0, 3.0, 7.0], 0.5, 10.0


def _agent(**config: bool) -> SlateDQN:
    """Return an agent without a model of clicks, whose networks say the same numbers in every state."""
    agent = SlateDQN(spaces.Box(0, 1, (2,)), np.eye(3), 1, {"dim": 4, "groups": 0, **config})
    for q, advantages, value in ((agent.networks["q"], NOW, V_NOW), (agent.target, THEN, V_THEN)):
        with torch.no_grad():
            for weight in [*q.scorer.parameters(), *q.value.parameters()]:
                weight.zero_()
            q.scorer.user[-1].bias.copy_(torch.linalg.solve(q.scorer.phi, torch.tensor(advantages)))
            q.value.value[-1].bias.fill_(value)
    return agent


def _target(agent: SlateDQN, monkeypatch: pytest.MonkeyPatch) -> tuple[float, float]:
    """Return Q of the action 0 and the value of the state after it, as they reach the loss."""
    state = {name: np.zeros((1, *shape), np.float32) for name, shape in _shapes(agent).items()}
    state["rows"] = np.full_like(state["rows"], -1)
    one = np.ones(1, np.float32)
    batch = Batch(state, state, np.array([[0]]), np.zeros((1, 1), np.float32), 0.25 * one, 0.5 * one)
    seen = []
    monkeypatch.setattr(agent, "_error", lambda q, r, d, v: seen.append((q, r + d * v)) or q.sum())
    with torch.no_grad():
        agent._loss(batch)
    q, target = seen[0]
    return float(q), float(target)


def _shapes(agent: SlateDQN) -> dict[str, tuple[int, ...]]:
    memory = agent.memory(1)
    return {"obs": (agent.reader.width,), "aim": (0,)} | {
        name: value.shape[1:] for name, value in memory.state(False).items()
    }


@pytest.mark.parametrize("dueling", [True, False])
@pytest.mark.parametrize("double", [True, False])
def test_targets_by_hand(double: bool, dueling: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Double: the target network's value of the current one's best action (1); plain: of its own best (2)."""
    q, target = _target(_agent(double=double, dueling=dueling), monkeypatch)
    best = THEN[1] if double else THEN[2]
    assert q == pytest.approx(V_NOW + NOW[0] - dueling * np.mean(NOW), abs=1e-5)
    assert target == pytest.approx(0.25 + 0.5 * (V_THEN + best - dueling * np.mean(THEN)), abs=1e-5)


def test_with_dueling_the_mean_of_values_of_actions_is_that_of_the_state() -> None:
    """What all advantages have in common does not count: without dueling it does."""
    for dueling in (True, False):
        agent = _agent(dueling=dueling)
        state = {name: torch.zeros((3, *shape)) for name, shape in _shapes(agent).items()}
        state["rows"] = state["rows"].int() - 1
        q, seen = agent.networks["q"], agent.eyes(state)
        with torch.no_grad():
            found = agent._bound(q).value(seen, torch.arange(3)[:, None])
        assert float(found.mean()) == pytest.approx(V_NOW + (0 if dueling else np.mean(NOW)), abs=1e-5)
        assert (found - found[0]).tolist() == pytest.approx([value - NOW[0] for value in NOW], abs=1e-5)


def _played(reward: list[list[float]], clicks: np.ndarray | None, ended: list[bool], cut: list[bool]) -> Round:
    """Return a round of one lane; the state after its last step, and after a cut one, is row 3."""
    steps = len(reward)
    next_at = np.array([[3 if cut[t] or t == steps - 1 else t + 1] for t in range(steps)])
    none, yes = np.zeros((steps, 1, 3)), np.ones((steps, 1), bool)
    return Round(
        {"obs": np.zeros((steps + 1, 2))}, next_at, none.astype(int), none, clicks, np.array(reward),
        np.array(ended)[:, None], np.array(cut)[:, None], yes, ~yes,
    )  # fmt: skip


def test_advantages_of_slots_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slot's advantage counts its own share of the reward whole, and what others brought at once by `others`."""
    agent = SlatePPO(spaces.Box(0, 1, (2,)), np.eye(4), 3, {"dim": 4, "others": 0.25})
    clicks = np.array([[[1, 1, 0]], [[0, 0, 0]], [[0, 0, 1]]], np.float32)
    played = _played([[3.0], [6.0], [5.0]], clicks, [False] * 3, [False] * 3)
    brought = agent._brought(played)
    assert brought.tolist() == [[1.5, 1.5, 0], [2, 2, 2], [0, 0, 5]]
    expected = np.array([[0, 1.0, 0.5, 0]] * 4)  # of the state, then of each slot
    monkeypatch.setattr(agent, "_values", lambda states: expected)
    found = agent._by_slot(played, np.array([[10.0], [20.0], [30.0]]), brought)
    own = brought - expected[0, 1:]
    others = own.sum(1, keepdims=True) - own
    assert found == pytest.approx(np.array([[10.0], [20.0], [30.0]]) - 0.75 * others)
    unread = _played([[3.0], [6.0], [5.0]], None, [False] * 3, [False] * 3)
    assert agent._brought(unread)[0].tolist() == [1, 1, 1]
    assert agent._by_slot(unread, np.array([[10.0], [20.0], [30.0]]), brought)[1].tolist() == [20] * 3


def test_advantages_of_a_round_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rewards in units of the scale; what follows counts after a cut, not after an end, and no chain leads on."""
    agent = SlatePPO(spaces.Box(0, 1, (2,)), np.eye(4), 3, {"dim": 4, "discount": 0.5})
    monkeypatch.setattr(agent, "_values", lambda states: np.array([[1.0], [2.0], [3.0], [4.0]]))
    for ended, delta in ((True, 1 - 2), (False, 1 + 0.5 * 4 - 2)):
        monkeypatch.setattr(agent.scale, "take", lambda played, discount: 2.0)
        played = _played([[2.0], [2.0], [2.0]], None, [False, ended, False], [False, not ended, False])
        found, returns, scale = agent._advantages(played, 0.8)
        first = 1 + 0.5 * 2 - 1 + 0.5 * 0.8 * delta
        assert found[:, 0] == pytest.approx([first, delta, 1 + 0.5 * 4 - 3])
        assert returns[:, 0] == pytest.approx(found[:, 0] + [1, 2, 3])
        assert scale == 2.0
