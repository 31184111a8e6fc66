"""The discriminator: an ensemble of small networks that order architectures and tell winners from what is generated.

    L = a E softplus(f(g) - f(w)) + r E softplus(f(lower) - f(higher)) |z_higher - z_lower| + p E max(0, |df/dx| - 1)²

w are the best so far, g what the generator made; lower and higher are pairs of everything evaluated, z their normal
scores; the gradient is taken between w and g. Members differ by their start and by the pairs they see, and their spread
says how sure a judgement is.

Sources: S. Rezaei, F. Han, D. Niu et al., "Generative adversarial neural architecture search", IJCAI 2021,
arXiv:2105.09356 (a discriminator over pairs of architectures rewards the generator); A. Jolicoeur-Martineau, "The
relativistic discriminator", ICLR 2019, arXiv:1807.00734, section 4.1; C. Burges et al., "Learning to rank using
gradient descent", ICML 2005 (the ranking loss); H. Petzka, A. Fischer, D. Lukovnikov, "On the regularization of
Wasserstein GANs", ICLR 2018, arXiv:1709.08894 (the one-sided penalty); T. Miyato et al., "Spectral normalization", ICLR
2018, arXiv:1802.05957; B. Lakshminarayanan, A. Pritzel, C. Blundell, NeurIPS 2017, arXiv:1612.01474 (ensembles).
Deviations: 1. the ranking loss over everything evaluated. 2. perceptrons over the space's encoding, which knows the
graph, in place of a graph network. 3. the penalty is taken every `EVERY` steps, as often heavier (T. Karras et al.,
CVPR 2020, arXiv:1912.04958, appendix B). 4. spectral norms are divided out exactly, as matrices are small. 5. the
cosine of the learning rate, and Adam's moments, begin anew in each round: there is more evidence each time.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Final, Self, cast

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import silu, softplus

from paretail.learn.schedule import share_of_lr
from paretail.learn.step import Losses, step
from paretail.search.base import Array

EVERY: Final = 4
#: points between winners and generated ones at which a penalty is taken
MIXED: Final = 32


class Discriminator(nn.Module):
    """`members` perceptrons with two hidden layers, evaluated together."""

    def __init__(self, features: int, members: int, width: int, spectral: bool, seed: int) -> None:
        super().__init__()
        self.spectral = spectral
        shapes = ((features, width), (width, width), (width, 1))
        self.weights = nn.ParameterList([torch.zeros(members, *shape) for shape in shapes])
        self.biases = nn.ParameterList([torch.zeros(members, 1, shape[1]) for shape in shapes])
        self.start(seed)

    def start(self, seed: int, kept: float = 0.0) -> None:
        """Set the weights to fresh ones, or leave a share `kept` of what they were."""
        draw = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight, bias in zip(self.weights, self.biases, strict=True):
                members, inputs, outputs = weight.shape
                weight.copy_(kept * weight + (1 - kept) * _start(members, inputs, outputs, draw))
                bias.mul_(kept)

    def forward(self, rows: Float[Tensor, "*members archs features"]) -> Float[Tensor, "members archs"]:
        """Return each member's judgement of the same rows, or of its own; only differences mean something."""
        state = rows.expand(len(self.weights[0]), *rows.shape[-2:])
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if self.spectral:
                weight = weight / torch.linalg.matrix_norm(weight, ord=2, keepdim=True).clamp(min=1.0)
            state = torch.baddbmm(bias, silu(state) if layer else state, weight)
        return state[..., 0]


def _start(members: int, inputs: int, outputs: int, draw: torch.Generator) -> Float[Tensor, "members inputs outputs"]:
    """Return normal weights of the variance that keeps the scale (K. He et al., 2015, arXiv:1502.01852)."""
    return torch.randn(members, inputs, outputs, generator=draw) * sqrt(2 / inputs)


@dataclass(frozen=True)
class Judging:
    """How a discriminator is trained: steps, their size, and the weight of each part of the loss; 0 leaves it out."""

    steps: int
    lr: float
    weight_decay: float
    adversarial: float
    ranking: float
    penalty: float


@dataclass(frozen=True, eq=False)
class Evidence:
    """Encoded architectures: everything evaluated with its normal scores, which of it won, and what was generated."""

    rows: Float[Tensor, "archs features"]
    scores: Float[Tensor, " archs"]
    winners: Int[Tensor, " winners"]
    generated: Float[Tensor, "generated features"]

    @classmethod
    def of(cls, rows: Array, scores: Array, winners: NDArray[np.int64], generated: Array) -> Self:
        """Return arrays as evidence."""
        parts = (rows.astype(np.float32), scores.astype(np.float32), winners, generated.astype(np.float32))
        return cls(*(torch.from_numpy(np.ascontiguousarray(part)) for part in parts))


def train(critic: Discriminator, seen: Evidence, how: Judging, seed: int, pairs: int = 128) -> dict[str, float]:
    """Train `critic` for `how.steps` with a cosine of the learning rate; return the last figure of each part.

    Figures are means over the members, without the weights of `how`.
    """
    draw = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(critic.parameters(), lr=how.lr, weight_decay=how.weight_decay)
    figures: dict[str, float] = {}
    for turn in range(how.steps):
        optimiser.param_groups[0]["lr"] = how.lr * share_of_lr("cosine", turn, how.steps, turn, 0)
        losses = _losses(critic, seen, how, turn, pairs, draw)
        if losses:
            figures |= step(Losses(losses), critic.parameters(), optimiser, clip=10.0)
    weights = {"ranking": how.ranking, "adversarial": how.adversarial, "penalty": EVERY * how.penalty}
    return {
        name: figures[f"loss/{name}"] / (weight * len(critic.weights[0]))
        for name, weight in weights.items() if f"loss/{name}" in figures
    }  # fmt: skip


def _losses(
    critic: Discriminator, seen: Evidence, how: Judging, turn: int, pairs: int, draw: torch.Generator
) -> dict[str, Float[Tensor, ""]]:
    members = len(critic.weights[0])
    sizes = (len(seen.winners), len(seen.generated))
    winner, made = (torch.randint(max(size, 1), (members, pairs), generator=draw) for size in sizes)
    known, generated = critic(torch.cat([seen.rows, seen.generated])).split([len(seen.rows), sizes[1]], dim=1)
    losses = {}
    if how.ranking:
        losses["ranking"] = how.ranking * _ranking(known, seen.scores, pairs, draw)
    if how.adversarial and all(sizes):
        losses["adversarial"] = (
            how.adversarial * softplus(_at(generated, made) - _at(known, seen.winners[winner])).mean(1).sum()
        )
    if how.penalty and all(sizes) and turn % EVERY == 0:
        share = torch.rand(MIXED, 1, generator=draw)
        won, lost = seen.rows[seen.winners[winner[0, :MIXED]]], seen.generated[made[0, :MIXED]]
        between = share * won + (1 - share) * lost
        losses["penalty"] = EVERY * how.penalty * _penalty(critic, between)
    return losses


def _at(values: Float[Tensor, "members archs"], rows: Int[Tensor, "members pairs"]) -> Float[Tensor, "members pairs"]:
    return values.gather(1, rows)


def _ranking(
    judged: Float[Tensor, "members archs"], scores: Float[Tensor, " archs"], pairs: int, draw: torch.Generator
) -> Float[Tensor, ""]:
    """Return the loss of pairs drawn for each member, weighed by how far their scores are apart."""
    left, right = torch.randint(judged.shape[1], (2, len(judged), pairs), generator=draw)
    apart = scores[left] - scores[right]
    lead = (_at(judged, left) - _at(judged, right)) * apart.sign()
    return (softplus(-lead) * apart.abs()).mean(1).sum()


def _penalty(critic: Discriminator, between: Float[Tensor, "pairs features"]) -> Float[Tensor, ""]:
    """Return how far the slope of each member exceeds 1, squared."""
    points = between.expand(len(critic.weights[0]), *between.shape).clone().requires_grad_()
    (slopes,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return cast(Tensor, (slopes.norm(dim=2) - 1).clamp(min=0).square().mean(1).sum())


def judge(critic: Discriminator, rows: Array, known: Array) -> tuple[Array, Array]:
    """Return mean and spread of the members' judgements of `rows`, each member in units of its spread over `known`."""
    with torch.no_grad():
        values = critic(torch.from_numpy(np.concatenate([rows, known]).astype(np.float32))).double().numpy()
    usual = values[:, len(rows) :]
    values = (values - usual.mean(axis=1, keepdims=True)) / (usual.std(axis=1, keepdims=True) + 1e-9)
    return values[:, : len(rows)].mean(axis=0), values[:, : len(rows)].std(axis=0)
