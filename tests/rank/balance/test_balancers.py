"""The table, its settings and its errors; formulas by hand; balancers inside of the one step."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretail.core.errors import ConfigError
from paretail.core.rng import rng_for
from paretail.rank import RankError
from paretail.rank.balance import BALANCERS, balancer
from paretail.rank.balance.base import Balancer

DOCS = Path(__file__).resolve().parents[3] / "docs"
LOSSES = np.array([[1.0, 4.0], [0.5, 4.0], [0.4, 3.0], [0.4, 2.0]])
NO_GRAM = np.empty((0, 0))


def weights_of(asked: Balancer, losses: np.ndarray = LOSSES, gram: np.ndarray = NO_GRAM) -> np.ndarray:  # type: ignore[type-arg]
    return np.array([asked.weigh(gram, row) for row in losses])


@pytest.mark.parametrize("name", BALANCERS)
def test_a_balancer_has_its_file_its_paper_and_its_section(name: str) -> None:
    text = __import__(BALANCERS[name].__module__, fromlist=["_"]).__doc__
    assert re.search(r"arXiv:\d{4}\.\d{5}", text)
    assert "eviations" in text
    assert f"### `{name}`" in (DOCS / "balancers.md").read_text(encoding="utf-8")


def test_names_lead_to_balancers_or_to_a_list_of_them() -> None:
    assert isinstance(balancer("paretail.rank.balance.nash:Nash", ["a"]), BALANCERS["nash"])
    for name in ("nahs", "nowhere:Nothing", "paretail.rank.balance.base:Claims"):
        with pytest.raises(ConfigError, match=r"is not there.*nash.*RANK-01"):
            balancer(name, ["a"])
    with pytest.raises(ConfigError, match=r"alpa is not a setting.*did you mean 'alpha'"):
        balancer("gradnorm", ["a"], {"alpa": 1.0})


def test_a_weight_for_an_unknown_task_is_refused() -> None:
    assert balancer("weighted", ["click", "cart"], {"weights": {"cart": 3}}).weigh(None, LOSSES[0]).tolist() == [1, 3]
    with pytest.raises(ConfigError, match=r"the task 'cort'.*did you mean 'cart'.*RANK-03"):
        balancer("weighted", ["click", "cart"], {"weights": {"cort": 3.0}})


@pytest.mark.parametrize("name", ["uncertainty", "dwa", "gradnorm", "famo"])
def test_ratios_of_losses_below_zero_are_refused(name: str) -> None:
    with pytest.raises(RankError, match=r"the task 'value' is -0.2.*nash.*RANK-02"):
        balancer(name, ["click", "value"]).weigh(np.eye(2), np.array([0.3, -0.2]))


def test_uncertainty_ends_at_the_weights_that_are_best() -> None:
    asked = balancer("uncertainty", ["a", "b"], {"lr": 0.2})
    assert asked.weigh(None, np.array([1.0, 50.0])) == pytest.approx([1 / 2, 1 / 100])
    for _ in range(200):
        last = asked.weigh(None, np.array([0.2, 1e4]))
    assert last == pytest.approx([1 / 0.4, 1 / 2e4])


def test_dynamic_weight_average_by_hand() -> None:
    w = weights_of(balancer("dwa", ["a", "b"], {"window": 1, "temperature": 2.0}))
    raised = np.exp(np.array([0.5 / 1.0, 4.0 / 4.0]) / 2.0)
    np.testing.assert_allclose(w[:2], 1)
    np.testing.assert_allclose(w[2], 2 * raised / raised.sum())


def test_gradnorm_makes_weighted_lengths_follow_how_far_behind_a_task_is() -> None:
    gram = np.diag([4.0, 900.0])
    asked = balancer("gradnorm", ["a", "b"], {"alpha": 1.0, "momentum": 0.0})
    w = weights_of(asked, gram=gram)
    assert w.sum(1) == pytest.approx(np.full(4, 2.0))
    pulls = w * [2.0, 30.0]
    np.testing.assert_allclose(pulls[:, 0] / pulls[:, 1], (LOSSES[:, 0] / 1.0) / (LOSSES[:, 1] / 4.0))


def test_famo_by_hand() -> None:
    w = weights_of(balancer("famo", ["a", "b"], {"lr": 0.5, "decay": 0.1}))
    xi = np.zeros(2)
    for t, losses in enumerate(LOSSES):
        if t:
            z = np.exp(xi) / np.exp(xi).sum()
            jacobian = np.diag(z) - np.outer(z, z)
            xi = xi - 0.5 * (jacobian.T @ np.log(LOSSES[t - 1] / losses) + 0.1 * xi)
        share = np.exp(xi) / losses
        np.testing.assert_allclose(w[t], share / share.sum())


def test_aligned_weights_that_would_be_negative_are_those_of_the_nearest_point_of_the_cone() -> None:
    J = np.array([[1.0, 0.0], [20.0, 1.0]])
    values, vectors = np.linalg.eigh(J @ J.T)
    u = np.sqrt(values[0]) * vectors @ np.diag(values**-0.5) @ vectors.T @ [0.5, 0.5]
    assert u.min() < 0
    w = balancer("aligned", ["a", "b"]).weigh(J @ J.T, LOSSES[0])
    assert w[u.argmin()] == 0
    tried = np.linspace(0, 1, 2001)[:, None] * np.eye(2)[u.argmax()]
    assert np.linalg.norm((w - u) @ J) <= np.linalg.norm((tried - u) @ J, axis=1).min() + 1e-9


def test_surgery_draws_its_orders_from_its_seed() -> None:
    J = rng_for("tests/surgery", 1).standard_normal((4, 3))
    runs = {seed: balancer("pcgrad", list("abcd"), {"seed": seed}).weigh(J @ J.T, np.ones(4)) for seed in range(8)}
    again = balancer("pcgrad", list("abcd"), {"seed": 0}).weigh(J @ J.T, np.ones(4))
    assert again.tolist() == runs[0].tolist()
    assert len({tuple(w) for w in runs.values()}) > 1


@pytest.mark.parametrize("name", BALANCERS)
def test_states_are_json(name: str) -> None:
    asked = balancer(name, ["a", "b"])
    weights_of(asked, gram=np.eye(2))
    assert json.loads(json.dumps(dict(asked.state))) == asked.state


@pytest.mark.parametrize("name", BALANCERS)
def test_the_one_step_takes_each_balancer(name: str) -> None:
    torch = pytest.importorskip("torch")
    from paretail.learn.step import Losses, step

    torch.manual_seed(0)
    trunk, heads = torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)
    params = [*trunk.parameters(), *heads.parameters()]
    optimiser, asked, x = torch.optim.SGD(params, lr=1e-2), balancer(name, ["a", "b"]), torch.randn(64, 3)
    figures = []
    for _ in range(30):
        z = trunk(x)
        a, b = (heads(z) - torch.stack([x[:, 0], 1 - x[:, 1]], 1)).square().mean(0)
        figures.append(step(Losses({"a": a, "b": b}, shared=(z,)), params, optimiser, asked))
    assert all(figures[-1][f"loss/{task}"] < figures[0][f"loss/{task}"] for task in "ab")


@pytest.mark.parametrize("name", [name for name, one in BALANCERS.items() if one.claims.scale_invariant])
def test_a_prior_counts_the_same_in_whatever_unit_a_loss_is(name: str) -> None:
    torch = pytest.importorskip("torch")
    from paretail.learn.step import Losses, step

    def direction(scale: float) -> Any:
        w = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64, requires_grad=True)
        asked, moved = balancer(name, ["a", "b"]), []
        for _ in range(2):
            losses = {"a": (w - 1).square().sum(), "b": scale * (w + torch.arange(3)).square().sum()}
            step(Losses(losses, (), w.abs().sum(), {"b": scale}), [w], torch.optim.SGD([w], lr=0.0), asked)
            moved.append(w.grad / w.grad.norm())
        return torch.stack(moved)

    torch.testing.assert_close(direction(1000.0), direction(1.0), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["mgda", "upgrad"])
def test_descent_ends_on_the_pareto_segment(name: str) -> None:
    torch = pytest.importorskip("torch")
    from paretail.learn.step import step

    ends = torch.tensor([[1.0, 0.0, 2.0], [-1.0, 3.0, 0.0]], dtype=torch.float64)
    for seed in range(3):
        start = rng_for("tests/quadratics", seed).uniform(-5, 5, 3)
        x = torch.nn.Parameter(torch.from_numpy(start))
        optimiser, asked = torch.optim.SGD([x], lr=0.1), balancer(name, ["a", "b"])
        for _ in range(150):
            step({"a": (x - ends[0]).square().sum(), "b": (x - ends[1]).square().sum()}, [x], optimiser, asked)
        along, from_start = (ends[1] - ends[0]).numpy(), x.detach().numpy() - ends[0].numpy()
        t = np.clip(from_start @ along / (along @ along), 0, 1)
        assert np.linalg.norm(from_start - t * along) < 1e-3


def test_the_bargain_keeps_its_direction_when_a_loss_is_multiplied_by_a_thousand_and_the_sum_does_not() -> None:
    J, units = rng_for("tests/thousand", 0).standard_normal((3, 6)), np.array([1000.0, 1.0, 1.0])

    def direction(name: str, J: np.ndarray) -> np.ndarray:
        d = balancer(name, list("abc")).weigh(J @ J.T, np.ones(3)) @ J
        return np.asarray(d / np.linalg.norm(d))

    other = units[:, None] * J
    assert direction("nash", J) @ direction("nash", other) > 0.9999
    assert direction("weighted", J) @ direction("weighted", other) < 0.9
