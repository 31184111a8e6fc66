"""A Transformer encoder over time-ordered tokens: pre-norm, causal or not, for users' events, sessions and slates.

    x_0 = dropout(tokens + place + gap)
    y   = x_l + attention(norm(x_l)),   x_{l+1} = y + W_2 gelu(W_1 norm(y))

Sources: A. Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762 (attention, sinusoidal positions);
R. Xiong et al., "On Layer Normalization in the Transformer Architecture", 2020, arXiv:2002.04745 (pre-norm); J. Su et
al., "RoFormer", 2021, arXiv:2104.09864 (rotary positions).
Deviations:
1. Positions count the real tokens, so that padding may stand on either side.
2. The time since the token before enters as one learned vector for each power of two of its seconds.
3. Every token sees itself, padding too, so that an empty history is finite; its outputs are 0.
"""

from typing import Literal, Self

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from paretail.core.config import Config

Tokens = Float[Tensor, "users length dim"]
Real = Bool[Tensor, "users length"]
Mask = Bool[Tensor, "users 1 length length"]


class EncoderConfig(Config):
    """Settings of the Transformer encoder."""

    dim: int = Field(64, ge=1, description="Length of a token's vector.")
    layers: int = Field(2, ge=0, description="Blocks of attention and feed-forward.")
    heads: int = Field(2, ge=1, description="Heads of attention; they divide `dim`.")
    widening: int = Field(4, ge=1, description="The feed-forward layer is so many times wider than `dim`.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of the activations dropped while training.")
    length: int = Field(50, ge=1, description="Tokens of a sequence, at most.")
    causal: bool = Field(True, description="Whether a token sees only itself and what came before.")
    positions: Literal["learned", "sinusoidal", "rotary", "none"] = Field(
        "learned", description="How a token knows its place; `rotary` turns queries and keys, so that distances count."
    )
    gap_buckets: int = Field(0, ge=0, description="Buckets of the time since the token before; 0 leaves time out.")

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.dim % self.heads:
            raise ValueError(f"heads must divide dim: {self.heads} heads do not divide {self.dim}")
        if self.positions == "rotary" and self.dim // self.heads % 2:
            raise ValueError(f"rotary positions need heads of an even length, not {self.dim // self.heads}")
        return self


class Encoder(nn.Module):
    """Turns tokens into tokens that know what stands around them."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.places = nn.Embedding(config.length, config.dim) if config.positions == "learned" else None
        self.gaps = nn.Embedding(config.gap_buckets, config.dim) if config.gap_buckets else None
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.dim)
        self.dropout = nn.Dropout(config.dropout)
        width = config.dim // config.heads if config.positions == "rotary" else config.dim
        self.register_buffer("waves", waves(config.length, width), persistent=False)
        self.waves: Tensor
        self.apply(_start)

    def forward(self, tokens: Tokens, real: Real, gaps: Int[Tensor, "users length"] | None = None) -> Tokens:
        """Return the encoded tokens, 0 where `real` is false; real tokens stand together, oldest first.

        `gaps` are buckets of time (see `buckets_of`), needed where the settings have some.
        """
        if tokens.shape[1] > self.config.length:
            raise ValueError(f"{tokens.shape[1]} tokens in a row, but `length` is {self.config.length}")
        if (gaps is None) == (self.gaps is not None):
            raise ValueError("gaps must be given if, and only if, `gap_buckets` is over 0")
        place = (real.long().cumsum(1) - 1).clamp(min=0)
        if self.places is not None:
            tokens = tokens + self.places(place)
        if self.config.positions == "sinusoidal":
            tokens = tokens + self.waves[place]
        if self.gaps is not None:
            tokens = tokens + self.gaps(gaps)
        turns = self.waves[place].unsqueeze(1) if self.config.positions == "rotary" else None
        tokens, mask = self.dropout(tokens), mask_of(real, self.config.causal)
        for block in self.blocks:
            tokens = block(tokens, mask, turns)
        encoded: Tensor = self.norm(tokens)
        return encoded.masked_fill(~real.unsqueeze(-1), 0.0)


class Block(nn.Module):
    """One layer: attention, then feed-forward, each added to its input."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        dim, wide = config.dim, config.dim * config.widening
        self.heads, self.share = config.heads, config.dropout
        self.norm_before, self.norm_between = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.asked, self.answered = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.widened, self.narrowed = nn.Linear(dim, wide), nn.Linear(wide, dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: Tokens, mask: Mask, turns: Tensor | None) -> Tokens:
        """Return the tokens after attention and feed-forward; `turns` are rotary positions."""
        tokens = tokens + self.dropout(self.answered(self._attended(self.norm_before(tokens), mask, turns)))
        wide = nn.functional.gelu(self.widened(self.norm_between(tokens)))
        out: Tensor = tokens + self.dropout(self.narrowed(wide))
        return out

    def _attended(self, tokens: Tokens, mask: Mask, turns: Tensor | None) -> Tokens:
        users, length, dim = tokens.shape
        parts = self.asked(tokens).view(users, length, 3, self.heads, dim // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        if turns is not None:
            queries, keys = turned(queries, turns), turned(keys, turns)
        share = self.share if self.training else 0.0
        found = scaled_dot_product_attention(queries, keys, values, mask, share)
        return found.transpose(1, 2).reshape(users, length, dim)


def mask_of(real: Real, causal: bool) -> Mask:
    """Return who sees whom: real tokens see real ones, causal ones none that comes later, and each sees itself."""
    length = real.shape[1]
    seen = real[:, None, :].expand(-1, length, -1)
    if causal:
        seen = seen & torch.ones(length, length, dtype=torch.bool, device=real.device).tril()
    return (seen | torch.eye(length, dtype=torch.bool, device=real.device)).unsqueeze(1)


def waves(length: int, dim: int) -> Float[Tensor, "length dim"]:
    """Return sin(p w_k) in the first half of the columns and cos(p w_k) in the second, w_k = 10000^(-2k / dim)."""
    half = (dim + 1) // 2
    speeds = 10_000 ** (-torch.arange(half, dtype=torch.float64) * 2 / dim)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * speeds
    return torch.cat([angles.sin(), angles.cos()], 1)[:, :dim].float()


def turned(x: Tensor, turns: Tensor) -> Tensor:
    """Turn each pair of numbers (k, k + half) of the vectors by its angle; `turns` holds sines, then cosines."""
    first, second = x.chunk(2, -1)
    sin, cos = turns.chunk(2, -1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], -1)


def buckets_of(ts_ms: Int[Tensor, "users length"], real: Real, buckets: int) -> Int[Tensor, "users length"]:
    """Return the bucket of the time since the token before: 0 for none before, else 1 + floor(log2(1 + seconds)).

    The last bucket holds all that is longer; 28 buckets reach two years.
    """
    before = torch.zeros_like(real)
    before[:, 1:] = real[:, 1:] & real[:, :-1]
    seconds = torch.zeros(ts_ms.shape, dtype=torch.float64, device=ts_ms.device)
    seconds[:, 1:] = ts_ms.diff(dim=1).clamp(min=0).double() / 1000
    bucket = (1 + (1 + seconds).log2().floor().long()).clamp(max=buckets - 1)
    return bucket.masked_fill(~before, 0)


def last_of(encoded: Tokens, real: Real) -> Float[Tensor, "users dim"]:
    """Return each user's last real token, 0 where there is none."""
    places = torch.arange(1, real.shape[1] + 1, device=real.device)
    last = (real * places).argmax(1)
    return encoded[torch.arange(len(encoded), device=real.device), last]


def _start(module: nn.Module) -> None:
    """Start small, so that each block begins near the identity."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
