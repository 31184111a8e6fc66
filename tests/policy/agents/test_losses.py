"""Losses and returns against values worked out by hand."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("gymnasium")

from paretail.policy.agents.losses import gae, n_step, ratio_loss, reinforce_loss, slate_q, td_loss  # noqa: E402


def test_td_loss_is_square_near_the_target_and_straight_far_from_it() -> None:
    q, r, d, v = (torch.tensor(values) for values in ([1.0, 0.0], [1.0, 2.0], [0.5, 0.0], [1.0, 9.0]))
    # targets 1.5 and 2: errors .5 and 2, Huber .125 and 1.5
    assert float(td_loss(q, r, d, v)) == pytest.approx((0.125 + 1.5) / 2)


def test_td_loss_moves_q_alone() -> None:
    q, v = torch.tensor([0.0], requires_grad=True), torch.tensor([1.0], requires_grad=True)
    td_loss(q, torch.tensor([0.5]), torch.tensor([0.5]), v).backward()
    assert v.grad is None
    assert float(q.grad) == pytest.approx(-1.0)


def test_n_step_sums_until_a_session_or_its_record_ends() -> None:
    r = np.array([[1.0], [2.0], [4.0], [8.0]])
    d = np.array([[0.5], [0.0], [0.5], [0.5]])  # the session ends with the second step
    total, left, used = n_step(r, d, np.array([[True], [False], [True], [True]]), 3)
    assert total[:, 0].tolist() == [1 + 0.5 * 2, 2, 4 + 0.5 * 8, 8]
    assert left[:, 0].tolist() == [0.0, 0.0, 0.25, 0.5]
    assert used[:, 0].tolist() == [2, 1, 2, 1]


def test_n_step_of_one_is_the_reward() -> None:
    r, d = np.ones((3, 2)), np.full((3, 2), 0.9)
    total, left, used = n_step(r, d, np.ones((3, 2), bool), 1)
    assert (total == r).all()
    assert (left == d).all()
    assert (used == 1).all()


def test_gae_by_hand() -> None:
    r, d = np.array([[1.0], [1.0], [1.0]]), np.array([[0.5], [0.0], [0.5]])
    v, after = np.array([[1.0], [2.0], [3.0]]), np.array([[2.0], [9.0], [4.0]])
    found = gae(r, d, v, after, np.array([[True], [False], [True]]), 0.8)
    last = 1 + 0.5 * 4 - 3
    second = 1 - 2
    assert found[:, 0].tolist() == pytest.approx([1 + 0.5 * 2 - 1 + 0.5 * 0.8 * second, second, last])


def test_ratios_beyond_the_clip_bring_no_gradient() -> None:
    log_p = torch.log(torch.tensor([0.9, 0.1, 0.5], dtype=torch.float64)).requires_grad_()
    then = torch.log(torch.tensor([0.5, 0.5, 0.5], dtype=torch.float64))
    loss = ratio_loss(log_p, then, torch.tensor([1.0, -1.0, 2.0], dtype=torch.float64), 0.2)
    assert loss.item() == pytest.approx(-(1.2 - 0.8 + 2.0) / 3)
    loss.backward()
    assert log_p.grad.tolist() == pytest.approx([0.0, 0.0, -2 / 3])


def test_reinforce_climbs_the_advantage() -> None:
    log_p = torch.tensor([-1.0, -2.0], requires_grad=True)
    reinforce_loss(log_p, torch.tensor([3.0, -1.0])).backward()
    assert log_p.grad.tolist() == [-1.5, 0.5]


def test_slate_q_is_the_mean_over_choices() -> None:
    v, q = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 6.0]])
    assert float(slate_q(v, q, torch.tensor([1.0]), torch.tensor([1.0]))) == pytest.approx((3 + 12 + 1) / 4)
