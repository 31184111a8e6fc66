"""The generator writes legal options, starts near uniform, and moves towards what is rewarded."""

import pytest
import torch

from paretail.search.adversarial.generator import Generator, clipped, improve, told

CHOICES = (3, 5, 1, 2)


def drawn(policy: Generator, count: int = 400, seed: int = 0) -> torch.Tensor:
    return policy.sample(count, torch.Generator().manual_seed(seed))


def test_options_are_legal_and_at_first_about_equally_frequent() -> None:
    tokens = drawn(Generator(CHOICES, 16, seed=0), 3000)
    for field, options in enumerate(CHOICES):
        counts = torch.bincount(tokens[:, field], minlength=options)
        assert len(counts) == options
        assert (counts / 3000 - 1 / options).abs().max() < 0.05


def test_probabilities_of_a_sequence_are_those_it_is_drawn_with() -> None:
    policy = Generator((2, 2), 16, seed=3)
    with torch.no_grad():
        policy.head.weight.mul_(100)
        tokens = drawn(policy, 4000)
        log_p, entropy = told(policy.logits(tokens), tokens, policy.offsets)
    both = (tokens[:, 0] == 1) & (tokens[:, 1] == 0)
    assert abs(float(both.float().mean()) - float(log_p[both][0].sum().exp())) < 0.03
    assert 0 < float(entropy) <= 1


def test_it_moves_towards_what_is_rewarded_and_the_bonus_keeps_it_from_it() -> None:
    def share(entropy: float) -> tuple[float, float]:
        policy, figures = Generator(CHOICES, 16, seed=0), {}
        for turn in range(25):
            tokens = drawn(policy, 64, turn)
            figures = improve(policy, tokens, (tokens[:, 1] == 4).double().numpy(), lr=1e-2, entropy=entropy)
        return float((drawn(policy)[:, 1] == 4).float().mean()), figures["entropy"]

    bold, held = share(0.0), share(5.0)
    assert bold[0] > 0.9
    assert held[0] < 0.5
    assert bold[1] < held[1]


def test_weights_start_orthogonal_and_the_head_small() -> None:
    policy = Generator(CHOICES, 16, seed=0)
    for layer in policy.layers:
        for part in (layer.seeing, layer.seen, layer.wide):  # [48, 16], [16, 16], [32, 16]: orthonormal columns
            assert torch.allclose(part.weight.T @ part.weight, torch.eye(16), atol=1e-5)
    assert torch.allclose(policy.head.weight @ policy.head.weight.T, 1e-4 * torch.eye(sum(CHOICES)), atol=1e-8)
    assert not policy.head.bias.any()


@pytest.mark.parametrize(
    ("gain", "ratio", "pulls"),
    [(2, 1.1, True), (2, 1.3, False), (2, 0.5, True), (-2, 0.9, True), (-2, 0.7, False), (-2, 1.5, True)],
)
def test_what_moved_by_the_clip_is_moved_no_further(gain: int, ratio: float, pulls: bool) -> None:
    moved = torch.tensor([[ratio]], requires_grad=True)
    value = clipped(moved, torch.tensor([[float(gain)]]), 0.2)
    (slope,) = torch.autograd.grad(value.sum(), moved)
    assert float(slope) == (gain if pulls else 0)
    assert float(value.detach()) <= gain * ratio + 1e-6


def test_a_restart_keeps_a_share_of_the_weights() -> None:
    policy = Generator(CHOICES, 16, seed=0)
    before, fresh = policy.places.weight.detach().clone(), Generator(CHOICES, 16, seed=5).places.weight.detach()
    policy.start(5, kept=0.5)
    assert torch.allclose(policy.places.weight, 0.5 * before + 0.5 * fresh)


def test_each_field_sees_those_before_it_and_none_after() -> None:
    policy = Generator((3, 5, 4, 2), 16, seed=0)
    with torch.no_grad():
        policy.head.weight.mul_(100)
        first = torch.zeros(1, 4, dtype=torch.int64)
        for field in range(4):
            told = policy.logits(first), policy.logits(first.index_fill(1, torch.tensor([field]), 1))
            same = [torch.equal(one, other) for one, other in zip(told[0][0], told[1][0], strict=True)]
            assert same == [place <= field for place in range(4)]
