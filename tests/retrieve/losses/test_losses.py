"""Losses: values against numpy loops, gradients by finite differences, what must not matter, the logQ correction."""

from dataclasses import replace
from itertools import product
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from paretail.core.rng import rng_for
from paretail.retrieve.losses import LOSSES, Scored, contrast, fused, fused_softmax, noised
from paretail.retrieve.objective import LossConfig, LossName

CONFIG = LossConfig(temperature=0.3, margin=0.1, negative_weight=5.0, uniformity=0.7)
PAIRS, NEGS, DIM = 5, 4, 3
READS_VECTORS = {"alignment"}


def made(seed: int = 0, free: bool = True, log_q: bool = True) -> Scored:
    """Return examples in float64 with all that a loss could read."""
    rng = rng_for("tests/losses", seed)
    part = {
        "positive": rng.uniform(-1, 1, PAIRS), "negative": rng.uniform(-1, 1, (PAIRS, NEGS)),
        "weight": rng.uniform(0.1, 1, PAIRS), "users": rng.standard_normal((PAIRS, DIM)),
        "items": rng.standard_normal((PAIRS, DIM)),
    }  # fmt: skip
    told: dict[str, Any] = {name: torch.from_numpy(values) for name, values in part.items()}
    told["free"] = torch.from_numpy(rng.random((PAIRS, NEGS)) < 0.6) if free else None
    told["log_q"] = torch.from_numpy(rng.uniform(-3, 0, (PAIRS, NEGS))) if log_q else None
    return Scored(**told)


def by_hand(name: str, scored: Scored) -> float:
    """Return the loss by loops over examples and negatives."""
    weights = scored.weight.numpy()
    total = sum(weights[row] * one_by_hand(name, scored, row) for row in range(PAIRS)) / weights.sum()
    if name == "alignment":
        for side in (scored.users.numpy(), scored.items.numpy()):
            near = [np.exp(-2 * ((unit(a) - unit(b)) ** 2).sum())
                    for n, a in enumerate(side) for m, b in enumerate(side) if n != m]  # fmt: skip
            total += 0.7 * np.log(np.mean(near)) / 2
    return float(total)


def one_by_hand(name: str, scored: Scored, row: int) -> float:
    x = float(scored.positive[row])
    negs = [n for n in range(NEGS) if scored.free is None or bool(scored.free[row, n])]
    y = [float(scored.negative[row, n]) for n in negs]
    if name == "bpr":
        return float(np.mean([-np.log(sigma(x - n)) for n in y])) if y else 0.0
    if name == "softmax":
        log_q = [0.0 if scored.log_q is None else float(scored.log_q[row, n]) for n in negs]
        others = sum(np.exp(n / 0.3 - q) for n, q in zip(y, log_q, strict=True))
        return float(-np.log(np.exp(x / 0.3) / (np.exp(x / 0.3) + others)))
    if name == "bce":
        return float(-np.log(sigma(x)) - sum(np.log(1 - sigma(n)) for n in y))
    if name == "margin":
        return 1 - x + 5.0 * (float(np.mean([max(0.0, n - 0.1) for n in y])) if y else 0.0)
    return float(((unit(scored.users[row].numpy()) - unit(scored.items[row].numpy())) ** 2).sum())


def sigma(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.linalg.norm(vector))


def test_the_table_is_that_of_the_settings() -> None:
    assert set(LOSSES) == set(get_args(LossName))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_values_are_those_of_the_formula(name: LossName, bare: bool, seed: int) -> None:
    scored = made(seed, free=not bare, log_q=not bare)
    assert float(LOSSES[name](scored, CONFIG)) == pytest.approx(by_hand(name, scored))


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_by_finite_differences(name: LossName) -> None:
    scored = made(2)
    inputs = [x.clone().requires_grad_() for x in (scored.positive, scored.negative, scored.users, scored.items)]

    def loss(positive: Tensor, negative: Tensor, users: Tensor, items: Tensor) -> Tensor:
        there = replace(scored, positive=positive, negative=negative, users=users, items=items)
        return LOSSES[name](there, CONFIG)

    assert torch.autograd.gradcheck(loss, inputs)


@pytest.mark.parametrize("name", LOSSES)
def test_what_must_not_matter(name: LossName) -> None:
    """The order of examples and negatives, the scale of weights, and negatives that are not free."""
    scored, loss = made(3), LOSSES[name]
    value = float(loss(scored, CONFIG))
    order, other = torch.tensor([3, 0, 4, 1, 2]), torch.tensor([2, 0, 3, 1])
    rows = {part: getattr(scored, part)[order] for part in ("positive", "weight", "users", "items")}
    cells = {part: getattr(scored, part)[order][:, other] for part in ("negative", "free", "log_q")}
    assert float(loss(Scored(**rows, **cells), CONFIG)) == pytest.approx(value)
    assert float(loss(replace(scored, weight=7 * scored.weight), CONFIG)) == pytest.approx(value)
    hidden = torch.where(scored.free, scored.negative, 1e3)
    assert float(loss(replace(scored, negative=hidden), CONFIG)) == pytest.approx(value)


@pytest.mark.parametrize("name", LOSSES)
def test_examples_without_a_free_negative_are_finite(name: LossName) -> None:
    scored = made(4)
    nothing = replace(scored, free=torch.zeros(PAIRS, NEGS, dtype=torch.bool))
    positive, negative = scored.positive.clone().requires_grad_(), scored.negative.clone().requires_grad_()
    loss = LOSSES[name](replace(nothing, positive=positive, negative=negative), CONFIG)
    assert torch.isfinite(loss)
    if name not in READS_VECTORS:
        loss.backward()
        assert not negative.grad.any()
        assert torch.isfinite(positive.grad).all()


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in READS_VECTORS])
def test_a_step_down_parts_positive_and_negatives(name: LossName) -> None:
    scored = made(5, free=False)
    positive, negative = scored.positive.clone().requires_grad_(), (scored.negative + 1).requires_grad_()
    LOSSES[name](replace(scored, positive=positive, negative=negative), CONFIG).backward()
    assert (positive.grad < 0).all()
    assert (negative.grad >= 0).all()


def test_bpr_and_softmax_see_differences_of_scores_alone() -> None:
    scored = made(6)
    moved = replace(scored, positive=scored.positive + 2, negative=scored.negative + 2)
    for name in ("bpr", "softmax"):
        assert float(LOSSES[name](moved, CONFIG)) == pytest.approx(float(LOSSES[name](scored, CONFIG)))


def test_alignment_does_not_see_the_length_of_vectors() -> None:
    scored = made(7)
    longer = replace(scored, users=3 * scored.users, items=0.1 * scored.items)
    assert float(LOSSES["alignment"](longer, CONFIG)) == pytest.approx(float(LOSSES["alignment"](scored, CONFIG)))
    one = Scored(*(getattr(scored, part)[:1] for part in ("positive", "negative", "weight", "users", "items")))
    assert torch.isfinite(LOSSES["alignment"](one, CONFIG))


def test_a_uniform_draw_of_every_item_is_the_full_softmax() -> None:
    """With m = 1/q the correction is log 1."""
    scored = made(8, free=False, log_q=False)
    told = replace(scored, log_q=torch.zeros(1, NEGS, dtype=torch.float64))
    assert float(LOSSES["softmax"](told, CONFIG)) == pytest.approx(float(LOSSES["softmax"](scored, CONFIG)))


def test_the_corrected_sum_and_its_gradient_are_unbiased() -> None:
    """Over all outcomes of three draws of four items: E e^L is that of the full softmax, and so is its gradient."""
    x, y = torch.tensor([0.4], dtype=torch.float64), torch.tensor([0.9, -0.3, 0.2, 1.1], dtype=torch.float64)
    q, draws, plain = np.array([0.5, 0.1, 0.15, 0.25]), 3, LossConfig(temperature=0.5)
    full = y.clone().requires_grad_()
    ((full / 0.5).exp().sum() / (x / 0.5).exp()).sum().backward()
    found, gradient = 0.0, np.zeros(4)
    for drawn in product(range(4), repeat=draws):
        scores, rows = y.clone().requires_grad_(), torch.tensor(drawn)
        log_q = torch.from_numpy(np.log(draws * q))[rows][None]
        vectors = torch.zeros(1, 1, dtype=torch.float64)
        scored = Scored(x, scores[rows][None], torch.ones_like(x), vectors, vectors, log_q=log_q)
        value = LOSSES["softmax"](scored, plain).exp()
        value.backward()
        chance = float(np.prod(q[list(drawn)]))
        found, gradient = found + chance * value.item(), gradient + chance * scores.grad.numpy()
    assert found == pytest.approx(float(1 + (y / 0.5).exp().sum() / (x[0] / 0.5).exp()))
    assert gradient == pytest.approx(full.grad.numpy())


@pytest.mark.parametrize("correction", [True, False])
def test_many_draws_give_the_gradient_of_the_full_softmax_if_corrected(correction: bool) -> None:
    rng, draws = rng_for("tests/losses/draws", 0), 40_000
    y, q = torch.tensor([0.9, -0.3, 0.2, 1.1, 0.0], dtype=torch.float64), np.array([0.5, 0.1, 0.15, 0.2, 0.05])
    rows = torch.from_numpy(rng.choice(5, draws, p=q))
    scores = y.clone().requires_grad_()
    x, vectors = torch.tensor([0.4], dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    log_q = torch.from_numpy(np.log(draws * q))[rows][None]
    scored = Scored(x, scores[rows][None], torch.ones_like(x), vectors, vectors, log_q=log_q)
    LOSSES["softmax"](scored, LossConfig(temperature=1.0, correction=correction)).backward()
    full = torch.softmax(torch.cat([x, y]), 0)[1:].numpy()
    assert (np.abs(scores.grad.numpy() - full).max() < 0.01) == correction


def test_contrast_is_that_of_the_formula() -> None:
    rng = rng_for("tests/losses/contrast", 0)
    first, second = (torch.from_numpy(rng.standard_normal((6, 3))) for _ in range(2))
    cosine = lambda a, b: float(a @ b / (a.norm() * b.norm()))  # noqa: E731
    terms = [
        -np.log(np.exp(cosine(a, second[n]) / 0.2) / sum(np.exp(cosine(a, b) / 0.2) for b in second))
        for n, a in enumerate(first)
    ]
    assert float(contrast(first, second, 0.2)) == pytest.approx(np.mean(terms))
    assert float(contrast(first, first, 0.2)) < float(contrast(first, first[[1, 2, 3, 4, 5, 0]], 0.2))
    sides = [first.clone().requires_grad_(), second.clone().requires_grad_()]
    assert torch.autograd.gradcheck(lambda a, b: contrast(a, b, 0.2), sides)


def test_noise_has_its_length_and_stays_in_the_orthant() -> None:
    vectors = torch.from_numpy(rng_for("tests/losses/noise", 0).standard_normal((50, 8)))
    moved = noised(vectors, 0.1)
    assert (moved - vectors).norm(dim=1).numpy() == pytest.approx(np.full(50, 0.1))
    assert (moved.sign() == vectors.sign()).all()
    assert not torch.equal(moved, noised(vectors, 0.1))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("cells", [1 << 19, 3 * NEGS])
def test_the_fused_softmax_is_the_softmax_and_so_are_its_gradients(
    masked: bool, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused, "CELLS", cells)
    torch.manual_seed(0)
    sizes = ((PAIRS, DIM), (NEGS, DIM), (NEGS,), (PAIRS,))
    parts = [torch.randn(size, dtype=torch.float64, requires_grad=True) for size in sizes]
    users, items, offset, positive = parts
    scored = made(free=masked)
    free = scored.free
    if free is not None:
        free[0] = False  # an example without a free negative
    plain = Scored(positive, users @ items.T + offset, scored.weight, users, users, free)
    expected = LOSSES["softmax"](plain, CONFIG)
    found = fused_softmax(*parts, scored.weight, free, CONFIG.temperature)
    assert found.item() == pytest.approx(expected.item())
    for one, other in zip(torch.autograd.grad(2 * found, parts), torch.autograd.grad(2 * expected, parts), strict=True):
        torch.testing.assert_close(one, other)
