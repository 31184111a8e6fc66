"""Batches of sequences: windows of like lengths together, so that little is padding, in a new order each epoch."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretail.data.types import Time
from paretail.graph.negatives import Negatives
from paretail.retrieve.sequences.learning.net import Batch
from paretail.retrieve.sequences.tokens import Ints, Sequences, windows

#: The power of an item's events by which it is drawn as a negative.
POWER: Final = 0.75


class Batches:
    """The batches of an epoch: each event but a user's first is to be predicted once from those before it.

    `weight[kinds]` is how much an event of a kind counts as what comes next, `again` the factor for an item that the
    user had before. `negatives` items are drawn for a batch by the power of their events; where no more than that have
    events, the loss goes over all of them. Where events have no time each epoch takes them in another order.
    """

    def __init__(
        self, sequences: Sequences, time: Time, length: int, batch_size: int, weight: NDArray[np.float32],
        again: float, negatives: int | None, popularity: NDArray[np.int64], seed: int,
    ) -> None:  # fmt: skip
        self.sequences, self.ordered, self.batch_size = sequences, time != "none", batch_size
        self.first, self.size = windows(sequences.indptr, length)
        self.weight = weight[sequences.kind]
        if self.ordered:
            self.weight = self.weight * np.where(_had(sequences), np.float32(again), np.float32(1))
            counted = np.concatenate([[0.0], np.cumsum(self.weight, dtype=np.float64)])
            useful = counted[self.first + self.size] > counted[self.first + 1]
            self.first, self.size = self.first[useful], self.size[useful]
        self.known = np.flatnonzero(popularity)
        self.negatives = negatives if negatives is not None and negatives < len(self.known) else None
        self.drawn = Negatives(len(self.known), seed, None, popularity[self.known], POWER) if self.negatives else None

    def __call__(self, epoch: int, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield the batches of an epoch, in an order that follows from `rng`."""
        order = np.lexsort((rng.random(len(self.size)), self.size))
        groups = _groups(self.size[order] - 1, self.batch_size)
        events = np.arange(len(self.sequences.item)) if self.ordered else _shuffled(self.sequences.indptr, rng)
        for group in rng.permutation(len(groups)):
            start, end = groups[group]
            step = int(rng.integers(2**31))
            yield self._batch(order[start:end], events, step)

    def _batch(self, chosen: Ints, events: Ints, step: int) -> Batch:
        first, size = self.first[chosen], self.size[chosen] - 1
        place = np.arange(size.max())
        real = place < size[:, None]
        now = events[np.where(real, first[:, None] + place, first[:, None])]
        then = events[(first[:, None] + place + 1)[real]]
        told, weight = self.sequences.at(now), self.weight[then]
        item, kind, gap, there, next_item, next_kind, counts = (
            torch.from_numpy(part)
            for part in (
                told.item, told.kind, told.gap, real, self.sequences.item[then], self.sequences.kind[then], weight,
            )
        )  # fmt: skip
        return Batch(item, kind, gap, there, next_item, next_kind, counts, *self._negatives(step))

    def _negatives(self, step: int) -> tuple[Tensor | None, Tensor | None]:
        if self.drawn is None or self.negatives is None:
            return None, None
        drawn = self.drawn.draw_shared(self.negatives, step)
        log_q = drawn.log_q[0] + np.float32(np.log(self.negatives))
        return torch.from_numpy(self.known[drawn.item_idx[0]]), torch.from_numpy(log_q)


def _groups(lengths: Ints, tokens: int) -> list[tuple[int, int]]:
    """Cut rows of ascending lengths into runs of at most so many tokens, padding counted, or of one row."""
    bounds, start = [], 0
    for row, length in enumerate(lengths.tolist()):
        if row > start and (row + 1 - start) * length > tokens:
            bounds.append((start, row))
            start = row
    return [*bounds, (start, len(lengths))] if len(lengths) else []


def _shuffled(indptr: Ints, rng: np.random.Generator) -> Ints:
    """Return all events, those of each user in a random order."""
    user = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    return np.lexsort((rng.random(len(user)), user))


def _had(sequences: Sequences) -> NDArray[np.bool_]:
    """Say of each event whether its user had the item before."""
    user = np.repeat(np.arange(len(sequences.counts)), sequences.counts)
    order = np.lexsort((sequences.item, user))  # stable: equal pairs stay in their order of time
    again = np.zeros(len(order), bool)
    again[order[1:]] = (user[order[1:]] == user[order[:-1]]) & (sequences.item[order[1:]] == sequences.item[order[:-1]])
    return again
