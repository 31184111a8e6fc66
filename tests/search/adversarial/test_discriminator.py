"""The discriminator learns an order from pairs, and each of its parts can be left out."""

import numpy as np
import pytest
import torch

from paretail.search.adversarial.discriminator import Discriminator, Evidence, Judging, judge, train

HOW = Judging(steps=60, lr=1e-2, weight_decay=0.01, adversarial=0.3, ranking=1.0, penalty=0.3)


@pytest.fixture
def seen() -> Evidence:
    draw = np.random.default_rng(0)
    rows = draw.integers(0, 2, size=(50, 8)).astype(np.float32)
    scores = rows @ np.arange(8, dtype=np.float32) - 14
    made = draw.integers(0, 2, size=(30, 8)).astype(float)
    return Evidence.of(rows, scores / 8, np.argsort(-scores)[:10], made)


def critic(spectral: bool = False, members: int = 3) -> Discriminator:
    return Discriminator(8, members, 16, spectral, seed=1)


def test_it_learns_the_order_of_what_it_never_saw(seen: Evidence) -> None:
    judging = critic()
    train(judging, seen, HOW, seed=0)
    rows = np.random.default_rng(9).integers(0, 2, size=(200, 8)).astype(float)
    mean, spread = judge(judging, rows, seen.rows.numpy())
    assert np.corrcoef(mean, rows @ np.arange(8))[0, 1] > 0.85
    assert (spread > 0).all()


@pytest.mark.parametrize("part", ["adversarial", "ranking", "penalty"])
def test_a_part_that_is_left_out_is_not_computed(seen: Evidence, part: str) -> None:
    losses = train(critic(), seen, Judging(**(HOW.__dict__ | {part: 0.0, "steps": 4})), seed=0)
    assert set(losses) - {"loss"} == {"adversarial", "ranking", "penalty"} - {part}
    nothing = Judging(**(HOW.__dict__ | {"adversarial": 0.0, "ranking": 0.0, "penalty": 0.0}))
    assert train(critic(), seen, nothing, seed=0) == {}


def test_the_penalty_holds_the_slope(seen: Evidence) -> None:
    def slope(penalty: float) -> float:
        judging = critic(members=1)
        train(judging, seen, Judging(**(HOW.__dict__ | {"penalty": penalty, "steps": 120})), seed=0)
        points = seen.rows.clone().requires_grad_()
        (found,) = torch.autograd.grad(judging(points).sum(), points)
        return float(found.norm(dim=1).mean())

    assert slope(10.0) < 0.8 * slope(0.0)


def test_a_spectral_norm_bounds_every_matrix() -> None:
    judging = critic(spectral=True)
    with torch.no_grad():
        for weight in judging.weights:
            weight.mul_(50)
        rows = torch.randn(40, 8)
        values = judging(rows)
        apart = (values[:, :20] - values[:, 20:]).abs()
    assert (apart <= 1.3 * (rows[:20] - rows[20:]).norm(dim=1)).all()  # silu is steeper than 1 by a tenth


def test_figures_do_not_depend_on_weights_and_members(seen: Evidence) -> None:
    def figures(members: int, weight: float) -> dict[str, float]:
        how = Judging(**(HOW.__dict__ | {"steps": 1, "penalty": weight, "ranking": weight, "adversarial": weight}))
        return train(critic(members=members), seen, how, seed=0)

    for name, one in figures(4, 0.3).items():
        assert figures(4, 3.0)[name] == pytest.approx(one, rel=1e-4)
        assert 0.25 < figures(64, 0.3)[name] / one < 4  # sixteen times the members


def test_its_steps_fall_along_a_cosine(seen: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = []
    true = torch.optim.AdamW.step
    monkeypatch.setattr(
        torch.optim.AdamW, "step", lambda own, *rest: rates.append(own.param_groups[0]["lr"]) or true(own, *rest)
    )
    train(critic(), seen, HOW, seed=0)
    wanted = 0.5 * HOW.lr * (1 + np.cos(np.pi * np.arange(HOW.steps) / HOW.steps))
    assert np.allclose(rates, wanted, atol=0.02 * HOW.lr)


def test_a_half_forgotten_discriminator_lies_between_what_it_was_and_a_fresh_one() -> None:
    judging, fresh = critic(), Discriminator(8, 3, 16, False, seed=5)
    before = judging.weights[0].detach().clone()
    judging.start(5, kept=0.5)
    assert torch.allclose(judging.weights[0], 0.5 * before + 0.5 * fresh.weights[0])
