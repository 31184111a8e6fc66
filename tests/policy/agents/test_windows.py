"""Learned encoders of a session: the order of events is seen, empty steps are not, gradients reach every weight."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from paretail.policy.agents import AGENTS  # noqa: E402
from paretail.policy.agents.config import AgentConfig  # noqa: E402
from paretail.policy.agents.items import items_of  # noqa: E402
from paretail.policy.agents.windows import Window  # noqa: E402

from .worlds import TwoStates  # noqa: E402

ENCODERS = ["gru", "transformer"]
#: Steps of two slots, newest first, as the memory keeps them.
ROWS = torch.tensor([[3, 1, 0, 2, 5, 4, -1, -1]], dtype=torch.int32)
CLICKED = torch.tensor([[1, 0, 0, 0, 0, 1, 0, 0]], dtype=torch.int32)


def _window(encoder: str, steps: int = 4) -> Window:
    torch.manual_seed(0)
    config = AgentConfig(encoder=encoder, dim=8, window=steps, kept=8)
    vectors = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    return Window(items_of(vectors, 3, 0), 2, config)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_order_of_steps_and_their_clicks_change_the_state(encoder: str) -> None:
    window = _window(encoder)
    with torch.no_grad():
        state = window(ROWS, CLICKED)
        turned = torch.tensor([2, 3, 0, 1, 4, 5, 6, 7])  # the two newest steps change places
        oldest = torch.tensor([0, 1, 4, 5, 2, 3, 6, 7])
        for other in (
            window(ROWS[:, turned], CLICKED[:, turned]), window(ROWS[:, oldest], CLICKED[:, oldest]),
            window(ROWS, torch.zeros_like(CLICKED)),
        ):  # fmt: skip
            assert float((other - state).abs().max()) > 1e-5
        within = torch.tensor([1, 0, 2, 3, 4, 5, 6, 7])  # a step is a sum over its slots
        assert torch.allclose(window(ROWS[:, within], CLICKED[:, within]), state, atol=1e-6)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_steps_before_the_session_and_beyond_the_window_tell_nothing(encoder: str) -> None:
    short = _window(encoder, 2)
    with torch.no_grad():
        beyond = ROWS.clone()
        beyond[:, 4:6] = torch.tensor([2, 2])
        assert torch.equal(short(ROWS, CLICKED), short(beyond, CLICKED))
        window, padded = _window(encoder), CLICKED.clone()
        padded[:, 6:] = 1  # of a step that never was
        assert torch.allclose(window(ROWS, CLICKED), window(ROWS, padded), atol=1e-6)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("name", ["dqn", "ppo"])
def test_learning_reaches_every_weight_of_the_encoders(name: str, encoder: str) -> None:
    settings = {"dim": 8, "encoder": encoder, "window": 4, "kept": 4, "round_steps": 32}
    agent = AGENTS[name](
        TwoStates().observation_space, config=settings | {{"dqn": "updates", "ppo": "epochs"}[name]: 1}
    )
    agent.learn(TwoStates(), 16)
    before = {key: value.clone() for key, value in agent.networks.state_dict().items() if ".window." in key}
    assert len({key.split(".window.")[0] for key in before}) == 2  # that of scores and that of values
    agent.learn(TwoStates(), 32)
    after = agent.networks.state_dict()
    assert not [key for key, value in before.items() if torch.equal(value, after[key])]
