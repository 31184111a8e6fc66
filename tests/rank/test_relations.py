"""Task relations: the covariance that makes the penalty least, its gradient, and tasks that are alike."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from paretail.rank.learned.relations import covariance, penalty  # noqa: E402  # torch may be missing


def drawn(seed: int = 0, numbers: int = 7, tasks: int = 3) -> "torch.Tensor":
    return torch.tensor(np.random.default_rng(seed).normal(size=(numbers, tasks)), requires_grad=True)


def test_the_penalty_is_the_squared_sum_of_singular_values() -> None:
    w = drawn()
    assert float(penalty(w).detach()) == pytest.approx(np.linalg.svd(w.detach().numpy(), compute_uv=False).sum() ** 2)


def test_no_other_covariance_of_trace_one_makes_it_less() -> None:
    w = drawn().detach()
    least, rng = float(penalty(w)), np.random.default_rng(1)
    assert float(covariance(w).trace()) == pytest.approx(1)
    for _ in range(200):
        other = np.cov(rng.normal(size=(3, 6)))
        other /= np.trace(other)
        assert np.trace(w.numpy() @ np.linalg.inv(other) @ w.numpy().T) > least


def test_its_gradient_is_that_of_the_whole() -> None:
    w = drawn()
    penalty(w).backward()
    (torch.linalg.svdvals(free := drawn()).sum() ** 2).backward()
    torch.testing.assert_close(w.grad, free.grad)


def test_tasks_with_like_weights_covary() -> None:
    w = drawn().detach()
    w[:, 1], w[:, 2] = 2 * w[:, 0] + 0.01 * w[:, 1], -w[:, 2]
    found = covariance(w).numpy()
    length = np.sqrt(np.diag(found))
    assert (found / np.outer(length, length))[0, 1] > 0.95
    assert abs((found / np.outer(length, length))[0, 2]) < 0.6


def test_a_task_without_weights_breaks_nothing() -> None:
    w = torch.zeros(5, 3)
    w[:, 0] = 1.0
    assert penalty(w).isfinite()
    assert penalty(torch.zeros(5, 3)).isfinite()
