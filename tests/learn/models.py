"""A small model to train: two towers with dropout, on made ratings; its batches and its validation."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from paretail.core.rng import rng_for
from paretail.learn import device
from paretail.learn.loop import LoopConfig

SETTINGS = LoopConfig(epochs=6, lr=0.05, weight_decay=0.01, schedule="cosine", warmup_steps=5, clip=1.0, device="cpu")
USERS, ITEMS, DIM, PAIRS = 30, 20, 4, 240


class Towers(nn.Module):
    """Ratings as products of vectors, with dropout so that torch's randomness matters."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with device.seeded("tests/towers", seed):
            self.users, self.items = nn.Embedding(USERS, DIM), nn.Embedding(ITEMS, DIM)
        self.dropout = nn.Dropout(0.2)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        return (self.dropout(self.users(users)) * self.items(items)).sum(-1)

    def loss(self, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        users, items, ratings = batch
        return (self(users, items) - ratings).square().mean()


def ratings(name: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return users, items and noisy ratings of rank 2, the same taste under every name."""
    taste, rng = rng_for("tests/towers/taste", 0), rng_for(f"tests/towers/{name}", 0)
    truth = taste.standard_normal((USERS, 2)) @ taste.standard_normal((2, ITEMS))
    users, items = rng.integers(USERS, size=PAIRS), rng.integers(ITEMS, size=PAIRS)
    noisy = truth[users, items] + 0.3 * rng.standard_normal(PAIRS)
    return torch.from_numpy(users), torch.from_numpy(items), torch.from_numpy(noisy).float()


def batches(epoch: int, rng: np.random.Generator) -> Iterator[tuple[Tensor, ...]]:
    """Yield eight batches in an order of their own in each epoch."""
    order = torch.from_numpy(rng.permutation(PAIRS))
    for rows in order.split(PAIRS // 8):
        yield tuple(part[rows] for part in ratings("train"))


def validate(model: Any) -> float:
    """Return minus the squared error of ratings that were held out."""
    users, items, held = ratings("held")
    return -float((model(users, items).detach() - held).square().mean())
