"""The one optimiser step: against steps computed by hand, and against what is asked of it in odd cases."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from paretail.learn import LearnError
from paretail.learn.step import Losses, step

SOURCE = Path(__file__).resolve().parents[2] / "src" / "paretail"
X = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]])
Y = np.array([1.0, -2.0, 0.5])
START = np.array([0.3, -0.2])


def _gradient(w: np.ndarray) -> np.ndarray:
    """Of the mean of (Xw - y)^2, by hand."""
    return 2 * X.T @ (X @ w - Y) / len(Y)


def _loss(w: torch.Tensor) -> torch.Tensor:
    return (torch.tensor(X) @ w - torch.tensor(Y)).square().mean()


def _weights() -> nn.Parameter:
    return nn.Parameter(torch.tensor(START))


def test_two_steps_of_sgd_equal_those_by_hand() -> None:
    w, hand = _weights(), START
    optimiser = torch.optim.SGD([w], lr=0.1)
    for _ in range(2):
        step(_loss(w), [w], optimiser)
        hand = hand - 0.1 * _gradient(hand)
        np.testing.assert_allclose(w.detach(), hand, rtol=0, atol=1e-6)


@pytest.mark.parametrize("fused", [False, True])
def test_two_steps_of_adam_equal_those_by_hand(fused: bool) -> None:
    w, hand, m, v = _weights(), START, np.zeros(2), np.zeros(2)
    optimiser = torch.optim.Adam([w], lr=0.01, betas=(0.9, 0.999), eps=1e-8, fused=fused)
    for t in (1, 2):
        step(_loss(w), [w], optimiser)
        g = _gradient(hand)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        hand = hand - 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        np.testing.assert_allclose(w.detach(), hand, rtol=0, atol=1e-6)


def test_a_step_tells_its_losses_and_the_norm() -> None:
    w = _weights()
    told = step({"a": _loss(w), "b": w.sum()}, [w], torch.optim.SGD([w], lr=0.1))
    residual = X @ START - Y
    assert told["loss/a"] == pytest.approx((residual**2).mean())
    assert told["loss/b"] == pytest.approx(START.sum())
    assert told["loss"] == pytest.approx(told["loss/a"] + told["loss/b"])
    assert told["grad_norm"] == pytest.approx(np.linalg.norm(_gradient(START) + 1))
    assert told["weight/a"] == told["weight/b"] == 1
    assert set(step(_loss(w), [w], torch.optim.SGD([w], lr=0.1))) == {"loss", "grad_norm"}


def test_clipping_bounds_the_move() -> None:
    w = _weights()
    told = step(_loss(w), [w], torch.optim.SGD([w], lr=1.0), clip=0.5)
    g = _gradient(START)
    assert told["grad_norm"] == pytest.approx(np.linalg.norm(g))
    assert told["grad_norm"] > 0.5
    np.testing.assert_allclose(w.detach(), START - 0.5 * g / np.linalg.norm(g), atol=1e-6)


def test_stale_gradients_of_params_and_of_the_optimiser_are_cleared() -> None:
    w, other = _weights(), nn.Parameter(torch.ones(2, dtype=torch.float64))
    w.grad, other.grad = torch.full_like(w, 7.0), torch.full_like(other, 7.0)
    step(_loss(w), [w], torch.optim.SGD([w, other], lr=0.1))
    np.testing.assert_allclose(w.detach(), START - 0.1 * _gradient(START), atol=1e-12)
    assert other.grad is None
    assert torch.equal(other, torch.ones(2))


def test_only_the_given_params_get_gradients() -> None:
    w, frozen = _weights(), _weights()
    step(_loss(w) + _loss(frozen), [w], torch.optim.SGD([w, frozen], lr=0.1))
    assert frozen.grad is None
    assert frozen.tolist() == START.tolist()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_refused_and_nothing_moves(bad: float) -> None:
    w = _weights()
    with pytest.raises(LearnError, match=rf"the loss 'b' is {bad}.*Lower lr.*LEARN-03"):
        step({"a": _loss(w), "b": w.sum() * bad}, [w], torch.optim.SGD([w], lr=0.1))
    assert w.tolist() == START.tolist()


def test_a_gradient_that_is_not_finite_is_refused_and_nothing_moves() -> None:
    w = nn.Parameter(torch.zeros(2))
    with pytest.raises(LearnError, match=r"the norm of the gradients is (inf|nan).*LEARN-03"):
        step(w.sqrt().sum(), [w], torch.optim.SGD([w], lr=0.1), clip=1.0)
    assert w.tolist() == [0, 0]


def test_losses_that_reach_no_parameter_are_refused() -> None:
    w, other = _weights(), _weights()
    with pytest.raises(ValueError, match="reach none of the parameters"):
        step(_loss(other), [w], torch.optim.SGD([w], lr=0.1))


class Fixed:
    """Weighs 3 to 1, and remembers what it was shown."""

    def __init__(self, needs_gram: bool, weights: tuple[float, ...] = (3.0, 1.0), fixed: bool = True,
                 rescales: bool = False) -> None:  # fmt: skip
        self.needs_gram, self.weights, self.fixed, self.rescales = needs_gram, weights, fixed, rescales
        self.state: dict[str, object] = {}
        self.seen: list[tuple[np.ndarray | None, np.ndarray]] = []

    def weigh(self, gram: np.ndarray | None, losses: np.ndarray) -> np.ndarray:
        self.seen.append((gram, losses))
        return np.array(self.weights)


def test_a_balance_sees_losses_and_the_gram_matrix_and_its_weights_are_used() -> None:
    w, balance = _weights(), Fixed(needs_gram=True)
    told = step({"a": _loss(w), "b": w.sum()}, [w], torch.optim.SGD([w], lr=0.1), balance)
    g, gram = _gradient(START), balance.seen[0][0]
    assert gram == pytest.approx(np.array([[g @ g, g.sum()], [g.sum(), 2.0]]))
    assert balance.seen[0][1].tolist() == [told["loss/a"], told["loss/b"]]
    assert told["loss"] == pytest.approx(3 * told["loss/a"] + told["loss/b"])
    np.testing.assert_allclose(w.detach(), START - 0.1 * (3 * g + 1), atol=1e-12)


def test_a_balance_that_needs_no_gram_matrix_gets_none() -> None:
    w, balance = _weights(), Fixed(needs_gram=False)
    step({"a": _loss(w), "b": w.sum()}, [w], torch.optim.SGD([w], lr=0.1), balance)
    assert balance.seen[0][0] is None


def test_the_gram_matrix_is_taken_at_what_the_tasks_share() -> None:
    torch.manual_seed(0)
    trunk, heads = nn.Linear(3, 4), nn.Linear(4, 2)
    balance = Fixed(needs_gram=True)
    z = trunk(torch.randn(5, 3))
    a, b = heads(z).square().mean(0)
    params = [*trunk.parameters(), *heads.parameters()]
    by_hand = torch.stack([torch.autograd.grad(loss, z, retain_graph=True)[0].flatten() for loss in (a, b)])
    expected = torch.autograd.grad(3 * a + b, params, retain_graph=True)
    step(Losses({"a": a, "b": b}, shared=(z,)), params, torch.optim.SGD(params, lr=0.0), balance)
    np.testing.assert_allclose(balance.seen[0][0], (by_hand @ by_hand.T).numpy(), rtol=1e-5)
    for param, gradient in zip(params, expected, strict=True):
        torch.testing.assert_close(param.grad, gradient)


@pytest.mark.parametrize(("part", "pulls"), [(0.5, True), (0.05, False), (0.0, False)])
def test_a_task_that_pulls_at_hardly_anything_shared_is_not_weighed_by_it(part: float, pulls: bool) -> None:
    """Two columns of a row are shared, the third task has the last: it counts as in the plain sum, as the penalty."""
    rows = torch.tensor(x := [1.0, -2.0, 0.5], dtype=torch.float64, requires_grad=True)
    row = rows.clone()
    shared, own = row[:2], row[2]
    losses = {"a": shared.square().sum() + 1, "b": (shared - 1).square().sum(), "c": part * shared[0] + own + 5}
    asked = Losses(losses, (shared,), own.square(), {}, (row,))
    a, b, c = (float(loss.detach()) for loss in losses.values())
    balance = Fixed(needs_gram=True, weights=(4.0, 2.0, 700.0), fixed=False)
    told = step(asked, [rows], torch.optim.SGD([rows], lr=0.0), balance)
    gram, by_hand = balance.seen[0][0], np.array([[2.0, -4.0], [0.0, -6.0], [part, 0.0]])
    by_hand[2] *= pulls
    np.testing.assert_allclose(gram, by_hand @ by_hand.T)
    as_plain = (4 * a + 2 * b) / (a + b)
    assert told["weight/c"] == pytest.approx(700 if pulls else as_plain)
    much = (4 * a + 2 * b + 700 * c) / (a + b + c) if pulls else as_plain
    assert told["loss"] == pytest.approx(4 * a + 2 * b + told["weight/c"] * c + much * x[2] ** 2)


@pytest.mark.parametrize(("fixed", "weights"), [(True, (0.5, 3.0)), (False, (0.5, 3.0)), (False, (100.0, 0.01))])
def test_a_penalty_counts_with_the_tasks_and_no_balance_sees_it(fixed: bool, weights: tuple[float, float]) -> None:
    """Of weights that are not set its part of the loss is what it is beside the plain sum."""
    w = _weights()
    balance = Fixed(needs_gram=True, weights=weights, fixed=fixed)
    a, b = float(_loss(w).detach()), float(START.sum())
    told = step(
        Losses({"a": _loss(w), "b": w.sum()}, penalty=w.square().sum()), [w], torch.optim.SGD([w], lr=0.0), balance
    )
    much = weights[1] if fixed else (weights[0] * a + weights[1] * b) / (a + b)
    np.testing.assert_allclose(w.grad, weights[0] * _gradient(START) + weights[1] + 2 * much * START)
    gradients = np.stack([_gradient(START), np.ones(2)])
    np.testing.assert_allclose(balance.seen[0][0], gradients @ gradients.T)
    assert told["loss"] == pytest.approx(weights[0] * a + weights[1] * b + much * (START**2).sum())


def test_a_penalty_beside_losses_below_zero_counts_as_tasks_do_in_the_mean() -> None:
    w = _weights()
    step(Losses({"a": _loss(w), "b": w.sum() - 100}, penalty=w.square().sum()), [w], torch.optim.SGD([w], lr=0.0),
         Fixed(needs_gram=False, weights=(1.0, 2.0), fixed=False))  # fmt: skip
    np.testing.assert_allclose(w.grad, _gradient(START) + 2 + 2 * 1.5 * START)


@pytest.mark.parametrize(("rescales", "scale"), [(True, 1.0), (True, 1000.0), (False, 1000.0), (True, 0.0)])
def test_what_a_loss_was_multiplied_by_says_nothing_beside_weights_that_make_up_for_it(
    rescales: bool, scale: float
) -> None:
    """Multiplied by 0 a task takes no part in what the penalty is measured by."""
    w, a, b = _weights(), float(_loss(_weights()).detach()), float(START.sum())
    weights = (2.0, 0.5 / scale if rescales and scale else 0.5)
    asked = Losses({"a": _loss(w), "b": scale * w.sum()}, penalty=w.square().sum(), scales={"b": scale})
    step(asked, [w], torch.optim.SGD([w], lr=0.0), Fixed(False, weights, fixed=False, rescales=rescales))
    much = (2 * a + 0.5 * b * (scale if not rescales else 1)) / (a + b * (scale if not rescales else 1))
    much = much if scale else 2.0
    np.testing.assert_allclose(w.grad, 2 * _gradient(START) + weights[1] * scale + 2 * much * START)


@pytest.mark.parametrize("weights", [(1.0,), (1.0, -0.1), (1.0, float("nan"))])
def test_weights_that_are_no_weights_are_refused(weights: tuple[float, ...]) -> None:
    w = _weights()
    with pytest.raises(ValueError, match="Fixed must weigh 2 tasks with numbers >= 0"):
        step({"a": _loss(w), "b": w.sum()}, [w], torch.optim.SGD([w], lr=0.1), Fixed(False, weights))


def test_a_scaler_changes_nothing_but_the_range() -> None:
    plain, scaled = nn.Parameter(torch.tensor([0.3, -0.2])), nn.Parameter(torch.tensor([0.3, -0.2]))
    x, y = torch.tensor(X, dtype=torch.float32), torch.tensor(Y, dtype=torch.float32)
    scaler = torch.amp.GradScaler("cpu")
    for w, use in ((plain, None), (scaled, scaler)):
        optimiser = torch.optim.Adam([w], lr=0.1)
        for _ in range(3):
            step((x @ w - y).square().mean(), [w], optimiser, clip=0.5, scaler=use)
    torch.testing.assert_close(plain, scaled)


def test_a_scaler_skips_a_step_that_overflows_and_lowers_its_scale() -> None:
    w = nn.Parameter(torch.tensor([1e-3]))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**120)
    told = step((w * 1e10).sum(), [w], torch.optim.SGD([w], lr=0.1), scaler=scaler)
    assert not np.isfinite(told["grad_norm"])
    assert w.item() == pytest.approx(1e-3)
    assert scaler.get_scale() == 2.0**119


def test_nothing_else_in_the_source_goes_backward_or_steps_an_optimiser() -> None:
    found = {}
    for file in SOURCE.rglob("*.py"):
        calls = [c.func for c in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(c, ast.Call)]
        names = [ast.unparse(call) for call in calls if isinstance(call, ast.Attribute)]
        bad = [n for n in names if n.endswith(".backward") or (n.endswith(".step") and "env" not in n.lower())]
        if bad:
            found[str(file.relative_to(SOURCE))] = bad
    assert found == {"learn/step.py": ["scaled.backward", "scaler.step", "optimiser.step"]}
