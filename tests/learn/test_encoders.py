"""The Transformer encoder: what may not see what, padding, order, time, and how many weights it has."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from pydantic import ValidationError
from torch import Tensor

from paretail.learn import device
from paretail.learn.encoders import Encoder, EncoderConfig, buckets_of, last_of, mask_of, turned, waves

POSITIONS = ["learned", "sinusoidal", "rotary", "none"]
USERS, LENGTH, DIM = 3, 7, 16


def _encoder(**settings: Any) -> Encoder:
    config = EncoderConfig(**{"dim": DIM, "heads": 4, "length": 12, "dropout": 0.0, **settings})
    with device.seeded("tests/encoder", 0):
        encoder = Encoder(config)
        for param in encoder.parameters():
            torch.nn.init.normal_(param, std=0.3)  # large enough for a difference to be seen
    return encoder.eval()


def _tokens(length: int = LENGTH, seed: int = 0) -> Tensor:
    return torch.randn(USERS, length, DIM, generator=device.generator_for("tests/tokens", seed))


def _real(*counts: int, left: bool = False, length: int = LENGTH) -> Tensor:
    real = torch.arange(length) < torch.tensor(counts)[:, None]
    return real.flip(1) if left else real


ALL = _real(LENGTH, LENGTH, LENGTH)


@pytest.mark.parametrize("positions", POSITIONS)
def test_a_causal_token_sees_nothing_that_comes_later(positions: str) -> None:
    encoder, before = _encoder(positions=positions, gap_buckets=5), _tokens()
    gaps = torch.arange(LENGTH).clamp(max=4).expand(USERS, -1)
    after, changed = before.clone(), gaps.clone()
    after[:, 4], changed[:, 5] = 9.0, 1
    first, second = encoder(before, ALL, gaps), encoder(after, ALL, changed)
    torch.testing.assert_close(first[:, :4], second[:, :4])
    assert (first[:, 4:] - second[:, 4:]).abs().amax(-1).min() > 1e-3
    shorter = encoder(before[:, :4], ALL[:, :4], gaps[:, :4])
    torch.testing.assert_close(first[:, :4], shorter)


def test_without_the_causal_mask_every_token_sees_every_other() -> None:
    encoder, before = _encoder(causal=False, layers=1), _tokens().requires_grad_()
    for place in range(LENGTH):
        (gradient,) = torch.autograd.grad(encoder(before, ALL)[0, place].square().sum(), before)
        assert gradient[0].abs().amax(-1).min() > 0
        assert gradient[1:].abs().max() == 0  # nobody sees another user


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("causal", [True, False])
def test_padding_changes_nothing_whatever_stands_in_it_and_on_which_side(positions: str, causal: bool) -> None:
    encoder, tokens = _encoder(positions=positions, causal=causal), _tokens()
    alone = encoder(tokens[:1, :3], ALL[:1, :3])[0]
    for left in (False, True):
        real = _real(3, LENGTH, 0, left=left)
        padded = tokens.clone()
        place = slice(LENGTH - 3, None) if left else slice(3)
        padded[0] = 1e6
        padded[0, place] = tokens[0, :3]
        out = encoder(padded, real)
        torch.testing.assert_close(out[0, place], alone)
        assert out[~real].abs().max() == 0


@pytest.mark.parametrize("positions", POSITIONS)
def test_an_empty_history_is_finite_and_its_gradients_are_too(positions: str) -> None:
    encoder, tokens = _encoder(positions=positions), _tokens().requires_grad_()
    out = encoder(tokens, _real(0, 0, 2))
    out.square().sum().backward()
    assert out[:2].abs().max() == 0
    assert tokens.grad is not None
    assert torch.isfinite(tokens.grad).all()
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters() if p.grad is not None)


@settings(deadline=None, max_examples=15)
@given(st.permutations(range(LENGTH)))
def test_without_positions_and_mask_permuted_tokens_give_permuted_outputs(order: list[int]) -> None:
    encoder, tokens = _encoder(positions="none", causal=False), _tokens()
    torch.testing.assert_close(encoder(tokens[:, order], ALL), encoder(tokens, ALL)[:, order])


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
def test_positions_make_order_matter(positions: str) -> None:
    encoder, tokens = _encoder(positions=positions, causal=False), _tokens()
    swapped = tokens[:, [1, 0, *range(2, LENGTH)]]
    assert (encoder(swapped, ALL)[:, 2:] - encoder(tokens, ALL)[:, 2:]).abs().max() > 1e-3


def test_rotary_products_depend_on_the_distance_alone() -> None:
    q, k, table = torch.randn(8), torch.randn(8), waves(30, 8)
    products = [float(turned(q, table[p]) @ turned(k, table[p + 3])) for p in (0, 4, 26)]
    assert products == pytest.approx([products[0]] * 3, abs=1e-5)
    assert turned(q, table[0]).tolist() == q.tolist()
    assert turned(q, table[17]).norm().item() == pytest.approx(q.norm().item(), rel=1e-5)


def test_waves_are_sines_and_cosines() -> None:
    table = waves(4, 4)
    assert table[0].tolist() == [0, 0, 1, 1]
    expected = torch.tensor([3.0, 0.03]).double()
    torch.testing.assert_close(table[3].double(), torch.cat([expected.sin(), expected.cos()]), rtol=0, atol=1e-7)
    assert waves(5, 3).shape == (5, 3)


@pytest.mark.parametrize(
    ("dim", "layers", "widening", "length", "gaps"), [(16, 2, 4, 12, 0), (32, 3, 2, 50, 28), (8, 0, 1, 5, 0)]
)
def test_the_number_of_weights_is_the_sum_of_its_parts(
    dim: int, layers: int, widening: int, length: int, gaps: int
) -> None:
    sizes = {"dim": dim, "layers": layers, "widening": widening, "length": length, "gap_buckets": gaps}
    counts = {p: sum(w.numel() for w in Encoder(EncoderConfig(**sizes, positions=p)).parameters()) for p in POSITIONS}
    attention, wide = 4 * dim * dim + 4 * dim, 2 * widening * dim * dim + widening * dim + dim
    plain = layers * (attention + wide + 4 * dim) + 2 * dim + gaps * dim
    assert counts == {"learned": plain + length * dim, "sinusoidal": plain, "rotary": plain, "none": plain}


def test_dropout_acts_while_training_only() -> None:
    encoder, tokens = _encoder(dropout=0.5), _tokens()
    assert torch.equal(encoder(tokens, ALL), encoder(tokens, ALL))
    encoder.train()
    assert not torch.equal(encoder(tokens, ALL), encoder(tokens, ALL))


def test_seen_by_whom_by_hand() -> None:
    seen = mask_of(torch.tensor([[True, True, False]]), causal=True)[0, 0]
    assert seen.int().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    seen = mask_of(torch.tensor([[False, True, True]]), causal=False)[0, 0]
    assert seen.int().tolist() == [[1, 1, 1], [0, 1, 1], [0, 1, 1]]


def test_buckets_of_time_by_hand() -> None:
    ts_ms = torch.tensor([[0, 0, 1000, 4000, 5_000_000_000_000], [9000, 8000, 9500, 9500, 9500]])
    real = torch.tensor([[False, True, True, True, True], [True, True, True, True, False]])
    assert buckets_of(ts_ms, real, 28).tolist() == [[0, 0, 2, 3, 27], [0, 1, 2, 1, 0]]


def test_the_last_real_token_on_either_side() -> None:
    tokens = _tokens()
    right, left = _real(3, 7, 1), _real(3, 7, 1, left=True)
    assert torch.equal(last_of(tokens, right), tokens[[0, 1, 2], [2, 6, 0]])
    assert torch.equal(last_of(tokens, left), tokens[:, -1])
    encoded = _encoder()(tokens, _real(0, 1, 2))
    assert last_of(encoded, _real(0, 1, 2))[0].abs().max() == 0


def test_wrong_settings_and_inputs_are_refused() -> None:
    with pytest.raises(ValidationError, match="3 heads do not divide 16"):
        EncoderConfig(dim=16, heads=3)
    with pytest.raises(ValidationError, match="even length"):
        EncoderConfig(dim=9, heads=3, positions="rotary")
    with pytest.raises(ValueError, match="13 tokens in a row, but `length` is 12"):
        _encoder()(_tokens(13), _real(1, 1, 1, length=13))
    with pytest.raises(ValueError, match="gaps must be given"):
        _encoder(gap_buckets=3)(_tokens(), ALL)
    with pytest.raises(ValueError, match="gaps must be given"):
        _encoder()(_tokens(), ALL, torch.zeros(USERS, LENGTH, dtype=torch.int64))
    with pytest.raises(TypeCheckError, match="real"):
        _encoder()(_tokens(), ALL[:, 1:])
    with pytest.raises(TypeCheckError, match="real"):
        _encoder()(_tokens(), ALL.int())
