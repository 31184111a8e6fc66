"""Scorers: a user's vector and an item's make a score.

    dot  z_u·z_i        cosine  z̃_u·z̃_i        hadamard  w·(z_u ⊙ z_i)        mlp  v·relu(W [z_u; z_i] + c)

with z̃ = z / √(‖z‖² + 10⁻¹²), which is 0 for a user of whom nothing is known. hadamard and mlp are what X. He et al.,
"Neural collaborative filtering", WWW 2017, arXiv:1708.05031, call GMF and MLP. Deviations: one hidden layer.
"""

from collections.abc import Callable
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretail.retrieve.spec import ScorerName

#: What keeps the length of a vector from 0; 1e-6 would shorten rare items, whose spectral start is short already.
LEAST: Final = 1e-12


class Scorer(nn.Module):
    """Scores of pairs, row by row, and of every user with every item of a table.

    `sides` makes both ready once: `pairs` and `table` take what it returns.
    """

    def __init__(self, width: int) -> None:
        super().__init__()

    def user(self, vectors: Float[Tensor, "users width"]) -> Float[Tensor, "users wide"]:
        """Return users' vectors as scoring wants them."""
        return vectors

    def item(self, vectors: Float[Tensor, "items width"]) -> Float[Tensor, "items wide"]:
        """Return items' vectors as scoring wants them."""
        return vectors

    def pairs(self, users: Float[Tensor, "pairs wide"], items: Float[Tensor, "pairs wide"]) -> Float[Tensor, " pairs"]:
        """Return the score of each row's user and item."""
        return (users * items).sum(1)

    def table(
        self, users: Float[Tensor, "users wide"], items: Float[Tensor, "items wide"]
    ) -> Float[Tensor, "users items"]:
        """Return the score of every user and item."""
        return users @ items.T


class Cosine(Scorer):
    """The cosine."""

    def user(self, vectors: Tensor) -> Tensor:
        """Return vectors of length 1."""
        return unit(vectors)

    def item(self, vectors: Tensor) -> Tensor:
        """Return vectors of length 1."""
        return unit(vectors)


class Hadamard(Scorer):
    """The product of each place, weighted."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.weight = nn.Parameter(torch.ones(width))

    def item(self, vectors: Tensor) -> Tensor:
        """Return the weighted vectors."""
        return vectors * self.weight


class Mlp(Scorer):
    """A hidden layer over both."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.of_user, self.of_item = nn.Linear(width, width, bias=False), nn.Linear(width, width)
        self.out = nn.Linear(width, 1, bias=False)

    def user(self, vectors: Tensor) -> Tensor:
        """Return the user's half of the hidden layer."""
        half: Tensor = self.of_user(vectors)
        return half

    def item(self, vectors: Tensor) -> Tensor:
        """Return the item's half of the hidden layer."""
        half: Tensor = self.of_item(vectors)
        return half

    def pairs(self, users: Tensor, items: Tensor) -> Tensor:
        """Return the score of each row's user and item."""
        score: Tensor = self.out((users + items).relu())
        return score[:, 0]

    def table(self, users: Tensor, items: Tensor) -> Tensor:
        """Return the score of every user and item; memory grows with both times the width."""
        score: Tensor = self.out((users[:, None] + items).relu())
        return score[..., 0]


SCORERS: Final[dict[ScorerName, Callable[[int], Scorer]]] = {
    "dot": Scorer,
    "cosine": Cosine,
    "hadamard": Hadamard,
    "mlp": Mlp,
}


def unit(vectors: Float[Tensor, "nodes width"]) -> Float[Tensor, "nodes width"]:
    """Return vectors of length 1, or a little less where they are short."""
    return vectors * torch.rsqrt(vectors.square().sum(1, keepdim=True) + LEAST)
