"""The generator: a small Transformer decoder that writes an architecture field by field, trained with PPO.

    maximise  E min(r A, clip(r, 1 - e, 1 + e) A) + c H(policy),   r = p_new(token) / p_old(token)

A is the reward of a whole architecture less the batch's mean, in units of its spread.

Sources: A. Vaswani et al., "Attention is all you need", NeurIPS 2017, arXiv:1706.03762 (the decoder); J. Schulman,
F. Wolski, P. Dhariwal, A. Radford, O. Klimov, "Proximal policy optimization algorithms", 2017, arXiv:1707.06347,
equations 7 and 9; B. Zoph, Q. Le, "Neural architecture search with reinforcement learning", ICLR 2017, arXiv:1611.01578
(writing field by field); A. Saxe, J. McClelland, S. Ganguli, 2014, arXiv:1312.6120 (orthogonal starts); J. Ash,
R. Adams, "On warm-starting neural network training", NeurIPS 2020, arXiv:1910.08475 (shrink and perturb, after a
collapse).
Deviations: 1. no value network: a reward comes once, at the end, and the batch's mean is its baseline. 2. a decoder
over fields, not the graph network of S. Rezaei et al. (IJCAI 2021): spaces tell tokens, of which some make no graph.
3. nothing is encoded, so there is no attention across; places are learned, norms come first and have no weights of
their own, GELU, inner layers of twice the width, no dropout. 4. all of a batch is one minibatch, and Adam's moments
begin anew with each batch: a batch's rewards are those of a new judge. 5. the bonus is the mean entropy of a field as
a share of its largest, not the sum in nats.
"""

from collections.abc import Sequence
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm, scaled_dot_product_attention

from paretail.learn.step import step
from paretail.search.base import Array

LAYERS: Final = 1
HEADS: Final = 4
#: Keys and values of a layer, `[batch, heads, fields, columns]`.
Past = tuple[Tensor, Tensor]
#: What is known before the first field.
NONE: Final[list[Past | None]] = [None] * LAYERS


class Layer(nn.Module):
    """One layer of the decoder: each field sees itself and those before it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.seeing = nn.Linear(width, 3 * width, bias=False)  # queries, keys, values
        self.seen = nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(
        self, x: Float[Tensor, "batch fields width"], past: Past | None = None
    ) -> tuple[Float[Tensor, "batch fields width"], Past]:
        """Return the fields' states, and what later ones see of all so far; with a past, `x` is the one field next."""
        seeing = self.seeing(layer_norm(x, x.shape[-1:])).unflatten(-1, (3 * HEADS, -1)).transpose(1, 2)
        query, key, value = seeing.chunk(3, dim=1)
        if past is not None:
            key, value = (torch.cat(pair, dim=2) for pair in zip(past, (key, value), strict=True))
        found = scaled_dot_product_attention(query, key, value, is_causal=past is None)
        x = x + self.seen(found.transpose(1, 2).flatten(2))
        return x + self.narrow(gelu(self.wide(layer_norm(x, x.shape[-1:])))), (key, value)


class Generator(nn.Module):
    """p(tokens) as a product over fields, each given those before."""

    offsets: Tensor
    allowed: Tensor

    def __init__(self, choices: Sequence[int], width: int, seed: int) -> None:
        super().__init__()
        total = sum(choices)
        self.fields = len(choices)
        self.options = nn.Embedding(total + 1, width)  # the last stands before the first field
        self.places = nn.Embedding(self.fields, width)
        self.layers = nn.ModuleList([Layer(width) for _ in range(LAYERS)])
        self.head = nn.Linear(width, total)
        starts = torch.tensor([0, *choices]).cumsum(0)
        places = torch.arange(total)
        self.register_buffer("offsets", starts[:-1], persistent=False)
        self.register_buffer("allowed", (places >= starts[:-1, None]) & (places < starts[1:, None]), persistent=False)
        self.start(seed)

    def start(self, seed: int, kept: float = 0.0) -> None:
        """Set the weights to orthogonal ones, or leave a share `kept` of what they were."""
        draw = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, weight in self.named_parameters():
                fresh = torch.zeros_like(weight)
                if weight.ndim == 2:
                    nn.init.orthogonal_(fresh, gain=0.01 if name == "head.weight" else 1.0, generator=draw)
                weight.copy_(kept * weight + (1 - kept) * fresh)

    def logits(self, tokens: Int[Tensor, "batch fields"]) -> Float[Tensor, "batch fields options"]:
        """Return log probabilities of every option of each field, given the fields before it."""
        before = torch.cat([torch.full_like(tokens[:, :1], self.head.out_features), tokens + self.offsets], dim=1)
        states, _ = self._states(self.options(before[:, :-1]) + self.places.weight)
        return self._masked(self.head(states), self.allowed)

    def _states(self, x: Tensor, pasts: Sequence[Past | None] = NONE) -> tuple[Tensor, list[Past | None]]:
        """Return the states of fields, and each layer's keys and values so far."""
        met: list[Past | None] = []
        for layer, past in zip(self.layers, pasts, strict=True):
            x, past = layer(x, past)
            met.append(past)
        return layer_norm(x, x.shape[-1:]), met

    def _masked(self, scores: Tensor, allowed: Bool[Tensor, "*fields options"]) -> Tensor:
        return scores.masked_fill(~allowed, -torch.inf).log_softmax(-1)

    @torch.no_grad()
    def sample(self, count: int, draw: torch.Generator, warmth: float = 1.0) -> Int[Tensor, "batch fields"]:
        """Draw architectures as tokens, legal or not; `warmth` above 1 evens out what is likely and what is not."""
        last, pasts, tokens = torch.full((count, 1), self.head.out_features), NONE, []
        for field in range(self.fields):
            output, pasts = self._states(self.options(last) + self.places.weight[field], pasts)
            chances = self._masked(self.head(output[:, 0]) / warmth, self.allowed[field]).exp()
            last = torch.multinomial(chances, 1, generator=draw)
            tokens.append(last - self.offsets[field])
        return torch.cat(tokens, dim=1)


def told(
    log_p: Float[Tensor, "batch fields options"], tokens: Int[Tensor, "batch fields"], offsets: Int[Tensor, " fields"]
) -> tuple[Float[Tensor, "batch fields"], Float[Tensor, ""]]:
    """Return the log probability of each token, and the policy's mean entropy a field as a share of the largest."""
    chosen = log_p.gather(2, (tokens + offsets)[..., None])[..., 0]
    entropy = -(log_p.exp() * log_p.clamp(min=-1e4)).sum(-1)
    most = (log_p > -torch.inf)[0].sum(-1).float().log().clamp(min=1e-9)
    return chosen, (entropy / most)[:, most > 1e-6].mean()


def clipped(
    ratio: Float[Tensor, "batch fields"], gain: Float[Tensor, "batch 1"], clip: float
) -> Float[Tensor, "batch fields"]:
    """Return min(r A, clip(r, 1 - e, 1 + e) A): nothing more is won beyond the clip."""
    return torch.minimum(ratio * gain, ratio.clamp(1 - clip, 1 + clip) * gain)


def improve(
    policy: Generator, tokens: Int[Tensor, "batch fields"], rewards: Array, lr: float, entropy: float,
    epochs: int = 3, clip: float = 0.2,
) -> dict[str, float]:  # fmt: skip
    """Move `policy` towards what was rewarded, `epochs` steps; return its figures, with `entropy` from 0 to 1."""
    optimiser = torch.optim.Adam(policy.parameters(), lr=lr)
    gain = torch.from_numpy((rewards - rewards.mean()) / (rewards.std() + 1e-6)).float()[:, None]
    with torch.no_grad():
        old, _ = told(policy.logits(tokens), tokens, policy.offsets)
    figures: dict[str, float] = {}
    for _ in range(epochs):
        new, spread = told(policy.logits(tokens), tokens, policy.offsets)
        won = clipped((new - old).exp(), gain, clip).mean()
        figures = step(-won - entropy * spread, policy.parameters(), optimiser, clip=1.0)
        figures["entropy"] = float(spread.detach())
    return figures
